package declareduse

import (
	"context"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Detector compares loads with declared uses. The zero value is ready to use
// and safe for concurrent use.
type Detector struct{}

// New returns the detector.
func New() *Detector { return &Detector{} }

// Describe implements sdk.Detector.
func (*Detector) Describe() sdk.Description {
	return sdk.Description{
		Name: "declareduse", Version: "1.0.0",
		Summary:        "Loads that do not go with the declared use: energy, closed hours, contracted power, tariff",
		Scope:          sdk.ScopeUsagePoint,
		Features:       []sdk.Feature{sdk.MeanKW, sdk.NightKW, sdk.DaytimeKW, sdk.PeakKW, sdk.MaxKW, sdk.FlatShare, sdk.GoodShare},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   90,
	}
}

const (
	recentDays = 30 // levels are those of the last month
	minDays    = 5
	reportFrom = 0.1
)

// Evaluate implements sdk.Detector.
func (d *Detector) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	for i := range w.Subjects {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &w.Subjects[i]
		if s.Kind != sdk.UsagePoint {
			continue
		}
		l, ok := newLoad(w, i)
		if !ok {
			continue
		}
		v := weigh(&l, s)
		p := robust.Sigmoid(robust.Logit(w.Prior) + v.total)
		out.Score(s.ID, p)
		if p >= reportFrom && len(v.reasons) > 0 {
			out.Add(v.finding(w, s, &l, p))
		}
	}
	return nil
}

// load is what the last month of a usage point looks like.
type load struct {
	first, last int     // days of the window that it spans
	kwhDay      float64 // median daily energy
	night, day  float64 // median power at night and in the daytime, workdays
	flat        float64 // median share of hours within ±3 %
	peakKW      float64 // hourly peak that nine days in ten stay below
	meanKW      float64
	nightRise   float64 // rise of the night load beyond that of the daytime, kW; 0 for none
	nightT      float64 // its size over what the night load wanders by itself
}

func newLoad(w *sdk.Window, i int) (load, bool) {
	mean, good := w.Feature(sdk.MeanKW, i), w.Feature(sdk.GoodShare, i)
	var days []int
	for d := w.Days - 1; d >= 0 && len(days) < recentDays; d-- {
		if mean != nil && math.Abs(float64(mean[d])) < 1e9 && (good == nil || good[d] >= 0.5) {
			days = append(days, d)
		}
	}
	if len(days) < minDays {
		return load{}, false
	}
	median := func(f sdk.Feature, workdays bool, q float64) float64 {
		column := w.Feature(f, i)
		var v []float64
		for _, d := range days {
			wd := (w.FirstDay + sdk.Date(d)).Weekday()
			rest := wd == 0 || wd == 6 || w.Holiday != nil && w.Holiday[d]
			if column != nil && (!workdays || !rest) && math.Abs(float64(column[d])) < 1e9 {
				v = append(v, float64(column[d]))
			}
		}
		return robust.Quantile(v, q)
	}
	l := load{
		first: days[len(days)-1], last: days[0],
		meanKW: median(sdk.MeanKW, false, 0.5), flat: median(sdk.FlatShare, false, 0.5),
		night: median(sdk.NightKW, true, 0.5), day: median(sdk.DaytimeKW, true, 0.5),
		peakKW: median(sdk.MaxKW, false, 0.9),
	}
	l.kwhDay = 24 * l.meanKW
	l.nightRise, l.nightT = nightRise(w, i)
	return l, l.meanKW > 1e-3
}

// nightRise looks over the whole window for a rise of the night load that the
// daytime load does not share.
func nightRise(w *sdk.Window, i int) (kw, t float64) {
	night, day := robust.Finite(w.Feature(sdk.NightKW, i)), robust.Finite(w.Feature(sdk.DaytimeKW, i))
	if len(night) != len(day) {
		return 0, 0
	}
	step, ok := robust.FindStep(night, 0.01)
	if !ok || step.Stays < 0.5 {
		return 0, 0
	}
	shared := robust.Median(day[step.At:step.After]) - robust.Median(day[step.Before:step.At])
	if kw = step.Rise - max(shared, 0); kw < 0.5*step.Rise {
		return 0, 0
	}
	return kw, step.T
}
