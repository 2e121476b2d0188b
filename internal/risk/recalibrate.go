package risk

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Labelled is a usage point that was inspected, with the risk that it had when
// it was chosen.
type Labelled struct {
	Risk     float64
	Abnormal bool
	// Drawn marks a point that the lot chose (Draw), whatever its risk; the
	// others were chosen by people who saw the risk, and perhaps more.
	Drawn bool
}

// Fit is what inspections say of the calibration.
type Fit struct {
	Calibration
	InterceptError float64 `json:"intercept_error"` // standard errors
	SlopeError     float64 `json:"slope_error"`
	// Choice is how much likelier, in log-odds, abnormal use is where people
	// chose the point than where the lot would have chosen one of that risk:
	// the bias that is taken out of the calibration.
	Choice      float64 `json:"choice"`
	ChoiceError float64 `json:"choice_error"`
	Inspected   int     `json:"inspected"` // that went in
	Drawn       int     `json:"drawn"`
	Abnormal    int     `json:"abnormal"`
}

// What Recalibrate needs at the least, and how strongly it holds on to no
// change (standard deviations of normal priors).
const (
	leastDrawn    = 20
	leastAbnormal = 5
	leastNormal   = 5

	interceptSpread = 1.0
	slopeSpread     = 0.5
	choiceSpread    = 2.0
)

// Recalibrate fits
//
//	logit P(abnormal) = logit prior + a + b·evidence + c·chosen
//
// to inspected points by penalised maximum likelihood (logistic recalibration:
// Cox 1958, Platt 1999). Inspections go where suspicion is, so their hit rate
// says little of the others: choice by risk alone does no harm, since the risk
// is in the model; what officers know beyond it would, and is taken up by c,
// which the points chosen by lot identify (chosen is 0 there). Only a and b make
// the Calibration. Normal priors of no change hold a and b where there is
// little to learn from. The error says what is missing.
func Recalibrate(prior float64, labels []Labelled) (*Fit, error) {
	f := &Fit{Inspected: len(labels)}
	for _, l := range labels {
		if l.Drawn {
			f.Drawn++
		}
		if l.Abnormal {
			f.Abnormal++
		}
	}
	switch {
	case f.Drawn < leastDrawn:
		return nil, fmt.Errorf("%d inspections were chosen by lot, %d are the least; without them a hit rate cannot be told from the choice of whom to inspect (gridwarden risk sample)", f.Drawn, leastDrawn)
	case f.Abnormal < leastAbnormal:
		return nil, fmt.Errorf("%d inspections found abnormal use, %d are the least", f.Abnormal, leastAbnormal)
	case f.Inspected-f.Abnormal < leastNormal:
		return nil, fmt.Errorf("%d inspections found nothing, %d are the least", f.Inspected-f.Abnormal, leastNormal)
	}
	theta, covariance, err := fitLogistic(prior, labels)
	if err != nil {
		return nil, err
	}
	spread := func(i int) float64 { return math.Sqrt(max(covariance.At(i, i), 0)) }
	f.Intercept, f.InterceptError = min(max(theta[0], -MaxIntercept), MaxIntercept), spread(0)
	f.Slope, f.SlopeError = min(max(theta[1], MinSlope), MaxSlope), spread(1)
	f.Choice, f.ChoiceError = theta[2], spread(2)
	return f, nil
}

// fitLogistic finds the mode of the posterior by Newton's method, with halved
// steps where one overshoots.
func fitLogistic(prior float64, labels []Labelled) ([3]float64, *mat.SymDense, error) {
	base := logit(min(max(prior, 1e-6), 1-1e-6))
	centre := [3]float64{0, 1, 0}
	spread := [3]float64{interceptSpread, slopeSpread, choiceSpread}
	row := func(l *Labelled) [3]float64 {
		x := [3]float64{1, logOdds(l.Risk) - base, 1}
		if l.Drawn {
			x[2] = 0
		}
		return x
	}
	objective := func(theta [3]float64) float64 {
		sum := 0.0
		for i := range labels {
			x := row(&labels[i])
			z := base + theta[0]*x[0] + theta[1]*x[1] + theta[2]*x[2]
			if !labels[i].Abnormal {
				z = -z
			}
			sum -= logOnePlusExp(-z)
		}
		for k := range theta {
			d := (theta[k] - centre[k]) / spread[k]
			sum -= d * d / 2
		}
		return sum
	}
	theta, best := centre, objective(centre)
	covariance := mat.NewSymDense(3, nil)
	for range 100 {
		gradient, hessian := mat.NewVecDense(3, nil), mat.NewSymDense(3, nil)
		for k := range theta {
			gradient.SetVec(k, -(theta[k]-centre[k])/(spread[k]*spread[k]))
			hessian.SetSym(k, k, 1/(spread[k]*spread[k]))
		}
		for i := range labels {
			x := row(&labels[i])
			p := 1 / (1 + math.Exp(-(base + theta[0]*x[0] + theta[1]*x[1] + theta[2]*x[2])))
			y := 0.0
			if labels[i].Abnormal {
				y = 1
			}
			for k := range x {
				gradient.SetVec(k, gradient.AtVec(k)+(y-p)*x[k])
				for m := k; m < len(x); m++ {
					hessian.SetSym(k, m, hessian.At(k, m)+p*(1-p)*x[k]*x[m])
				}
			}
		}
		var cholesky mat.Cholesky
		if !cholesky.Factorize(hessian) {
			return theta, nil, fmt.Errorf("the inspections do not determine a calibration")
		}
		var step mat.VecDense
		if err := cholesky.SolveVecTo(&step, gradient); err != nil {
			return theta, nil, fmt.Errorf("the inspections do not determine a calibration: %w", err)
		}
		if err := cholesky.InverseTo(covariance); err != nil {
			return theta, nil, fmt.Errorf("the inspections do not determine a calibration: %w", err)
		}
		moved, share := false, 1.0
		for range 30 {
			next := theta
			for k := range next {
				next[k] += share * step.AtVec(k)
			}
			if value := objective(next); value > best+1e-12 {
				theta, best, moved = next, value, true
				break
			}
			share /= 2
		}
		if !moved {
			break
		}
	}
	return theta, covariance, nil
}

func logOnePlusExp(z float64) float64 {
	if z > 30 {
		return z
	}
	return math.Log1p(math.Exp(z))
}
