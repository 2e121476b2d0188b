package balance

import "math"

// A meter whose clock is off books load into the interval before or after. The
// balance then swings by the differences between a member's neighbouring
// intervals, which looks much like a member that hangs elsewhere and sums up
// to nothing.

const (
	clockGain = 12.0 // log-likelihood from which a clock is off
	maxClocks = 6
)

// ClockTerms describe a clock of member m that is off by up to an interval
// either way.
func ClockTerms(a *Area, m int) []Term {
	kw := a.Members[m].KW
	before, after := make([]float64, len(kw)), make([]float64, len(kw))
	for t := range kw {
		if t > 0 {
			before[t] = kw[t-1] - kw[t]
		}
		if t+1 < len(kw) {
			after[t] = kw[t+1] - kw[t]
		}
	}
	return []Term{{"clock", before, 0, 0.5}, {"clock", after, 0, 0.5}}
}

// Clocks returns the terms with those of the members whose clocks are off, and
// who they are. A day's mean knows nothing of clocks.
func Clocks(a *Area, y []float64, terms []Term, use func(t int) bool) (with []Term, off []int) {
	with = append(with, terms...)
	if a.PerDay < 24 {
		return with, nil
	}
	taken := make(map[int]bool)
	for range maxClocks {
		model := Explain(a, y, with, use)
		if model.N < 10 {
			return with, off
		}
		best, gain := -1, clockGain
		for m := range a.Members {
			if taken[m] {
				continue
			}
			// Elsewhere explains swings as well: a clock must do better.
			elsewhere := model.Try(a.Members[m].KW).Gain(-1, 0.15)
			if g := model.Together(ClockTerms(a, m)); g > gain && (g > elsewhere || math.IsInf(elsewhere, 0)) {
				best, gain = m, g
			}
		}
		if best < 0 {
			return with, off
		}
		taken[best] = true
		off = append(off, best)
		with = append(with, ClockTerms(a, best)...)
	}
	return with, off
}
