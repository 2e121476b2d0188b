package energybalance

import (
	"context"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Detector balances transformer areas. The zero value is ready to use and
// safe for concurrent use.
type Detector struct{}

// New returns the detector.
func New() *Detector { return &Detector{} }

// Describe implements sdk.Detector.
func (*Detector) Describe() sdk.Description {
	return sdk.Description{
		Name: "energybalance", Version: "1.0.0",
		Summary:        "Energy that leaves a transformer and reaches no meter: theft, unmetered load or an error in the records",
		Scope:          sdk.ScopeTransformerArea,
		Quantities:     []meter.Quantity{meter.ActivePower},
		Features:       []sdk.Feature{sdk.MeanKW, sdk.GoodShare},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   120,
	}
}

const (
	minDays = 7
	// askKW and askShare are the deviation of the daily balance from which the
	// hours are worth looking at: beyond the class error of the meters.
	askKW    = 0.06
	askShare = 0.004
)

// Evaluate implements sdk.Detector.
func (d *Detector) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	if len(w.Subjects) < 2 || w.Subjects[0].Kind != sdk.Transformer || !w.Subjects[0].HasMeter {
		return nil
	}
	t := &w.Subjects[0]
	if w.Curves == nil {
		d.daily(w, t, out)
		return nil
	}
	a := newHourlyArea(w, 24)
	if len(a.members) == 0 || measuredDays(a) < minDays {
		return nil
	}
	b := account(a, technical(a, t), hourlyGain)
	out.Measure(t.ID, sdk.MetricUnexplainedKWhMonth, b.unexplainedKWhMonth())
	report(w, b, out)
	return nil
}

// daily measures the balance of the days and asks for the curves of an area
// whose days leave something to explain.
func (d *Detector) daily(w *sdk.Window, t *sdk.Subject, out *sdk.Report) {
	a := newDailyArea(w)
	if len(a.members) == 0 || measuredDays(a) < minDays {
		return
	}
	b := account(a, technical(a, t), dailyGain)
	if in := robust.Mean(a.input); in > 0 {
		out.Measure(t.ID, sdk.MetricLossPct, 100*robust.Mean(b.y)/in)
	}
	out.Measure(t.ID, sdk.MetricUnexplainedKWhMonth, b.unexplainedKWhMonth())
	if len(b.anomalies) > 0 || b.deviation() > max(askKW, askShare*b.meanInput) {
		for i := range w.Subjects {
			out.RequestCurves(w.Subjects[i].ID)
		}
		return
	}
	for _, m := range a.members {
		out.Score(w.Subjects[m.subject].ID, probability(w.Prior, balanced))
	}
}

// deviation is how far the daily balance lies from the expected losses, kW.
func (b *balance) deviation() float64 {
	var v []float64
	for t := range b.y {
		r := b.y[t]
		for _, term := range b.fit.terms {
			r -= term.expect * term.x[t]
		}
		v = append(v, math.Abs(r))
	}
	return robust.Quantile(v, 0.75)
}

// unexplainedKWhMonth is the energy of 30 days that reaches no meter and that
// losses and recorded loads do not explain, as things stand at the end.
func (b *balance) unexplainedKWhMonth() float64 {
	kw := 0.0
	for i := range b.anomalies {
		kw += max(b.anomalies[i].kw, 0)
	}
	return kw * 24 * 30
}

func measuredDays(a *area) int {
	n := 0
	for d := range a.days {
		measured := 0
		for k := range a.perDay {
			if !math.IsNaN(a.input[d*a.perDay+k]) {
				measured++
			}
		}
		if 2*measured >= a.perDay {
			n++
		}
	}
	return n
}

func probability(prior, logOdds float64) float64 {
	return robust.Sigmoid(robust.Logit(prior) + logOdds)
}
