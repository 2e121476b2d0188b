package physics

import (
	"math"
	"math/rand/v2"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

// site is a legitimate load beside the one that was there: its kW of each step.
type site func(rng *rand.Rand, s *setup) []float64

// setup is what a site is built into.
type setup struct {
	temp    []float64 // °C of each hour
	steps   int
	from    int       // step from which the load is there
	weekday int       // of step 0, 0 is Monday
	size    float64   // kW that suit the premises, about the mean of the load
	home    bool      // built into a home
	host    []float64 // kW that were there, by the step
}

type premises struct {
	kind     string
	build    site
	declared string  // what such a customer declares; "" what he declared before
	category string  // with it
	homes    float64 // kW in or beside a home
	share    float64 // of the host's mean in other premises
	least    float64 // kW in other premises
	most     float64 // kW that such a site has at most
}

func all() []premises {
	return []premises{
		{"cold_store", coldStore, "cold_store", "commercial", 2.5, .5, 3, 150},
		{"telecom_mast", telecomMast, "telecom_mast", "commercial", 2.6, .1, 2, 12},
		{"data_room", dataRoom, "data_centre", "commercial", 3.5, .4, 4, 120},
		{"shop_24h", shopAllDay, "shop_24h", "commercial", 5, .4, 5, 30},
		{"internet_cafe", internetCafe, "internet_cafe", "commercial", 5, .3, 5, 25},
		{"heat_pump", heatPump, "", "", 1.4, .3, 2, 80},
		{"ev_charger", charger, "", "", .45, .15, 1, 60},
		{"growing_business", growing, "", "", .5, .6, 1, 150},
		{"greenhouse_pump", greenhouse, "farm", "agricultural", 2, .4, 2, 60},
	}
}

// rightly is the share of those who should declare a use and do.
const rightly = .85

// Injector returns the mines and flat loads of this package. Half of the flat
// loads are there from the start, the others begin within the window.
func Injector() accuracy.Injector {
	in := accuracy.Injector{Name: "physics", Mine: Mine}
	for _, p := range all() {
		in.Flats = append(in.Flats, accuracy.Flat{Kind: p.kind, Add: p.add})
	}
	return in
}

func (p premises) add(rng *rand.Rand, l *accuracy.Load, temp []float64) {
	mean := l.MeanKW()
	home := l.Category == "residential"
	s := &setup{temp: temp, steps: l.Days * perDay, weekday: (int(l.First) + 3) % 7, home: home}
	s.size = p.homes * logBetween(rng, .5, 2)
	if !home {
		s.size = math.Min(math.Max(p.share*mean*logBetween(rng, .35, 1.6), p.least*between(rng, .6, 1.5)), p.most)
	}
	k := l.StepMinutes / stepMinutes
	s.host = make([]float64, s.steps)
	for i := range s.host {
		if v := l.KW[i/k]; !math.IsNaN(v) {
			s.host[i] = v
		}
	}
	if rng.IntN(2) == 0 {
		s.from = int(between(rng, .1, .8) * float64(s.steps))
	}
	from := s.from
	kw := p.build(rng, s)
	clear(kw[:from])
	// Where a home's supply turned into a cold store or a mast, not much of the
	// home is left behind the meter.
	if home && p.declared != "" {
		rest := between(rng, .05, 1)
		for i := range l.KW {
			if i*k >= from {
				l.KW[i] *= rest
			}
		}
	}
	add(l, kw)
	if p.declared != "" && rng.Float64() < rightly {
		l.DeclaredUse, l.Category = p.declared, p.category
		l.RegisteredDC = p.declared == "data_centre"
	}
	sum := 0.0
	for _, v := range kw[from:] {
		sum += v
	}
	size := sum / float64(len(kw)-from)
	l.Truth = accuracy.Truth{Flat: p.kind, KW: size, Ratio: size / mean, FromDay: from / perDay}
}

// hour is the hour of day of a step, with its fraction.
func hour(step int) float64 { return float64(step%perDay) / perHour }

func (s *setup) day(step int) int { return (s.weekday + step/perDay) % 7 }

// coldStore is a box that gains heat through its walls and doors and is pumped
// out by one to three compressors between two temperatures, with defrosting.
func coldStore(rng *rand.Rand, s *setup) []float64 {
	out := make([]float64, s.steps)
	compressors := 1 + rng.IntN(3)
	each := s.size / float64(compressors) * between(rng, 1.4, 2.2)
	set := -20.0
	if rng.IntN(2) == 0 {
		set = 3
	}
	box, band := set, between(rng, .7, 1.8)
	fans := s.size * between(rng, .06, .15)
	doors := s.size * between(rng, .1, .5)
	opens, closes := between(rng, 5, 9), between(rng, 15, 20)
	defrosts, heater := 2+rng.IntN(3), s.size*between(rng, .4, 1)
	// At 12 °C outdoors the walls take the middle of what is pumped.
	wall := s.size * 2 * .7 / (12 - set)
	mass := s.size * between(rng, 1.5, 5) // kWh a kelvin of what is stored, over the band
	running := 0
	for i := range out {
		t, h := outdoors(s.temp, i), hour(i)
		gain := wall*(t-box) + fans
		if h > opens && h < closes && s.day(i) < 6 {
			gain += doors * rng.Float64()
		}
		defrosting := math.Mod(h, 24/float64(defrosts)) < .4
		if defrosting {
			out[i] += heater
			gain += .4 * heater
		}
		switch {
		case box > set+band/2 && running < compressors && i%2 == 0:
			running++
		case box < set-band/2 && running > 0 && i%2 == 0:
			running--
		}
		pumped := 0.0
		if !defrosting {
			// The warmer it is outside, the more a compressor takes and the less it moves.
			lift := 1 + .012*(t-12)
			out[i] += float64(running) * each * clamp(lift, .8, 1.5)
			pumped = float64(running) * each * 2 / clamp(lift, .8, 1.5)
		}
		box += (gain - pumped) / mass / perHour
		out[i] += fans
	}
	return out
}

// telecomMast is direct current that follows traffic a little, behind
// rectifiers, with a fan or a small compressor for its cabinet.
func telecomMast(rng *rand.Rand, s *setup) []float64 {
	out := make([]float64, s.steps)
	operators := 1 + rng.IntN(3)
	idle, traffic := s.size*between(rng, .75, .92), s.size*between(rng, .05, .2)
	sleeps := rng.IntN(3) == 0 // the newer radios sleep at night
	joins := s.steps
	if operators > 1 && rng.IntN(4) == 0 {
		joins = int(between(rng, .1, .9) * float64(s.steps))
	}
	cooler, set, on := s.size*between(rng, .15, .4), between(rng, 22, 28), false
	wander := 0.0
	for i := range out {
		h, t := hour(i), outdoors(s.temp, i)
		wander = .98*wander + .02*rng.NormFloat64()
		busy := .35 + .65*math.Exp(-math.Pow((h-20.5)/3.2, 2)) + .3*math.Exp(-math.Pow((h-13)/3, 2))
		if sleeps && h < 5.5 {
			busy = -.3
		}
		direct := idle + traffic*busy*(1+wander)
		if i >= joins {
			direct *= 1 + 1/float64(operators)
		}
		cabinet := t + 9
		switch {
		case cabinet > set+2:
			on = true
		case cabinet < set-2:
			on = false
		}
		out[i] = direct/.945 + .03*s.size
		if on {
			out[i] += cooler * clamp(.4+.05*(cabinet-set), .2, 1)
		}
	}
	return out
}

// dataRoom is servers behind an uninterruptible supply, with their cooling.
func dataRoom(rng *rand.Rand, s *setup) []float64 {
	out := make([]float64, s.steps)
	overhead := between(rng, .12, .6)
	servers, work := s.size/(1+overhead), between(rng, .01, .08)
	jobs := rng.IntN(2) == 0 // backups at night
	test := rng.IntN(28)     // day of the month on which the generator takes over
	free := between(rng, 8, 16)
	more := s.steps
	if rng.IntN(3) == 0 {
		more = rng.IntN(s.steps)
	}
	slow := 0.0
	for i := range out {
		h := hour(i)
		slow = .9995*slow + .001*rng.NormFloat64()
		load := servers * (1 + slow)
		if s.day(i) < 5 && h > 8 && h < 18 {
			load *= 1 + work
		}
		if jobs && h > 1 && h < 3.5 {
			load *= 1 + .7*work
		}
		if i >= more {
			load *= 1.08
		}
		cool := overhead * (.6 + .4*clamp((outdoors(s.temp, i)-free)/14, 0, 1))
		out[i] = load/.95 + load*cool*(1+.05*rng.NormFloat64())
		if (i/perDay)%28 == test && h > 10 && h < 10.75 {
			out[i] = 0
		}
	}
	return out
}

// shopAllDay is refrigerated shelves, lights and people around the clock.
func shopAllDay(rng *rand.Rand, s *setup) []float64 {
	out := make([]float64, s.steps)
	lights, sign, shelves, people := s.size*between(rng, .2, .35), s.size*between(rng, .03, .12), s.size*between(rng, .35, .5), s.size*between(rng, .1, .3)
	phase := rng.Float64()
	for i := range out {
		h, t := hour(i), outdoors(s.temp, i)
		footfall := .15 + math.Exp(-math.Pow((h-8)/2, 2)) + 1.1*math.Exp(-math.Pow((h-18)/3.5, 2))
		out[i] = lights + shelves*(1+.012*(t-12))*(1+.25*math.Sin(2*math.Pi*(float64(i)/4.3+phase))) + people*footfall*(.7+.6*rng.Float64())
		if h < 6.5 || h > 18.5 {
			out[i] += sign
		}
		out[i] += s.size * .02 * math.Max(t-21, 0)
	}
	return out
}

// internetCafe is seats, taken by guests who come and go, and air conditioning.
func internetCafe(rng *rand.Rand, s *setup) []float64 {
	out := make([]float64, s.steps)
	seats := max(int(s.size/.14), 6)
	seat, standby := between(rng, .12, .3), between(rng, .004, .03)
	opens, closes := between(rng, 8, 11), between(rng, 23, 30)
	if rng.IntN(2) == 0 {
		opens, closes = 0, 24
	}
	taken := 0.0
	for i := range out {
		h := hour(i)
		open := h >= opens && h < closes || h+24 < closes
		want := float64(seats) * (.12 + .6*math.Exp(-math.Pow((h-21)/4, 2)) + .25*math.Exp(-math.Pow((h-15)/3, 2)))
		if s.day(i) >= 5 {
			want *= 1.3
		}
		if !open {
			want = 0
		}
		taken += .06*(want-taken) + .15*math.Sqrt(math.Max(want, 0))*rng.NormFloat64()*.4
		taken = clamp(taken, 0, float64(seats))
		if !open {
			taken *= .5
		}
		out[i] = taken*seat + (float64(seats)-taken)*standby + .3
		if open {
			out[i] += .25 * taken * seat * clamp((outdoors(s.temp, i)-14)/10, 0, 1)
			out[i] += .4
		}
	}
	return out
}

// heatPump heats by degree-hours, modulating or switching, with hot water.
func heatPump(rng *rand.Rand, s *setup) []float64 {
	out := make([]float64, s.steps)
	full := s.size * between(rng, 1.6, 2.6)
	limit := between(rng, 14, 18)
	modulates := rng.IntN(2) == 0
	setback := rng.IntN(2) == 0
	water := between(rng, 1, 6)
	debt := 0.0
	on := false
	for i := range out {
		h, t := hour(i), outdoors(s.temp, i)
		need := clamp((limit-t)/(limit+8), 0, 1.1) // share of the capacity
		if setback && (h < 5 || h > 22.5) {
			need *= .55
		}
		if h >= water && h < water+1 {
			need = math.Max(need, .9)
		}
		switch {
		case modulates && need > .25:
			out[i] = full * clamp(need, .25, 1) * (1 + .03*rng.NormFloat64())
			debt = 0
		default:
			debt += need / perHour
			if debt > .35 {
				on = true
			} else if debt <= 0 {
				on = false
			}
			if on {
				out[i] = full
				debt -= 1. / perHour
			}
		}
		if t < 4 && on && i%(9+i%5) == 0 { // defrosting
			out[i] *= .4
		}
		out[i] = math.Max(out[i], 0) + .04*full
	}
	return out
}

// charger is one car at a home, or several at other premises.
func charger(rng *rand.Rand, s *setup) []float64 {
	out := make([]float64, s.steps)
	points := 1
	power := []float64{2.3, 3.7, 7.4, 11}[rng.IntN(4)]
	if !s.home {
		points = max(1, int(s.size/2))
		power = []float64{7.4, 11, 22}[rng.IntN(3)]
	}
	overnight := rng.IntN(2) == 0
	for p := range points {
		daily := between(rng, 5, 18)
		lack := 0.0
		start := between(rng, 17, 21)
		if overnight && s.home {
			start = between(rng, 22, 24.5)
		} else if !s.home {
			start = between(rng, 7, 15) + .01*float64(p)
		}
		for d := range s.steps / perDay {
			lack += daily * rng.ExpFloat64()
			if lack < 6 || rng.Float64() < .2 {
				continue
			}
			kwh := math.Min(lack, 60)
			lack = 0
			at := d*perDay + int((start+.7*rng.NormFloat64())*perHour)
			for i := max(at, 0); i < s.steps && kwh > 0; i++ {
				take := power
				if kwh < 3 {
					take *= .5 // the last tenth comes slowly
				}
				out[i] += take * (1 + .004*rng.NormFloat64())
				kwh -= take / perHour
			}
		}
	}
	return out
}

// growing is a business that takes on people and machines: more of what it
// has, and a part of it on around the clock.
func growing(rng *rand.Rand, s *setup) []float64 {
	out := make([]float64, s.steps)
	opens, closes := between(rng, 6, 9), between(rng, 16, 20)
	growth, base := between(rng, .2, .9), s.size*between(rng, .05, .35)
	machines := s.size * between(rng, .3, 1.2)
	stages := 1 + rng.IntN(4)
	for i := range out {
		gone := math.Max(float64(i-s.from+1), 0) / float64(s.steps-s.from)
		share := math.Ceil(float64(stages)*gone) / float64(stages)
		if stages == 1 {
			share = gone
		}
		out[i] = share * (growth*s.host[i] + base)
		if h := hour(i); h > opens && h < closes && s.day(i) < 5 {
			out[i] += share * machines * (.6 + .8*rng.Float64())
		}
	}
	return out
}

// greenhouse is pumps that run by the clock or without end, lamps that lengthen
// the day, and a heater in the frost.
func greenhouse(rng *rand.Rand, s *setup) []float64 {
	out := make([]float64, s.steps)
	endless := s.size * between(rng, .2, .9) // circulation, or aerators of ponds
	if rng.IntN(3) == 0 {
		endless *= .05
	}
	pump, lamps, heater := s.size*between(rng, .5, 1.5), s.size*between(rng, 0, 1), s.size*between(rng, 0, .6)
	every, runs := between(rng, 3, 12), between(rng, .3, 2)
	wear := between(rng, -.05, .02)
	for i := range out {
		h, t := hour(i), outdoors(s.temp, i)
		out[i] = endless * (1 + wear*float64(i)/float64(s.steps)) * (1 + .004*rng.NormFloat64())
		if h > 4 && math.Mod(h, every) < runs {
			out[i] += pump
		}
		if h > 4.5 && h < 8 || h > 17.5 && h < 21 {
			out[i] += lamps
		}
		if t < 6 {
			out[i] += heater * clamp((6-t)/8, 0, 1)
		}
	}
	return out
}
