package accuracy

import (
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/hiddenmining"
)

// Example is one measured subject to learn from.
type Example struct {
	Factors map[hiddenmining.Factor]float64
	Mine    bool
	Weight  float64
}

// Direction says how a factor may act: 1 more is more suspicious, -1 less, 0 free.
type Direction struct {
	Factor hiddenmining.Factor
	Sign   int
}

// Train fits a score card by penalised logistic regression: each factor acts
// through a piecewise linear function, monotone where its direction says so.
// Mines and the rest carry equal weight in total, so that the score is a
// log-likelihood ratio and takes any prior.
func Train(examples []Example, directions []Direction, ridge float64) hiddenmining.Card {
	basis := make([][]float64, len(directions)) // knots
	always := make([]bool, len(directions))
	for j, d := range directions {
		basis[j] = knots(examples, d.Factor)
		always[j] = measuredShare(examples, d.Factor) > 0.98
	}
	// Parameters: intercept, then per factor the value at the first knot and
	// the increments from knot to knot.
	offset, size := make([]int, len(directions)), 1
	for j := range directions {
		offset[j] = size
		size += len(basis[j])
	}
	rows := make([][]float64, len(examples))
	total := [2]float64{}
	for i, e := range examples {
		x := make([]float64, size)
		x[0] = 1
		for j, d := range directions {
			if v, ok := e.Factors[d.Factor]; ok && !math.IsNaN(v) && len(basis[j]) > 1 {
				fill(x[offset[j]:offset[j]+len(basis[j])], basis[j], v)
				if always[j] { // that it was measured says nothing
					x[offset[j]] = 0
				}
			}
		}
		rows[i] = x
		total[index(e.Mine)] += e.Weight
	}
	beta := descend(examples, rows, total, directions, offset, basis, size, ridge)
	card := hiddenmining.Card{Base: round(beta[0])}
	for j, d := range directions {
		if len(basis[j]) < 2 {
			continue
		}
		row := hiddenmining.Row{Factor: d.Factor}
		sum := 0.0
		for k, knot := range basis[j] {
			sum += beta[offset[j]+k]
			row.Knots = append(row.Knots, round(knot))
			row.LogOdds = append(row.LogOdds, round(sum))
		}
		if always[j] {
			card.Base = round(card.Base + centre(&row, examples))
		}
		card.Rows = append(card.Rows, row)
	}
	return card
}

func measuredShare(examples []Example, f hiddenmining.Factor) float64 {
	n := 0.0
	for _, e := range examples {
		if v, ok := e.Factors[f]; ok && !math.IsNaN(v) {
			n++
		}
	}
	return n / float64(len(examples))
}

// centre moves a row so that the median of what is no mine weighs nothing, and
// returns what the base has to take over.
func centre(row *hiddenmining.Row, examples []Example) float64 {
	var v []float64
	for _, e := range examples {
		if x := e.Factors[row.Factor]; !e.Mine && !math.IsNaN(x) {
			v = append(v, x)
		}
	}
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	usual := row.At(v[len(v)/2])
	for k := range row.LogOdds {
		row.LogOdds[k] = round(row.LogOdds[k] - usual)
	}
	return usual
}

func index(mine bool) int {
	if mine {
		return 1
	}
	return 0
}

func round(x float64) float64 { return math.Round(x*1000) / 1000 }

// knots places the knots at quantiles of what was measured.
func knots(examples []Example, f hiddenmining.Factor) []float64 {
	var v []float64
	for _, e := range examples {
		if x, ok := e.Factors[f]; ok && !math.IsNaN(x) {
			v = append(v, x)
		}
	}
	slices.Sort(v)
	var out []float64
	if len(v) < 20 {
		return nil
	}
	for _, q := range []float64{0.03, 0.2, 0.4, 0.6, 0.8, 0.97} {
		x := round(v[int(q*float64(len(v)-1))])
		if len(out) == 0 || x > out[len(out)-1]+0.02 {
			out = append(out, x)
		}
	}
	return out
}

// fill writes the cumulative basis of v: 1, then how far each stretch between
// knots has been walked, 0 … 1.
func fill(x, knots []float64, v float64) {
	x[0] = 1
	for k := 1; k < len(knots); k++ {
		x[k] = min(max((v-knots[k-1])/(knots[k]-knots[k-1]), 0), 1)
	}
}

// Caps of what one row may say, log-odds. No row can open a case by itself at
// a prior of one in a hundred; the leading ones come close.
// What the records say, and what no real meter has taught us, says least.
const (
	rowCap    = 2.0
	leadCap   = 4.0
	recordCap = 1.0
)

func capOf(f hiddenmining.Factor) float64 {
	switch f {
	case hiddenmining.StepSignificance, hiddenmining.BaseHome:
		return leadCap
	case hiddenmining.ContractBase, hiddenmining.ContractPeak, hiddenmining.NightExpected, hiddenmining.NightDay,
		hiddenmining.PowerFactor, hiddenmining.Distortion, hiddenmining.LotUnits:
		return recordCap
	}
	return rowCap
}

// hold shrinks a row whose log-odds leave its cap.
func hold(row []float64, limit float64) {
	sum, most := 0.0, 0.0
	for _, b := range row {
		sum += b
		most = max(most, math.Abs(sum))
	}
	if most > limit {
		for k := range row {
			row[k] *= limit / most
		}
	}
}

// descend minimises the weighted logistic loss with a ridge on the increments,
// by Adam with the sign constraints projected at each step.
func descend(examples []Example, rows [][]float64, total [2]float64, directions []Direction, offset []int, basis [][]float64, size int, ridge float64) []float64 {
	beta, m, v := make([]float64, size), make([]float64, size), make([]float64, size)
	grad := make([]float64, size)
	for iteration := 1; iteration <= 1000; iteration++ {
		clear(grad)
		for i, e := range examples {
			z := 0.0
			for k, x := range rows[i] {
				z += beta[k] * x
			}
			want := float64(index(e.Mine))
			g := e.Weight / total[index(e.Mine)] * (1/(1+math.Exp(-z)) - want)
			for k, x := range rows[i] {
				grad[k] += g * x
			}
		}
		rate := 0.05 * math.Min(1, 3*(1-float64(iteration)/1070))
		for k := range beta {
			if k > 0 {
				grad[k] += ridge * beta[k]
			}
			m[k] = 0.9*m[k] + 0.1*grad[k]
			v[k] = 0.995*v[k] + 0.005*grad[k]*grad[k]
			mh := m[k] / (1 - math.Pow(0.9, float64(iteration)))
			vh := v[k] / (1 - math.Pow(0.995, float64(iteration)))
			beta[k] -= rate * mh / (math.Sqrt(vh) + 1e-8)
		}
		for j, d := range directions {
			for k := 1; k < len(basis[j]); k++ {
				if b := &beta[offset[j]+k]; *b*float64(d.Sign) < 0 {
					*b = 0
				}
			}
			hold(beta[offset[j]:offset[j]+len(basis[j])], capOf(d.Factor))
		}
	}
	return beta
}
