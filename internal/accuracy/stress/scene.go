package stress

import (
	"math"
	"math/rand/v2"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

// Scene is one customer in one window with the truth about it.
type Scene struct {
	accuracy.Load
	Kind    string    // "none", "mine" or a kind of Lookalikes
	Habit   string    // of a mine: when it runs
	Host    int       // number of the host load, for cross-validation by host
	Big     bool      // a business or public building
	Lost    float64   // share of the intervals that are missing
	TempC   []float64 // hourly air temperature
	Weather bool      // whether the window tells the temperature

	added []float64 // what was added, kW, before gaps
	pf    []float32 // power factor by day, nil where the meter does not give it
	thd   []float32 // current THD by day, %
}

// Options hold what a scene is asked to be; the zero value draws everything.
type Options struct {
	Kind  string // "" draws: a third mines, a third look-alikes, a third untouched
	Days  int    // 0 draws
	Step  int    // minutes, 0 draws
	Lost  float64
	Start int    // 1 from the first day, 2 within the window, 0 draws
	Habit string // "" draws
}

// windowDays are the lengths that are drawn, the usual ones more often.
var windowDays = [...]int{14, 21, 30, 45, 60, 60, 92, 92, 92, 92, 120, 180, 365}

// New draws a scene on a host load.
func New(rng *rand.Rand, host *accuracy.Load, number int, o Options) Scene {
	days, step := o.Days, o.Step
	if days == 0 {
		days = windowDays[rng.IntN(len(windowDays))]
	}
	if step == 0 {
		step = [...]int{15, 30, 30, 60, 60, 60}[rng.IntN(6)]
	}
	s := Scene{Load: stretch(rng, host, days), Host: number, Big: host.DeclaredUse != "dwelling", Weather: rng.IntN(3) == 0}
	s.Load = resolve(rng, &s.Load, step)
	s.TempC = accuracy.Weather(rng, s.First, s.Days)
	if !s.Big && rng.IntN(6) == 0 {
		s.DeclaredUse, s.Category = [...]string{"shop", "office", "workshop"}[rng.IntN(3)], "commercial"
	}
	s.ContractedKVA = contract(rng, &s.Load)
	s.added = make([]float64, len(s.KW))
	s.Kind = o.Kind
	if s.Kind == "" {
		s.Kind = "none"
		switch rng.IntN(3) {
		case 0:
			s.Kind = "mine"
		case 1:
			kinds := Lookalikes()
			s.Kind = kinds[rng.IntN(len(kinds))]
		}
	}
	character := supply{pf: 0.99, thd: 8}
	switch s.Kind {
	case "none":
	case "mine":
		character = s.mine(rng, o)
	default:
		character = s.lookalike(rng)
	}
	if rng.IntN(4) == 0 {
		s.electrical(rng, character)
	}
	for i, v := range s.added {
		s.KW[i] += v
	}
	s.lose(rng, o.Lost)
	return s
}

// stretch cuts days out of a host, or repeats its weeks with a season where it
// has fewer.
func stretch(rng *rand.Rand, host *accuracy.Load, days int) accuracy.Load {
	if days <= host.Days {
		return host.Segment(rng.IntN(host.Days-days+1), days)
	}
	weeks := host.Days / 7 * 7
	l := host.Segment(0, host.Days)
	l.Days, l.KW = days, make([]float64, days*l.PerDay())
	phase, depth := 2*math.Pi*rng.Float64(), 0.25*rng.Float64()
	for i := range l.KW {
		day := i / l.PerDay()
		season := 1 + depth*math.Cos(2*math.Pi*float64(day)/365+phase)
		l.KW[i] = host.KW[day%weeks*l.PerDay()+i%l.PerDay()] * season * (1 + 0.05*rng.NormFloat64())
	}
	return l
}

// resolve gives a load another resolution: sums, or parts an interval at random.
func resolve(rng *rand.Rand, l *accuracy.Load, step int) accuracy.Load {
	if step >= l.StepMinutes {
		if step > l.StepMinutes {
			return l.Coarser(step)
		}
		return l.Segment(0, l.Days)
	}
	parts := l.StepMinutes / step
	out := *l
	out.StepMinutes, out.KW = step, make([]float64, len(l.KW)*parts)
	share := make([]float64, parts)
	rough := 0.05 + 0.2*rng.Float64()
	for i, v := range l.KW {
		sum := 0.0
		for p := range share {
			share[p] = math.Exp(rough * rng.NormFloat64())
			sum += share[p]
		}
		for p := range share {
			out.KW[i*parts+p] = v * share[p] / sum * float64(parts)
		}
	}
	return out
}

// contract is the capacity in the records: a usual size above the host's own
// peak, a few sizes up or down in one record of six, absent in one of six.
func contract(rng *rand.Rand, l *accuracy.Load) float64 {
	if rng.IntN(6) == 0 {
		return 0
	}
	peak := 0.0
	for _, v := range l.KW {
		if v > peak {
			peak = v
		}
	}
	want := peak / 0.95 * (1.05 + 0.9*rng.Float64())
	if rng.IntN(6) == 0 {
		want *= math.Exp(0.8 * rng.NormFloat64())
	}
	for _, kva := range [...]float64{3, 5, 8, 10, 15, 20, 30, 50, 80, 100, 160, 250, 400, 630, 1000, 1600, 2500} {
		if kva >= want {
			return kva
		}
	}
	return want
}

// lose takes out single intervals, hours and days, and estimates some days.
// share is what to lose; 0 draws it: nothing for half of the meters.
func (s *Scene) lose(rng *rand.Rand, share float64) {
	if share == 0 && rng.IntN(2) == 0 {
		share = 0.3 * rng.Float64() * rng.Float64()
	}
	perDay := s.PerDay()
	if rng.IntN(5) == 0 { // days that the operator filled in: even, or a copy of the week before
		for range 1 + rng.IntN(1+s.Days/20) {
			day := rng.IntN(s.Days)
			values := s.KW[day*perDay : (day+1)*perDay]
			if day >= 7 && rng.IntN(2) == 0 {
				copy(values, s.KW[(day-7)*perDay:])
				continue
			}
			sum, n := 0.0, 0.0
			for _, v := range values {
				if !math.IsNaN(v) {
					sum, n = sum+v, n+1
				}
			}
			for i := range values {
				values[i] = sum / n
			}
		}
	}
	want := int(share * float64(len(s.KW)))
	lost := 0
	for tries := 0; lost < want && tries < 4*s.Days; tries++ {
		length := [...]int{1, 1 + perDay/12, perDay, 3 * perDay}[rng.IntN(4)]
		from := rng.IntN(len(s.KW))
		for i := from; i < min(from+length, len(s.KW)); i++ {
			if !math.IsNaN(s.KW[i]) {
				lost++
			}
			s.KW[i] = math.NaN()
		}
	}
	s.Lost = float64(lost) / float64(len(s.KW))
}
