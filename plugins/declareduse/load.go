package declareduse

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// load is what the last month of a usage point looks like.
type load struct {
	first, last int     // days of the window that it spans
	kwhDay      float64 // median daily energy
	night, day  float64 // median power at night and in the daytime, workdays
	restDay     float64 // median daytime power on weekends and holidays, NaN where there are too few
	minKW       float64 // median of the lowest hour
	flat        float64 // median share of hours within ±3 %
	peakKW      float64 // hourly peak that nine days in ten stay below
	factor      float64 // median power factor, NaN where it is not measured
	meanKW      float64
	nightRise   float64 // rise of the night load beyond that of the daytime, kW; 0 for none
	nightT      float64 // its size over what the night load wanders by itself
	heating     weather // what of the mean goes with the weather
	nightHeat   weather // what of the night load does
}

const (
	recentDays = 30 // levels are those of the last month
	riseDays   = 90 // a rise of the night load is looked for in three
	minDays    = 5
)

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
	pick := func(f sdk.Feature, wanted func(rest bool) bool) []float64 {
		column := w.Feature(f, i)
		var v []float64
		for _, d := range days {
			if column != nil && wanted(rests(w, d)) && math.Abs(float64(column[d])) < 1e9 {
				v = append(v, float64(column[d]))
			}
		}
		return v
	}
	any, workday := func(bool) bool { return true }, func(rest bool) bool { return !rest }
	l := load{
		first: days[len(days)-1], last: days[0],
		meanKW: robust.Median(pick(sdk.MeanKW, any)), flat: robust.Median(pick(sdk.FlatShare, any)), minKW: robust.Median(pick(sdk.MinKW, any)),
		night: robust.Median(pick(sdk.NightKW, workday)), day: robust.Median(pick(sdk.DaytimeKW, workday)),
		peakKW: robust.Quantile(pick(sdk.MaxKW, any), 0.9), factor: robust.Median(pick(sdk.PowerFactorAvg, any)),
		restDay: math.NaN(),
	}
	if rest := pick(sdk.DaytimeKW, func(rest bool) bool { return rest }); len(rest) >= 4 {
		l.restDay = robust.Median(rest)
	}
	l.kwhDay = 24 * l.meanKW
	l.nightRise, l.nightT = nightRise(w, i)
	l.heating = weatherOf(w, mean, days)
	l.nightHeat = weatherOf(w, w.Feature(sdk.NightKW, i), days)
	return l, l.meanKW > 1e-3
}

// rests reports whether the day is a weekend or a holiday.
func rests(w *sdk.Window, d int) bool {
	wd := (w.FirstDay + sdk.Date(d)).Weekday()
	return wd == 0 || wd == 6 || w.Holiday != nil && w.Holiday[d]
}

// nightRise looks over three months for a rise of the night load that the
// daytime load does not share.
func nightRise(w *sdk.Window, i int) (kw, t float64) {
	from := max(w.Days-riseDays, 0)
	column := func(f sdk.Feature) []float64 {
		if c := w.Feature(f, i); c != nil {
			return robust.Finite(c[from:])
		}
		return nil
	}
	night, day := column(sdk.NightKW), column(sdk.DaytimeKW)
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
