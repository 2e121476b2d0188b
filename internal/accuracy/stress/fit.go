package stress

import (
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/plugins/hiddenmining"
)

// folds is how many parts the hosts are split into for cross-validation.
const folds = 4

// calibrationPrior is the base rate at which the cards are calibrated: where
// decisions are taken, not where the sample happens to be.
const calibrationPrior = 0.02

// maxStretch bounds the calibration's slope.
const maxStretch = 1.15

// Directions returns the rows of a card: those of the days alone, or all.
func Directions(curves bool) []accuracy.Direction {
	raw := []hiddenmining.Factor{
		hiddenmining.HourlySignificance, hiddenmining.HourlyEven, hiddenmining.OnsetEdge, hiddenmining.NotchDepth,
		hiddenmining.NotchRegular, hiddenmining.DropRate, hiddenmining.DropSize, hiddenmining.LotUnits,
		hiddenmining.EnvelopeEven, hiddenmining.EnvelopeTight,
	}
	var out []accuracy.Direction
	for _, d := range accuracy.Directions() {
		if curves || !slices.Contains(raw, d.Factor) {
			out = append(out, d)
		}
	}
	return out
}

// Standing says whether a card looks for mines that ran before the first day,
// or for those that began within the window.
type Standing bool

// takes reports whether a sample is one that the card is trained on: the
// innocent, and mines of its kind.
func (st Standing) takes(s *Sample) bool { return !s.Mine || (s.Truth.FromDay == 0) == bool(st) }

// Fit trains the card of a class, scores every sample by a card that has not
// seen its host, and calibrates the card by those scores, which it returns
// calibrated too, aligned with samples and NaN for those of other classes.
func Fit(samples []Sample, class hiddenmining.Class, standing Standing, curves bool, ridge float64) (hiddenmining.Card, []float64) {
	directions := Directions(curves)
	scores := make([]float64, len(samples))
	for i := range scores {
		scores[i] = math.NaN()
	}
	pick := func(keep func(host int) bool) []accuracy.Example {
		var out []accuracy.Example
		for i := range samples {
			if samples[i].Class == class && standing.takes(&samples[i]) && keep(samples[i].Host) {
				out = append(out, samples[i].Example)
			}
		}
		return out
	}
	for fold := range folds {
		card := accuracy.Train(pick(func(h int) bool { return h%folds != fold }), directions, ridge)
		for i := range samples {
			if samples[i].Class == class && samples[i].Host%folds == fold {
				scores[i] = card.Score(samples[i].Factors)
			}
		}
	}
	card := accuracy.Train(pick(func(int) bool { return true }), directions, ridge)
	limit := 1.0 // few hosts are behind the cards of others: these are not stretched
	if class == hiddenmining.Homes {
		limit = maxStretch
	}
	offset, slope := calibrate(samples, scores, standing)
	slope = min(slope, limit)
	card.Base = round(offset + slope*card.Base)
	for r := range card.Rows {
		for k := range card.Rows[r].LogOdds {
			card.Rows[r].LogOdds[k] = round(slope * card.Rows[r].LogOdds[k])
		}
	}
	for i := range scores {
		scores[i] = offset + slope*scores[i]
	}
	return card, scores
}

func round(x float64) float64 { return math.Round(x*1000) / 1000 }

// calibrate fits the truth on the scores at the calibration prior and returns
// offset and slope of the log-likelihood ratio. Bounded rows say too little when
// many of them agree, so that a score may be stretched, but not far.
func calibrate(samples []Sample, scores []float64, standing Standing) (offset, slope float64) {
	total := map[bool]float64{}
	for i := range samples {
		if !math.IsNaN(scores[i]) && standing.takes(&samples[i]) {
			total[samples[i].Mine] += samples[i].Weight
		}
	}
	prior := map[bool]float64{true: calibrationPrior, false: 1 - calibrationPrior}
	base := math.Log(calibrationPrior / (1 - calibrationPrior))
	a, k := 0.0, 1.0
	for range 100 {
		var g0, g1, h00, h01, h11 float64
		for i := range samples {
			if math.IsNaN(scores[i]) || !standing.takes(&samples[i]) {
				continue
			}
			w, y := samples[i].Weight/total[samples[i].Mine]*prior[samples[i].Mine], 0.0
			if samples[i].Mine {
				y = 1
			}
			p := 1 / (1 + math.Exp(-base-a-k*scores[i]))
			g0, g1 = g0+w*(y-p), g1+w*(y-p)*scores[i]
			v := w * p * (1 - p)
			h00, h01, h11 = h00+v, h01+v*scores[i], h11+v*scores[i]*scores[i]
		}
		det := h00*h11 - h01*h01 + 1e-15
		da, dk := (h11*g0-h01*g1)/det, (h00*g1-h01*g0)/det
		limit := max(math.Abs(da), math.Abs(dk), 1)
		a, k = a+da/limit, k+dk/limit
	}
	return a, k
}
