package balance

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Model is a difference explained by terms: the posterior of the coefficients
// given their priors, under noise whose size and persistence are measured.
type Model struct {
	Terms        []Term
	Coefficients []float64
	Residual     []float64 // what is left, NaN where nothing was measured
	Scale        float64   // standard deviation of what is left, kW
	Persistence  float64   // how many successive intervals count as one
	N            float64   // independent intervals

	y       []float64
	weight  []float64
	inverse [][]float64 // of the posterior precision
	perDay  int
	floor   float64 // of Scale
}

const (
	outlier        = 3.0    // where a residual starts to be bounded, in standard deviations
	minScale       = 1e-3   // kW; registers count watt-hours
	minShare       = 0.0005 // of the input: no meter is better than that
	longestHours   = 12     // of persistence
	shortestBlocks = 1.5
	refits         = 4
)

// Explain fits the difference y by the terms. Intervals in which members' loads
// were filled in weigh less, and so do odd ones. before is a model of the same
// difference whose terms are the first of these, to start from; nil for none.
func Explain(a *Area, y []float64, terms []Term, before *Model) *Model {
	m := &Model{
		Terms: terms, Coefficients: make([]float64, len(terms)), Residual: make([]float64, len(y)),
		y: y, weight: make([]float64, len(y)), perDay: a.PerDay, Persistence: shortestBlocks, floor: minScale,
	}
	if in := a.MeanInput(); minShare*in > m.floor {
		m.floor = minShare * in
	}
	for j, t := range terms {
		m.Coefficients[j] = t.Expect
	}
	rounds := refits
	if before != nil && len(before.Coefficients) <= len(terms) {
		copy(m.Coefficients, before.Coefficients)
		rounds = refits / 2
	}
	for range rounds {
		m.measure(a)
		if m.N < 3 {
			return m
		}
		m.solve()
	}
	m.measure(a)
	m.solve()
	return m
}

// measure computes residuals, scale, weights and persistence.
func (m *Model) measure(a *Area) {
	copy(m.Residual, m.y)
	for j, term := range m.Terms {
		if c := m.Coefficients[j]; c != 0 {
			for t, x := range term.X {
				m.Residual[t] -= c * x
			}
		}
	}
	usable := make([]float64, 0, len(m.y))
	for t, r := range m.Residual {
		if m.weight[t] = 0; !math.IsNaN(r) {
			m.weight[t] = 1
			usable = append(usable, r)
		}
	}
	m.Scale = max(math.Hypot(robust.MAD(usable), robust.Median(usable)), m.floor)
	if math.IsNaN(m.Scale) {
		m.Scale = m.floor
	}
	sum, square := 0.0, 0.0
	for t, r := range m.Residual {
		if m.weight[t] == 0 {
			continue
		}
		spread := a.Spread[t] / m.Scale
		m.weight[t] = 1 / (1 + spread*spread)
		if z := math.Abs(r) / m.Scale * math.Sqrt(m.weight[t]); z > outlier {
			m.weight[t] *= outlier / z
		}
		sum += m.weight[t]
		square += m.weight[t] * r * r
	}
	if sum > 0 {
		m.Scale = max(math.Sqrt(square/sum), m.floor)
	}
	m.Persistence = m.persistence(a.PerDay)
	m.N = sum / m.Persistence
}

// persistence is one and twice the sum of the correlations of the residual
// with itself so many intervals before, as far as they are material.
func (m *Model) persistence(perDay int) float64 {
	longest := max(longestHours*perDay/24, 1)
	total := 1.0
	for lag := 1; lag <= longest; lag++ {
		cross, square := 0.0, 0.0
		for t := lag; t < len(m.Residual); t++ {
			if w := m.weight[t] * m.weight[t-lag]; w > 0 {
				cross += w * m.Residual[t] * m.Residual[t-lag]
				square += w * m.Residual[t] * m.Residual[t]
			}
		}
		if !(square > 0) || cross/square < 0.05 {
			break
		}
		total += 2 * cross / square
	}
	return min(max(total, shortestBlocks), float64(max(longest, 2)))
}

// solve computes the posterior of the coefficients.
func (m *Model) solve() {
	p := len(m.Terms)
	precision, b := make([][]float64, p), make([]float64, p)
	unit := 1 / (m.Scale * m.Scale * m.Persistence)
	for j := range p {
		precision[j] = make([]float64, p)
	}
	scaled, at := make([]float64, 0, len(m.y)), make([]int, 0, len(m.y))
	for j, term := range m.Terms {
		scaled, at = scaled[:0], at[:0]
		for t, x := range term.X {
			if m.weight[t] > 0 && x != 0 {
				s := unit * m.weight[t] * x
				scaled, at = append(scaled, s), append(at, t)
				b[j] += s * m.y[t]
			}
		}
		for k := range j + 1 {
			other, sum := m.Terms[k].X, 0.0
			for i, s := range scaled {
				sum += s * other[at[i]]
			}
			precision[j][k], precision[k][j] = sum, sum
		}
		s := 1 / (term.Spread * term.Spread)
		precision[j][j] += s
		b[j] += s * term.Expect
	}
	inverse := invert(precision)
	if inverse == nil {
		return
	}
	m.inverse = inverse
	for j := range p {
		m.Coefficients[j] = dot(inverse[j], b)
	}
}

// Uncertainty is the standard deviation of coefficient j given the data.
func (m *Model) Uncertainty(j int) float64 {
	if m.inverse == nil {
		return math.Inf(1)
	}
	return math.Sqrt(max(m.inverse[j][j], 0))
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// invert returns the inverse of a symmetric positive definite matrix, nil
// where it is none. Cholesky, then the triangular inverse.
func invert(a [][]float64) [][]float64 {
	n := len(a)
	l := make([][]float64, n)
	for i := range n {
		l[i] = make([]float64, n)
		for j := range i + 1 {
			sum := a[i][j] - dot(l[i][:j], l[j][:j])
			if i == j {
				if !(sum > 1e-18*a[i][i]) || math.IsInf(sum, 0) {
					return nil
				}
				l[i][i] = math.Sqrt(sum)
			} else {
				l[i][j] = sum / l[j][j]
			}
		}
	}
	inverse := make([][]float64, n) // of l, transposed: row j holds column j
	for j := range n {
		inverse[j] = make([]float64, n)
		inverse[j][j] = 1 / l[j][j]
		for i := j + 1; i < n; i++ {
			inverse[j][i] = -dot(l[i][j:i], inverse[j][j:i]) / l[i][i]
		}
	}
	out := make([][]float64, n)
	for i := range n {
		out[i] = make([]float64, n)
		for j := range i + 1 {
			out[i][j] = dot(inverse[i][i:], inverse[j][i:])
			out[j][i] = out[i][j]
		}
	}
	return out
}
