package stress

import (
	"math"
	"math/rand/v2"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

// Habits are when a mine runs, the usual ones more often.
func Habits() []string {
	return []string{
		"always", "always", "always", "always", "always", "always", "always", "always", "always", "evening", "evening", "evening", "evening",
		"part of the evening", "part of the evening", "nights", "curtailed", "curtailed", "unprofitable", "unprofitable",
	}
}

// rig is one machine of a mine.
type rig struct {
	kw           float64
	from         int // interval from which it runs
	until        int // interval until which it is broken
	brokenBoards int
}

// mine adds a mine and returns how it draws its current.
func (s *Scene) mine(rng *rand.Rand, o Options) supply {
	mean := s.MeanKW()
	perDay := s.PerDay()
	target := math.Exp(math.Log(0.4) + rng.Float64()*math.Log(25))
	if s.Big || mean > 8 {
		target = max(1.3, mean*math.Exp(math.Log(0.08)+rng.Float64()*math.Log(15)))
	}
	from := 0
	if o.Start == 2 || o.Start == 0 && rng.Float64() > 0.27 {
		from = int(float64(len(s.KW)) * (0.08 + 0.82*rng.Float64()))
	}
	rigs, ramps := fleet(rng, target, from, perDay, len(s.KW))
	habit := o.Habit
	if habit == "" {
		habit = Habits()[rng.IntN(len(Habits()))]
	}
	s.Habit = habit
	runs := s.habit(rng, habit)
	cooling := coolingOf(rng)
	noise, spread := 0.002+0.02*rng.Float64()*rng.Float64(), 0.0
	trip := 1 / (float64(perDay) * (5 + 40*rng.Float64())) // of all machines at once: pool, router, breaker
	down := -1
	for i := from; i < len(s.KW); i++ {
		spread = 0.998*spread + 0.0004*rng.NormFloat64()
		if i > down && rng.Float64() < trip {
			down = i + rng.IntN(1+perDay/[...]int{24, 24, 8, 3}[rng.IntN(4)])
		}
		share := runs(i)
		if i <= down {
			share *= [...]float64{0, 0, 0, 0.3}[down%4]
		}
		kw := 0.0
		for k := range rigs {
			kw += rigs[k].power(rng, i, perDay)
		}
		t := s.TempC[min(i*s.StepMinutes/60, len(s.TempC)-1)]
		s.added[i] = kw * share * cooling(t) * (1 + spread + noise*rng.NormFloat64())
	}
	total := 0.0
	for _, r := range rigs {
		total += r.kw
	}
	s.Truth = accuracy.Truth{Mine: true, KW: total, Ratio: total / mean, FromDay: from / perDay, Evades: habit == "evening" || habit == "part of the evening", Ramps: ramps}
	return supply{0.93 + 0.065*rng.Float64(), 4 + 11*rng.Float64()}
}

// fleet buys machines up to a target, all of a make or each of its own, at
// once or in lots.
func fleet(rng *rand.Rand, target float64, from, perDay, n int) ([]rig, bool) {
	low, high := 1.3, 3.6
	if rng.Float64() < 0.35 && target < 40 {
		low, high = 0.3, 1.2
	}
	unit := low + (high-low)*rng.Float64()
	same := rng.IntN(5) < 3
	lots := 1
	if rng.Float64() < 0.35 {
		lots = 2 + rng.IntN(4)
	}
	days := make([]int, lots)
	for k := range days {
		days[k] = from
		if k > 0 {
			days[k] = min(days[k-1]+perDay/4+rng.IntN(max((n-from)/lots, 1)), n-1)
		}
	}
	var rigs []rig
	for sum := 0.0; sum < target; {
		kw := unit * (1 + 0.02*rng.NormFloat64())
		if !same {
			kw = low + (high-low)*rng.Float64()
		}
		sum += kw
		rigs = append(rigs, rig{kw: kw, until: -1})
	}
	for k := range rigs {
		rigs[k].from = days[k*lots/len(rigs)]
	}
	return rigs, lots > 1 && len(rigs) > 1
}

// power is what a machine takes in interval i: it breaks now and then for
// days, and loses one of its three boards for good in a year or so.
func (r *rig) power(rng *rand.Rand, i, perDay int) float64 {
	if i < r.from || i <= r.until {
		return 0
	}
	x := rng.Float64() * float64(perDay)
	switch {
	case x < 1.0/90:
		r.until = i + rng.IntN(6*perDay)
		return 0
	case x < 1.0/90+1.0/250 && r.brokenBoards < 2:
		r.brokenBoards++
	}
	return r.kw * (1 - 0.31*float64(r.brokenBoards))
}

// habit returns the share of the machines that run in an interval.
func (s *Scene) habit(rng *rand.Rand, name string) func(i int) float64 {
	perDay := s.PerDay()
	hour := func(i int) float64 { return float64(i%perDay*s.StepMinutes) / 60 }
	switch name {
	case "evening", "part of the evening":
		off, on := 15.5+4*rng.Float64(), 20+3.5*rng.Float64()
		left, jitter, forgets := 0.0, 0.4*rng.Float64(), 0.1*rng.Float64()
		if name != "evening" {
			left = 0.3 + 0.4*rng.Float64()
		}
		day, a, b := -1, off, on
		return func(i int) float64 {
			if d := i / perDay; d != day {
				day, a, b = d, off+jitter*rng.NormFloat64(), on+jitter*rng.NormFloat64()
				if rng.Float64() < forgets {
					a = 25
				}
			}
			if h := hour(i); h >= a && h < b {
				return left
			}
			return 1
		}
	case "nights":
		on, off := 20+3*rng.Float64(), 5+3*rng.Float64()
		return func(i int) float64 {
			if h := hour(i); h >= on || h < off {
				return 1
			}
			return 0
		}
	case "curtailed":
		often, day, a, b := 0.1+0.4*rng.Float64(), -1, 25.0, 25.0
		return func(i int) float64 {
			if d := i / perDay; d != day {
				day, a, b = d, 25, 25
				if rng.Float64() < often {
					a = 12 + 7*rng.Float64()
					b = a + 1 + 4*rng.Float64()
				}
			}
			if h := hour(i); h >= a && h < b {
				return 0.05
			}
			return 1
		}
	case "unprofitable":
		stopped := -1
		return func(i int) float64 {
			if i > stopped && rng.Float64()*float64(perDay) < 1.0/25 {
				stopped = i + perDay/2 + rng.IntN(12*perDay)
			}
			if i <= stopped {
				return 0
			}
			return 1
		}
	}
	return func(int) float64 { return 1 }
}

// coolingOf returns what getting rid of the heat adds, by outdoor temperature.
func coolingOf(rng *rand.Rand) func(t float64) float64 {
	switch rng.IntN(4) {
	case 0: // an open window
		return func(float64) float64 { return 1 }
	case 1: // air conditioning
		share := 0.08 + 0.25*rng.Float64()
		return func(t float64) float64 { return 1.02 + share*min(max((t-15)/14, 0), 1) }
	}
	slope := 0.0005 + 0.004*rng.Float64()
	return func(t float64) float64 { return 1.02 + slope*max(t-5, 0) }
}
