package balance

import "math"

// Estimate is what the data say of one further term before any prior.
type Estimate struct {
	Size float64 // coefficient
	Err  float64 // its standard error, the term taken out of the noise
	// Fit is the log-likelihood that the best coefficient gains.
	Fit float64
}

// Known reports whether the data say anything.
func (e Estimate) Known() bool { return e.Err > 0 && !math.IsInf(e.Err, 0) && !math.IsNaN(e.Size) }

// Gain is the log-likelihood gained by a further term whose coefficient is
// known beforehand to lie about expect with a standard deviation of spread:
// the fit less what the freedom costs.
func (e Estimate) Gain(expect, spread float64) float64 {
	if !e.Known() {
		return math.Inf(-1)
	}
	v := e.Err*e.Err + spread*spread
	return e.Fit - (e.Size-expect)*(e.Size-expect)/(2*v) - math.Log(v/(e.Err*e.Err))/2
}

// Try measures the coefficient of a further term.
func (m *Model) Try(x []float64) Estimate {
	return m.Since(x, []int{0})[0]
}

// Since measures a term that holds from the first interval of a day on, for
// each of several days, which must rise.
func (m *Model) Since(x []float64, days []int) []Estimate {
	out := make([]Estimate, len(days))
	if m.inverse == nil {
		return out
	}
	p := len(m.Terms)
	unit := 1 / (m.Scale * m.Scale * m.Persistence)
	cross := make([]float64, p)
	square, fit := 0.0, 0.0
	end := len(x)
	for k := len(days) - 1; k >= 0; k-- {
		start := min(days[k]*m.perDay, end)
		m.add(x, start, end, unit, cross, &square, &fit)
		end = start
		out[k] = m.estimate(cross, square, fit)
	}
	return out
}

// add sums the products of x with all terms and with the residual over a stretch.
func (m *Model) add(x []float64, start, end int, unit float64, cross []float64, square, fit *float64) {
	scaled := make([]float64, end-start)
	for t := start; t < end; t++ {
		if w := m.weight[t]; w > 0 && x[t] != 0 {
			s := unit * w * x[t]
			scaled[t-start] = s
			*square += s * x[t]
			*fit += s * m.Residual[t]
		}
	}
	for j, term := range m.Terms {
		part, sum := term.X[start:end], 0.0
		for i, s := range scaled {
			if s != 0 {
				sum += s * part[i]
			}
		}
		cross[j] += sum
	}
}

// estimate solves for one coefficient with all the others free to give way.
func (m *Model) estimate(cross []float64, square, fit float64) Estimate {
	taken := 0.0
	for j, row := range m.inverse {
		taken += cross[j] * dot(row, cross)
	}
	left := square - taken
	if !(left > 1e-9*square) || !(square > 0) {
		return Estimate{Err: math.Inf(1)}
	}
	// The residual is that of the posterior mean, to which the priors of the
	// other terms contribute nothing further.
	size := fit / left
	q := min(fit*fit/left/m.N, 0.999)
	return Estimate{Size: size, Err: math.Sqrt((1 - q) / left), Fit: -m.N / 2 * math.Log(1-q)}
}

// Together is the log-likelihood gained by several terms at once, each with
// its prior: by how much the evidence of the model with them exceeds that of
// the model without.
func (m *Model) Together(terms []Term) float64 {
	if m.inverse == nil || len(terms) == 0 {
		return 0
	}
	k := len(terms)
	unit := 1 / (m.Scale * m.Scale * m.Persistence)
	cross := make([][]float64, k)
	left, b := make([][]float64, k), make([]float64, k)
	for i, term := range terms {
		cross[i] = make([]float64, len(m.Terms))
		left[i] = make([]float64, k)
		var square float64
		m.add(term.X, 0, len(term.X), unit, cross[i], &square, &b[i])
		for j := range i + 1 {
			sum := 0.0
			for t, x := range term.X {
				if x != 0 && m.weight[t] > 0 {
					sum += unit * m.weight[t] * x * terms[j].X[t]
				}
			}
			left[i][j] = sum
		}
	}
	logSpread := 0.0
	for i := range k {
		by := make([]float64, len(m.Terms))
		for r, row := range m.inverse {
			by[r] = dot(row, cross[i])
		}
		for j := range i + 1 {
			left[i][j] -= dot(by, cross[j])
			left[j][i] = left[i][j]
		}
		left[i][i] += 1 / (terms[i].Spread * terms[i].Spread)
		logSpread += math.Log(terms[i].Spread)
	}
	inverse := invert(left)
	if inverse == nil {
		return 0
	}
	q := 0.0
	for i := range k {
		q += b[i] * dot(inverse[i], b)
	}
	q = min(q/m.N, 0.999)
	return -m.N/2*math.Log(1-q) - logDeterminant(left)/2 - logSpread + float64(k)*math.Log(1-q)/2
}

// logDeterminant is that of a symmetric positive definite matrix.
func logDeterminant(a [][]float64) float64 {
	n, sum := len(a), 0.0
	l := make([][]float64, n)
	for i := range n {
		l[i] = make([]float64, n)
		for j := range i + 1 {
			v := a[i][j] - dot(l[i][:j], l[j][:j])
			if i == j {
				l[i][i] = math.Sqrt(max(v, 1e-300))
				sum += 2 * math.Log(l[i][i])
			} else {
				l[i][j] = v / l[j][j]
			}
		}
	}
	return sum
}
