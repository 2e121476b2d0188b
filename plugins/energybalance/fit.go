package energybalance

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// blockHours is how long an error of the balance lasts: successive hours are
// not independent, so that many count as one.
const blockHours = 6

// fitted is a balance explained by terms.
type fitted struct {
	terms        []term
	coefficients []float64
	errors       []float64 // standard errors of the coefficients
	residual     []float64 // what is left, NaN where nothing was measured
	scale        float64   // robust standard deviation of what is left, kW
	loss         float64   // mean absolute residual, kW
	n            float64   // independent intervals
}

// fit explains y by the terms: least squares with the prior of each term,
// reweighted so that odd hours do not decide.
func fit(y []float64, terms []term, perDay int, use func(t int) bool) fitted {
	f := fitted{terms: terms, coefficients: make([]float64, len(terms)), errors: make([]float64, len(terms)), residual: make([]float64, len(y))}
	for j, t := range terms {
		f.coefficients[j] = t.expect
	}
	block := max(blockHours*float64(perDay)/24, 1)
	for range 4 {
		f.measure(y, block, use)
		if f.n < 3 {
			return f
		}
		f.solve(y, block, use)
	}
	f.measure(y, block, use)
	return f
}

// outlier is where a residual starts to be bounded, in standard deviations.
const outlier = 3.0

// measure computes residuals, scale and loss.
func (f *fitted) measure(y []float64, block float64, use func(t int) bool) {
	var used []float64
	for t := range y {
		r := y[t]
		for j := range f.terms {
			r -= f.coefficients[j] * f.terms[j].x[t]
		}
		f.residual[t] = r
		if !math.IsNaN(r) && use(t) {
			used = append(used, r)
		}
	}
	f.n = float64(len(used)) / block
	f.scale = math.Hypot(robust.MAD(used), math.Abs(robust.Median(used)))
	if !(f.scale > 1e-4) {
		f.scale = 1e-4
	}
	f.loss = 0
	for _, r := range used {
		f.loss += math.Abs(r)
	}
	f.loss = f.loss/float64(max(len(used), 1)) + 1e-4
}

// solve takes one reweighted step towards the best coefficients.
func (f *fitted) solve(y []float64, block float64, use func(t int) bool) {
	p := len(f.terms)
	a, b := make([][]float64, p), make([]float64, p)
	for j, t := range f.terms {
		a[j] = make([]float64, p)
		a[j][j] = 1 / (t.spread * t.spread)
		b[j] = t.expect / (t.spread * t.spread)
	}
	for t := range y {
		r := f.residual[t]
		if math.IsNaN(r) || !use(t) {
			continue
		}
		weight := 1 / (f.scale * f.scale * block)
		if z := math.Abs(r) / f.scale; z > outlier {
			weight *= outlier / z
		}
		for j := range p {
			xj := f.terms[j].x[t]
			if xj == 0 {
				continue
			}
			b[j] += weight * xj * y[t]
			for k := range p {
				a[j][k] += weight * xj * f.terms[k].x[t]
			}
		}
	}
	inverse := invert(a)
	if inverse == nil {
		return
	}
	for j := range p {
		sum := 0.0
		for k := range p {
			sum += inverse[j][k] * b[k]
		}
		f.coefficients[j] = sum
		f.errors[j] = math.Sqrt(math.Max(inverse[j][j], 0))
	}
}

// invert returns the inverse of a small symmetric matrix, nil where it is
// singular. Gauss-Jordan with pivoting; there are a dozen terms at the most.
func invert(a [][]float64) [][]float64 {
	n := len(a)
	m := make([][]float64, n)
	for i := range m {
		m[i] = make([]float64, 2*n)
		copy(m[i], a[i])
		m[i][n+i] = 1
	}
	for c := range n {
		pivot := c
		for r := c + 1; r < n; r++ {
			if math.Abs(m[r][c]) > math.Abs(m[pivot][c]) {
				pivot = r
			}
		}
		if math.Abs(m[pivot][c]) < 1e-14 || math.IsNaN(m[pivot][c]) {
			return nil
		}
		m[c], m[pivot] = m[pivot], m[c]
		scale := m[c][c]
		for k := range m[c] {
			m[c][k] /= scale
		}
		for r := range n {
			if factor := m[r][c]; r != c && factor != 0 {
				for k := range m[r] {
					m[r][k] -= factor * m[c][k]
				}
			}
		}
	}
	out := make([][]float64, n)
	for i := range out {
		out[i] = m[i][n:]
	}
	return out
}
