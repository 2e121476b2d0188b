package topology

import (
	"context"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/balance"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// opinion is what is thought of one subject.
type opinion struct {
	judged  bool
	mapping float64 // log-odds that it hangs elsewhere, beyond the usual doubt
	slope   float64 // of the balance on its load: 0 here, -1 elsewhere
	err     float64
	kw      float64 // its mean load
	matched bool    // slope and err are there

	follows float64 // correlation of its voltage with the neighbours', NaN where unknown
	usual   float64 // … of the neighbours' with each other
	phase   int     // phase that its voltage goes along with; -1 unknown
	shown   int     // phase of the records; -1 unknown or several
	rephase float64 // probability that the phase differs
}

const (
	maxElsewhere = 6    // members that are looked for one after the other
	hereSpread   = 0.05 // slope of a member that is here: class, clock, gaps
	elsewhereOff = 0.15 // slope of one that is elsewhere, about -1
	maxLoadOdds  = 12.0
	acceptOdds   = 7.0  // from which a member is taken as elsewhere before the next one is looked for
	rhythmShare  = 0.15 // of the mean input: what an unknown load's daily rhythm may be
)

// matchLoads compares the balance of the area with each member's load. Where
// a member hangs elsewhere its load is metered and does not pass the
// transformer: the balance falls by 1 kW for each kW of the member, also
// beyond any daily rhythm that an unknown load may share with it.
func matchLoads(ctx context.Context, w *sdk.Window, opinions []opinion) {
	if !w.Subjects[0].HasMeter {
		return
	}
	a := balance.FromCurves(w, 24)
	if a.Input == nil || len(a.Members) == 0 || a.MeasuredDays() < minDays {
		return
	}
	for m := range a.Members {
		a.Members[m].Doubt = 0
	}
	y := a.Difference()
	terms := append(balance.Technical(a, &w.Subjects[0]), balance.MemberTerms(a)...)
	first := len(terms) - len(a.Members)
	terms = append(terms, balance.Rhythm(a, 0, rhythmShare*a.MeanInput()+0.1)...)
	terms = append(terms, levels(a, rhythmShare*a.MeanInput())...)
	terms, _ = balance.Clocks(a, y, terms, nil)
	accepted := make(map[int]bool)
	for range maxElsewhere {
		if ctx.Err() != nil {
			return
		}
		model := balance.Explain(a, y, terms, nil)
		if model.N < 10 {
			return
		}
		best, bestOdds := -1, acceptOdds
		for m := range a.Members {
			if accepted[m] {
				continue
			}
			o := &opinions[a.Members[m].Subject]
			o.weigh(model.Try(a.Members[m].KW), robust.Mean(a.Members[m].KW))
			if o.mapping > bestOdds && math.Abs(o.slope+1) < 0.35 {
				best, bestOdds = m, o.mapping
			}
		}
		if best < 0 {
			return
		}
		accepted[best] = true
		terms[first+best].Expect, terms[first+best].Spread = -1, elsewhereOff
	}
}

// weigh compares two hypotheses by the slope of the balance on the member's load.
func (o *opinion) weigh(e balance.Estimate, kw float64) {
	o.kw = kw
	if !e.Known() {
		return
	}
	o.judged, o.matched = true, true
	o.slope, o.err = e.Size, e.Err
	like := func(mean, spread float64) float64 {
		v := e.Err*e.Err + spread*spread
		// A slope that neither explains is no matter of where the meter hangs.
		d := (e.Size - mean) * (e.Size - mean) / v
		return -min(d, 60)/2 - math.Log(v)/2
	}
	o.mapping = min(max(like(-1, elsewhereOff)-like(0, hereSpread), -maxLoadOdds), maxLoadOdds)
	if e.Size > -0.5 {
		o.mapping = min(o.mapping, 0)
	}
}

// levels lets the balance change from one stretch of the window to the next: a
// customer who begins to steal takes less by the meter as more goes missing,
// which is no sign of hanging elsewhere.
func levels(a *balance.Area, spread float64) []balance.Term {
	const stretches = 6
	var out []balance.Term
	for k := 1; k < stretches; k++ {
		x := make([]float64, a.Days*a.PerDay)
		for t := k * a.Days / stretches * a.PerDay; t < len(x); t++ {
			x[t] = 1
		}
		out = append(out, balance.Term{Name: "level", X: x, Spread: spread + 0.05})
	}
	return out
}
