package robust

import (
	"math"
	"slices"
)

// Weather is how a daily series follows the air temperature: a base, a part
// that grows below a balance temperature (heating) and one that grows above
// another (cooling). It is the three-parameter change-point model of building
// energy use (ASHRAE Guideline 14, annex on inverse models).
type Weather struct {
	Base            float64 // what does not follow the weather
	HeatBelow       float64 // balance temperature of heating, °C
	HeatPerK        float64 // rise for each degree below it, ≥ 0
	CoolAbove       float64 // balance temperature of cooling, °C
	CoolPerK        float64 // rise for each degree above it, ≥ 0
	Explained       float64 // share of the series' variance, 0 … 1
	Days            int     // days with both a value and a temperature
	lowest, highest float64 // temperatures seen: nothing is claimed beyond them
}

// Part returns what the model gives to heating and cooling at a temperature,
// 0 where the temperature is not known.
func (w *Weather) Part(celsius float64) float64 {
	if math.IsNaN(celsius) {
		return 0
	}
	t := min(max(celsius, w.lowest), w.highest)
	return w.HeatPerK*max(w.HeatBelow-t, 0) + w.CoolPerK*max(t-w.CoolAbove, 0)
}

// Fewest days and narrowest span of temperature (5th to 95th percentile, K)
// that a fit is made on, and how many standard errors a slope must be from
// nothing. Days hang together, so the error is that of a third of them.
const (
	weatherDays  = 21
	weatherSpan  = 4.0
	weatherSlope = 3.0
)

// FitWeather fits the model by least squares with outliers held back. ok is
// false where there are too few days, too little change of temperature, or no
// slope that stands out of the scatter.
func FitWeather(series, celsius []float32) (best Weather, ok bool) {
	var y, t []float64
	for i := range min(len(series), len(celsius)) {
		v, c := float64(series[i]), float64(celsius[i])
		if math.Abs(v) < 1e9 && c > -70 && c < 70 {
			y, t = append(y, v), append(t, c)
		}
	}
	sorted := slices.Clone(t)
	slices.Sort(sorted)
	if len(y) < weatherDays || OfSorted(sorted, 0.95)-OfSorted(sorted, 0.05) < weatherSpan {
		return Weather{}, false
	}
	y = held(y)
	for balance := 8.0; balance <= 26; balance++ {
		for _, sign := range [...]float64{-1, 1} {
			if sign < 0 && balance > 20 || sign > 0 && balance < 16 {
				continue
			}
			w, fits := fitSide(y, t, balance, sign)
			if fits && w.Explained > best.Explained {
				best, ok = w, true
			}
		}
	}
	if !ok {
		return Weather{}, false
	}
	best.addOtherSide(y, t)
	best.Days, best.lowest, best.highest = len(y), sorted[0], sorted[len(sorted)-1]
	return best, true
}

// held pulls outliers back to three times as far from the median as one day in
// twenty lies: a season is no outlier, a wrong day is.
func held(y []float64) []float64 {
	low, centre, high := Quantile(y, 0.05), Median(y), Quantile(y, 0.95)
	out := slices.Clone(y)
	for i, v := range out {
		out[i] = min(max(v, centre-3*(centre-low)), centre+3*(high-centre))
	}
	return out
}

// fitSide fits a base and one slope; sign is -1 for heating, 1 for cooling.
func fitSide(y, t []float64, balance, sign float64) (Weather, bool) {
	x := make([]float64, len(t))
	used := 0
	for i, c := range t {
		if x[i] = max(sign*(c-balance), 0); x[i] > 0 {
			used++
		}
	}
	if used < 7 {
		return Weather{}, false
	}
	base, slope, explained, t0 := line(x, y)
	if !(slope > 0) || t0 < weatherSlope {
		return Weather{}, false
	}
	w := Weather{Base: base, HeatBelow: -math.MaxFloat64, CoolAbove: math.MaxFloat64, Explained: explained}
	if sign < 0 {
		w.HeatBelow, w.HeatPerK = balance, slope
	} else {
		w.CoolAbove, w.CoolPerK = balance, slope
	}
	return w, true
}

// addOtherSide fits cooling to what heating leaves, or the other way round.
func (w *Weather) addOtherSide(y, t []float64) {
	sign, from, to := 1.0, max(w.HeatBelow, 16), 26.0
	if w.CoolPerK > 0 {
		sign, from, to = -1, 8, min(w.CoolAbove, 20)
	}
	rest := make([]float64, len(y))
	w.lowest, w.highest = math.Inf(-1), math.Inf(1)
	for i := range y {
		rest[i] = y[i] - w.Part(t[i])
	}
	best := Weather{}
	for balance := math.Ceil(from); balance <= to; balance++ {
		if other, fits := fitSide(rest, t, balance, sign); fits && other.Explained > best.Explained {
			best = other
		}
	}
	if best.Explained == 0 {
		return
	}
	if sign > 0 {
		w.CoolAbove, w.CoolPerK = best.CoolAbove, best.CoolPerK
	} else {
		w.HeatBelow, w.HeatPerK = best.HeatBelow, best.HeatPerK
	}
	w.Base = best.Base
	w.Explained += (1 - w.Explained) * best.Explained
}

// line is the straight line of least squares with its share of the variance
// and its slope over the slope's error.
func line(x, y []float64) (base, slope, explained, t float64) {
	n := float64(len(x))
	mx, my := Mean(x), Mean(y)
	var sxx, sxy, syy float64
	for i := range x {
		sxx += (x[i] - mx) * (x[i] - mx)
		sxy += (x[i] - mx) * (y[i] - my)
		syy += (y[i] - my) * (y[i] - my)
	}
	if sxx <= 0 || syy <= 0 {
		return my, 0, 0, 0
	}
	slope = sxy / sxx
	explained = min(sxy*sxy/(sxx*syy), 1)
	independent := max(n/3-2, 1)
	t = math.Sqrt(explained * independent / max(1-explained, 1e-9))
	if slope < 0 {
		t = -t
	}
	return my - slope*mx, slope, explained, t
}
