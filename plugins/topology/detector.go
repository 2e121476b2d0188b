package topology

import (
	"context"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/balance"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Detector checks transformer areas. The zero value is ready to use and safe
// for concurrent use.
type Detector struct{}

// New returns the detector.
func New() *Detector { return &Detector{} }

// Describe implements sdk.Detector.
func (*Detector) Describe() sdk.Description {
	return sdk.Description{
		Name: "topology", Version: "1.0.0",
		Summary:        "Meters that hang behind another transformer or on another phase than the records say",
		Scope:          sdk.ScopeTransformerArea,
		Quantities:     []meter.Quantity{meter.ActivePower, meter.VoltageA, meter.VoltageB, meter.VoltageC},
		Features:       []sdk.Feature{sdk.MeanKW, sdk.GoodShare, sdk.VoltageAvg},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   60,
		Provides:       []string{sdk.AttrMappingDoubt, sdk.AttrPhaseDoubt},
		Attributes:     []string{sdk.AttrPhase, sdk.AttrRatedKVA, sdk.AttrNoLoadLossW, sdk.AttrLoadLossW, sdk.AttrUnmeteredKW, sdk.AttrStreetLightKW},
	}
}

const (
	minDays = 10
	// usualDoubt is how many entries of a registry are wrong before anybody looks.
	usualDoubt = 0.02
	// sure is the doubt from which the records are said to be wrong.
	sure = 0.9
	// askShare is the share of the input that the daily balance may be short
	// of, on one day in ten, before the curves are looked at.
	askShare = 0.004
	askKW    = 0.03
)

// Evaluate implements sdk.Detector.
func (*Detector) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	if len(w.Subjects) < 2 || w.Subjects[0].Kind != sdk.Transformer || w.Days < minDays {
		return nil
	}
	if w.Curves == nil {
		if worthLooking(w) {
			for i := range w.Subjects {
				out.RequestCurves(w.Subjects[i].ID)
			}
		}
		return nil
	}
	opinions := make([]opinion, len(w.Subjects))
	matchLoads(ctx, w, opinions)
	if err := ctx.Err(); err != nil {
		return err
	}
	compareVoltages(w, opinions)
	report(w, opinions, out)
	return nil
}

// worthLooking reports whether the days leave something to find out: voltages
// to compare, or a balance that is not closed by the losses and the class of
// the meters.
func worthLooking(w *sdk.Window) bool {
	known := 0
	for i := range w.Subjects {
		for _, v := range w.Feature(sdk.VoltageAvg, i) {
			if v == v { //nolint:gocritic // NaN: not measured
				known++
				break
			}
		}
	}
	if known >= minReferences+1 {
		return true
	}
	a := balance.Daily(w)
	if a.Input == nil || !w.Subjects[0].HasMeter || len(a.Members) == 0 || a.MeasuredDays() < minDays {
		return false
	}
	terms := balance.Technical(a, &w.Subjects[0])
	y := a.Difference()
	var off []float64
	for t := range y {
		r := y[t]
		for _, term := range terms {
			r -= term.Expect * term.X[t]
		}
		off = append(off, math.Abs(r))
	}
	return robust.Quantile(off, 0.9) > max(askKW, askShare*a.MeanInput())
}
