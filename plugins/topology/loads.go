package topology

import (
	"context"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/balance"
)

// opinion is what is thought of one subject.
type opinion struct {
	judged  bool
	mapping float64 // log-odds that it hangs elsewhere, beyond the usual doubt
	place   balance.Place
	kw      float64 // its mean load

	follows float64 // correlation of its voltage with the neighbours', NaN where unknown
	usual   float64 // … of the neighbours' with each other
	phase   int     // phase that its voltage goes along with
	shown   int     // phase of the records
	rephase float64 // probability that the phase differs
}

// matchLoads compares the balance of the area with each member's load.
func matchLoads(ctx context.Context, w *sdk.Window, opinions []opinion) {
	if !w.Subjects[0].HasMeter {
		return
	}
	a := balance.FromCurves(w, 24)
	if a.Input == nil || len(a.Members) == 0 || a.MeasuredDays() < minDays {
		return
	}
	for m, p := range balance.Places(ctx, a, a.Difference(), balance.Technical(a, &w.Subjects[0])) {
		o := &opinions[a.Members[m].Subject]
		o.place, o.judged, o.mapping, o.kw = p, p.Known, p.LogOdds, a.Members[m].Mean()
	}
}
