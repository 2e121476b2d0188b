package balance

import (
	"cmp"
	"math"
	"slices"
)

// A meter whose clock is off books load into the interval before or after. The
// balance then swings by the differences between a member's neighbouring
// intervals, which looks much like a member that hangs elsewhere and sums up
// to nothing.

const (
	clockGain   = 12.0 // log-likelihood from which a clock is off
	clockRounds = 4
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

// Clocks returns the model with terms for the members whose clocks are off. A
// day's mean knows nothing of clocks.
func Clocks(a *Area, y []float64, terms []Term) *Model {
	model := Explain(a, y, terms, nil)
	if a.PerDay < 24 {
		return model
	}
	taken := make(map[int]bool)
	for range clockRounds {
		if model.N < 10 {
			return model
		}
		type found struct {
			member int
			gain   float64
		}
		var off []found
		for m := range a.Members {
			if taken[m] {
				continue
			}
			// Elsewhere explains swings as well: a clock must do better.
			elsewhere := model.Try(a.Members[m].KW).Gain(-1, 0.15)
			if g, _ := model.Together(ClockTerms(a, m)); g > clockGain && (g > elsewhere || math.IsInf(elsewhere, 0)) {
				off = append(off, found{m, g})
			}
		}
		if len(off) == 0 {
			return model
		}
		slices.SortStableFunc(off, func(x, y found) int { return cmp.Compare(y.gain, x.gain) })
		with := model.Terms[:len(model.Terms):len(model.Terms)]
		for _, f := range off[:min(len(off), 2)] {
			taken[f.member] = true
			with = append(with, ClockTerms(a, f.member)...)
		}
		model = Explain(a, y, with, model)
	}
	return model
}
