package balance

import (
	"context"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Place is what the balance says of where a member hangs.
type Place struct {
	Slope   float64 // of the balance on its load: 0 here, -1 elsewhere
	Err     float64
	LogOdds float64 // that it hangs elsewhere rather than here
	Known   bool    // the balance says anything of it
}

const (
	maxElsewhere = 6    // members that are looked for one after the other
	hereSpread   = 0.05 // slope of a member that is here: class, clock, gaps
	elsewhereOff = 0.15 // slope of one that is elsewhere, about -1
	maxPlaceOdds = 12.0
	acceptPlace  = 7.0  // from which a member is taken as elsewhere before the next one is looked for
	rhythmShare  = 0.15 // of the mean input: what an unknown load's daily rhythm may be
	stretches    = 6
)

// Places compares the balance of the area with each member's load. Where a
// member hangs elsewhere its load is metered and does not pass the
// transformer: the balance falls by 1 kW for each kW of the member, also
// beyond any daily rhythm that an unknown load may share with it, and within
// each stretch of the window: who begins to steal takes less by the meter as
// more goes missing, which is no sign of hanging elsewhere. terms are those
// that need no explanation, without the members' own; members' doubts are not
// looked at.
func Places(ctx context.Context, a *Area, y []float64, technical []Term) []Place {
	out := make([]Place, len(a.Members))
	blind := *a
	blind.Members = append([]Member(nil), a.Members...)
	for m := range blind.Members {
		blind.Members[m].Doubt = 0
	}
	first := len(technical)
	terms := append(append([]Term(nil), technical...), MemberTerms(&blind)...)
	terms = append(terms, Rhythm(a, 0, rhythmShare*a.MeanInput()+0.1, 24)...)
	terms = append(terms, levels(a, rhythmShare*a.MeanInput())...)
	model := Clocks(a, y, terms)
	accepted := make(map[int]bool)
	for range maxElsewhere {
		if model.N < 10 || ctx.Err() != nil {
			return out
		}
		best, bestFit := -1, 0.0
		for m := range a.Members {
			if accepted[m] {
				continue
			}
			e := model.Try(a.Members[m].KW)
			out[m] = place(e)
			if out[m].LogOdds > acceptPlace && math.Abs(e.Size+1) < 0.35 && e.Fit > bestFit {
				best, bestFit = m, e.Fit
			}
		}
		if best < 0 {
			return out
		}
		accepted[best] = true
		next := append([]Term(nil), model.Terms...)
		next[first+best].Expect, next[first+best].Spread = -1, elsewhereOff
		model = Explain(a, y, next, model)
	}
	return out
}

// place compares two hypotheses by the slope of the balance on a member's load.
func place(e Estimate) Place {
	if !e.Known() {
		return Place{}
	}
	like := func(mean, spread float64) float64 {
		v := e.Err*e.Err + spread*spread
		// A slope that neither explains is no matter of where the meter hangs.
		return -min((e.Size-mean)*(e.Size-mean)/v, 60)/2 - math.Log(v)/2
	}
	odds := min(max(like(-1, elsewhereOff)-like(0, hereSpread), -maxPlaceOdds), maxPlaceOdds)
	if e.Size > -0.5 {
		odds = min(odds, 0)
	}
	return Place{Slope: e.Size, Err: e.Err, LogOdds: odds, Known: true}
}

// levels let the balance change from one stretch of the window to the next.
func levels(a *Area, spread float64) []Term {
	var out []Term
	for k := 1; k < stretches; k++ {
		x := make([]float64, a.Days*a.PerDay)
		for t := k * a.Days / stretches * a.PerDay; t < len(x); t++ {
			x[t] = 1
		}
		out = append(out, Term{"level", x, 0, spread + 0.05})
	}
	return out
}

// Mean is a member's mean load, kW.
func (m *Member) Mean() float64 { return robust.Mean(m.KW) }
