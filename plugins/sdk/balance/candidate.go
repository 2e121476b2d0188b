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
	scaled, at := make([]float64, 0, end-start), make([]int, 0, end-start)
	for t := start; t < end; t++ {
		if w := m.weight[t]; w > 0 && x[t] != 0 {
			s := unit * w * x[t]
			scaled, at = append(scaled, s), append(at, t)
			*square += s * x[t]
			*fit += s * m.Residual[t]
		}
	}
	for j := range m.Terms {
		other, sum := m.Terms[j].X, 0.0
		for i, s := range scaled {
			sum += s * other[at[i]]
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

// ByDay measures the coefficient of a term that holds from a day on with an
// error that takes each day as one: what is left over may persist through a
// day and be gone on the next, as a pump's load is, which the persistence of
// the whole does not show.
func (m *Model) ByDay(x []float64, from int) Estimate {
	e := m.Since(x, []int{from})[0]
	if !e.Known() {
		return e
	}
	start := from * m.perDay
	unit := 1 / (m.Scale * m.Scale * m.Persistence)
	cross := make([]float64, len(m.Terms))
	var square, fit float64
	m.add(x, start, len(x), unit, cross, &square, &fit)
	left := append([]float64(nil), x...) // of x when the other terms have taken theirs
	for t := range start {
		left[t] = 0
	}
	for j, row := range m.inverse {
		if c := dot(row, cross); c != 0 {
			for t, v := range m.Terms[j].X {
				left[t] -= c * v
			}
		}
	}
	information, variance, days := 0.0, 0.0, 0.0
	for day := 0; day+m.perDay <= len(left); day += m.perDay {
		score, seen := 0.0, false
		for t := day; t < day+m.perDay; t++ {
			if w := m.weight[t]; w > 0 {
				information += w * left[t] * left[t]
				score += w * left[t] * (m.Residual[t] - e.Size*left[t])
				seen = true
			}
		}
		variance += score * score
		if seen && day >= start {
			days++
		}
	}
	if !(information > 0) || days < 3 {
		return Estimate{Err: math.Inf(1)}
	}
	e.Err = max(e.Err, math.Sqrt(variance)/information)
	e.Fit = min(e.Fit, days/2*math.Log(1+e.Size*e.Size/(e.Err*e.Err)/days))
	return e
}

// Together is the log-likelihood gained by several terms at once, each with
// its prior: by how much the evidence of the model with them exceeds that of
// the model without. sizes are their coefficients then; priors that expect
// something other than nothing count with their spread only.
func (m *Model) Together(terms []Term) (gain float64, sizes []float64) {
	k := len(terms)
	sizes = make([]float64, k)
	if m.inverse == nil || k == 0 {
		return 0, sizes
	}
	unit := 1 / (m.Scale * m.Scale * m.Persistence)
	cross, left, b := make([][]float64, k), make([][]float64, k), make([]float64, k)
	for i, term := range terms {
		cross[i], left[i] = make([]float64, len(m.Terms)), make([]float64, k)
		var square float64
		m.add(term.X, 0, len(term.X), unit, cross[i], &square, &b[i])
		for t, x := range term.X {
			if x == 0 || m.weight[t] == 0 {
				continue
			}
			for j := range i + 1 {
				left[i][j] += unit * m.weight[t] * x * terms[j].X[t]
			}
		}
	}
	logSpread := 0.0
	by := make([]float64, len(m.Terms))
	for i := range k {
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
		return 0, sizes
	}
	q := 0.0
	for i := range k {
		sizes[i] = dot(inverse[i], b)
		q += b[i] * sizes[i]
	}
	q = min(q/m.N, 0.999)
	return -m.N/2*math.Log(1-q) - logDeterminant(left)/2 - logSpread + math.Log(1-q)*float64(k)/2, sizes
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
