package hiddenmining

import "math"

// Row is one row of a score card: the log-odds that a factor's value adds,
// linear between its knots and constant beyond them. The card is fitted
// jointly, so that factors which say the same thing share one weight and the
// sum is a log-likelihood ratio.
type Row struct {
	Factor  Factor
	Knots   []float64 // ascending
	LogOdds []float64 // at each knot
}

// At returns the log-odds of a value, 0 where it was not measured.
func (r *Row) At(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	last := len(r.Knots) - 1
	if x <= r.Knots[0] {
		return r.LogOdds[0]
	}
	for i := 1; i <= last; i++ {
		if x <= r.Knots[i] {
			share := (x - r.Knots[i-1]) / (r.Knots[i] - r.Knots[i-1])
			return r.LogOdds[i-1] + share*(r.LogOdds[i]-r.LogOdds[i-1])
		}
	}
	return r.LogOdds[last]
}

// Card is a complete score card. The log-likelihood ratio of a subject is the
// base plus what each row adds.
type Card struct {
	Base float64
	Rows []Row
}

// Score returns the log-likelihood ratio of abnormal use.
func (c *Card) Score(factors map[Factor]float64) float64 {
	sum := c.Base
	for i := range c.Rows {
		if v, ok := factors[c.Rows[i].Factor]; ok {
			sum += c.Rows[i].At(v)
		}
	}
	return sum
}
