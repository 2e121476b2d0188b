package risk

import "math"

// Calibration bends a merged risk to what inspections have shown:
//
//	logit risk = logit prior + Intercept + Slope · evidence
//
// where evidence is what the sources add to the log-odds. The zero value
// leaves risks as they are. With a slope above 0 the order of risks stays.
type Calibration struct {
	Intercept float64 `json:"intercept"` // log-odds
	Slope     float64 `json:"slope"`     // 0 stands for 1
}

// CalibrationSource is the source of the contribution that a calibration adds.
const CalibrationSource = "calibration"

// Identity reports whether c leaves risks as they are.
func (c Calibration) Identity() bool { return c.Intercept == 0 && (c.Slope == 0 || c.Slope == 1) }

// Bounds of a calibration: beyond them detectors want mending, not bending.
const (
	MinSlope     = 0.2
	MaxSlope     = 3.0
	MaxIntercept = 4.0
)

// Valid reports whether c lies within the bounds.
func (c Calibration) Valid() bool {
	slope := c.slope()
	return slope >= MinSlope && slope <= MaxSlope && math.Abs(c.Intercept) <= MaxIntercept
}

func (c Calibration) slope() float64 {
	if c.Slope == 0 {
		return 1
	}
	return c.Slope
}

// Calibrate applies c to what Merge returned. The change is a contribution of
// its own, so that the contributions still add up.
func (c Calibration) Calibrate(prior, risk float64, contributions []Contribution) (float64, []Contribution) {
	if c.Identity() {
		return risk, contributions
	}
	prior = min(max(prior, 1e-6), 1-1e-6)
	evidence := logOdds(risk) - logit(prior)
	change := c.Intercept + (c.slope()-1)*evidence
	out := append(contributions[:len(contributions):len(contributions)], Contribution{
		Source: CalibrationSource, LogOdds: change, Text: "what inspections have shown of such risks",
	})
	return 1 / (1 + math.Exp(-(logit(prior) + evidence + change))), out
}

// logOdds is logit, held within what a risk can say.
func logOdds(p float64) float64 { return logit(min(max(p, 1e-12), 1-1e-12)) }
