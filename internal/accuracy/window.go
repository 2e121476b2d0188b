package accuracy

import (
	"math"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// days cuts a load into meter-days, energies in kWh.
func (l *Load) days() []curve.Day {
	perDay := l.PerDay()
	interval := time.Duration(l.StepMinutes) * time.Minute
	out := make([]curve.Day, l.Days)
	for d := range out {
		day := curve.Day{
			MeterID: l.ID, Date: l.First + curve.Date(d), Interval: interval,
			EnergyKWh: make([]float64, perDay), Quality: make([]meter.Quality, perDay),
		}
		day.Start = day.Date.Start(time.UTC)
		for i := range perDay {
			kw := l.KW[d*perDay+i]
			day.EnergyKWh[i] = kw * interval.Hours()
			if !math.IsNaN(kw) {
				day.Quality[i] = meter.Good
			}
		}
		out[d] = day
	}
	return out
}

// window builds the window of one load by itself, with its raw curve where
// curves are wanted.
func window(l *Load, curves bool) *sdk.Window {
	w := &sdk.Window{ID: 1, Scope: sdk.ScopeUsagePoint, FirstDay: sdk.Date(l.First), Days: l.Days, Prior: 0.01}
	names := sdk.Features()
	columns := make([][]float32, len(names))
	for k, name := range names {
		columns[k] = make([]float32, l.Days)
		w.SetFeature(name, columns[k])
	}
	days := l.days()
	for d := range days {
		f := curve.Compute(&days[d])
		for k := range names {
			columns[k][d] = f[k]
		}
	}
	w.Subjects = []sdk.Subject{{
		ID: l.ID, Kind: sdk.UsagePoint, HasMeter: true,
		Numbers: map[string]float64{}, Texts: map[string]string{sdk.AttrCategory: l.Category, sdk.AttrDeclaredUse: l.DeclaredUse},
	}}
	if curves {
		c := sdk.Curve{IntervalSeconds: l.StepMinutes * 60, Start: l.First.Start(time.UTC), Columns: map[meter.Quantity][]float32{}}
		kw := make([]float32, len(l.KW))
		for i, v := range l.KW {
			kw[i] = float32(v)
		}
		c.Columns[meter.ActivePower] = kw
		for d := range l.Days + 1 {
			c.DayStart = append(c.DayStart, int32(d*l.PerDay()))
		}
		w.Curves = []sdk.Curve{c}
	}
	return w
}
