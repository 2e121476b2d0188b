package accuracy

import (
	"math"
	"slices"
)

// Forecast is a probability that was given, what came of it, and how much it
// counts.
type Forecast struct {
	P      float64
	True   bool
	Weight float64
}

// AtPrior weighs forecasts so that the true ones make up the prior, as they do
// where the forecasts are meant for: a benchmark holds far more of them.
func AtPrior(forecasts []Forecast, prior float64) []Forecast {
	positives, negatives := 0.0, 0.0
	for _, f := range forecasts {
		if f.True {
			positives += f.Weight
		} else {
			negatives += f.Weight
		}
	}
	out := slices.Clone(forecasts)
	for i := range out {
		if out[i].True {
			out[i].Weight *= prior / positives
		} else {
			out[i].Weight *= (1 - prior) / negatives
		}
	}
	return out
}

// BrierSkill is how much smaller the mean squared error of the forecasts is
// than that of the base rate: 1 is perfect, 0 no better than the base rate.
func BrierSkill(forecasts []Forecast) float64 {
	sum, weight, positives := 0.0, 0.0, 0.0
	for _, f := range forecasts {
		e := f.P - outcome(f.True)
		sum += f.Weight * e * e
		weight += f.Weight
		positives += f.Weight * outcome(f.True)
	}
	base := positives / weight
	return 1 - sum/weight/(base*(1-base))
}

func outcome(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// logitBound keeps certainties finite: one in a million.
const logitBound = 1e-6

func logit(p float64) float64 {
	p = min(max(p, logitBound), 1-logitBound)
	return math.Log(p / (1 - p))
}

// CalibrationLine fits outcome on logit(P) by weighted logistic regression:
// intercept 0 and slope 1 are well calibrated; a slope below 1 is
// overconfidence.
func CalibrationLine(forecasts []Forecast) (intercept, slope float64) {
	slope = 1
	total := 0.0
	for _, f := range forecasts {
		total += f.Weight
	}
	for range 100 {
		var g0, g1, h00, h01, h11 float64
		for _, f := range forecasts {
			x, w := logit(f.P), f.Weight/total
			p := 1 / (1 + math.Exp(-intercept-slope*x))
			g0 += w * (outcome(f.True) - p)
			g1 += w * (outcome(f.True) - p) * x
			v := w * p * (1 - p)
			h00, h01, h11 = h00+v, h01+v*x, h11+v*x*x
		}
		det := h00*h11 - h01*h01
		if !(det > 1e-300) {
			return math.NaN(), math.NaN()
		}
		d0, d1 := (h11*g0-h01*g1)/det, (h00*g1-h01*g0)/det
		// Steps are bounded, so that what can be told apart entirely goes to a
		// steep line instead of to nothing.
		d0, d1 = min(max(d0, -2), 2), min(max(d1, -.5), .5)
		intercept, slope = intercept+d0, slope+d1
		if math.Abs(d0)+math.Abs(d1) < 1e-10 {
			break
		}
	}
	return intercept, slope
}

// Bin is a row of a reliability table.
type Bin struct {
	Low, High float64 // of the forecast, Low inclusive
	Mean      float64 // forecast
	Share     float64 // of the true ones
	Weight    float64 // of all in the bin, as a share of all
	Count     int
}

// Reliability bins forecasts between the given limits, the first 0, the last 1.
func Reliability(forecasts []Forecast, limits []float64) []Bin {
	var out []Bin
	total := 0.0
	for _, f := range forecasts {
		total += f.Weight
	}
	for k := range limits[1:] {
		b := Bin{Low: limits[k], High: limits[k+1]}
		for _, f := range forecasts {
			if f.P >= b.Low && (f.P < b.High || b.High == 1 && f.P == 1) {
				b.Mean += f.Weight * f.P
				b.Share += f.Weight * outcome(f.True)
				b.Weight += f.Weight
				b.Count++
			}
		}
		b.Mean, b.Share, b.Weight = b.Mean/b.Weight, b.Share/b.Weight, b.Weight/total
		out = append(out, b)
	}
	return out
}
