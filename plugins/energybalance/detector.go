package energybalance

import (
	"context"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/balance"
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
		Name: "energybalance", Version: "2.0.1",
		Summary:        "Energy that leaves a transformer and reaches no meter: theft, unmetered load or an error in the records",
		Scope:          sdk.ScopeTransformerArea,
		Quantities:     []meter.Quantity{meter.ActivePower},
		Features:       []sdk.Feature{sdk.MeanKW, sdk.GoodShare},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   120,
		Attributes:     []string{sdk.AttrRatedKVA, sdk.AttrNoLoadLossW, sdk.AttrLoadLossW, sdk.AttrUnmeteredKW, sdk.AttrStreetLightKW, sdk.AttrMappingDoubt},
	}
}

const (
	minDays = 7
	// askKW and askShare are the deviation of the daily balance from which the
	// hours are worth looking at: beyond the class error of the meters.
	askKW    = 0.03
	askShare = 0.003
)

// Evaluate implements sdk.Detector.
func (d *Detector) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	if len(w.Subjects) < 2 || w.Subjects[0].Kind != sdk.Transformer || !w.Subjects[0].HasMeter {
		return nil
	}
	if w.Curves == nil {
		d.daily(w, out)
		return nil
	}
	a := balance.FromCurves(w, 24)
	if len(a.Members) == 0 || a.MeasuredDays() < minDays {
		return nil
	}
	b := explain(ctx, a, &w.Subjects[0], placed(w))
	if err := ctx.Err(); err != nil {
		return err
	}
	report(w, b, out)
	return nil
}

// placed reports whether somebody looked for members that hang elsewhere.
func placed(w *sdk.Window) bool {
	for i := range w.Subjects {
		if !math.IsNaN(w.Subjects[i].Number(sdk.AttrMappingDoubt)) {
			return true
		}
	}
	return false
}

// daily measures the balance of the days and asks for the curves of an area
// whose days leave something to explain.
func (d *Detector) daily(w *sdk.Window, out *sdk.Report) {
	a := balance.Daily(w)
	if len(a.Members) == 0 || a.MeasuredDays() < minDays {
		return
	}
	t := &w.Subjects[0]
	y := a.Difference()
	if in := a.MeanInput(); in > 0 {
		out.Measure(t.ID, sdk.MetricLossPct, 100*robust.Mean(y)/in)
	}
	out.Measure(t.ID, sdk.MetricUnexplainedKWhMonth, 0)
	if deviation(y, balance.Technical(a, t)) > max(askKW, askShare*a.MeanInput()) {
		for i := range w.Subjects {
			out.RequestCurves(w.Subjects[i].ID)
		}
		return
	}
	for m := range a.Members {
		out.Score(w.Subjects[a.Members[m].Subject].ID, probability(w.Prior, balanced))
	}
}

// deviation is how far the daily balance lies from the expected losses, kW.
func deviation(y []float64, technical []balance.Term) float64 {
	var v []float64
	for t := range y {
		r := y[t]
		for _, term := range technical {
			r -= term.Expect * term.X[t]
		}
		v = append(v, math.Abs(r))
	}
	return robust.Quantile(v, 0.75)
}

func probability(prior, logOdds float64) float64 {
	return robust.Sigmoid(robust.Logit(prior) + logOdds)
}
