package topology

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/balance"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

const (
	minReferences = 2    // neighbours of which a phase's reference is made
	minHours      = 24.0 // of voltage, beyond which correlation says something
	// persistence is how many intervals of a differenced voltage count as one.
	persistence   = 4.0
	maxPhaseHours = 60.0 // independent intervals that count at the most
	phaseSpread   = 0.15 // of correlations within a phase, as Fisher's z
	wrongPhase    = 0.03 // entries of a registry that name the wrong phase
	maxVoltOdds   = 6.0
	maxOdds       = 12.0
)

var phaseNames = [...]string{"A", "B", "C"}

// series is a voltage at a meter, in differences from interval to interval.
type series struct {
	subject int
	phase   int // by the records: 0, 1, 2, or 3 for one phase unknown which
	v       []float64
}

// compareVoltages compares each member's voltage with those of the neighbours:
// members of a phase of a transformer share the drop in it, beyond what the
// whole feeder shares. What the feeder shares, the mean of the three phases,
// is taken off first.
func compareVoltages(w *sdk.Window, opinions []opinion) {
	all := voltages(w)
	if len(all) < minReferences+1 {
		return
	}
	references, full := phaseReferences(all, -1)
	if !full {
		return
	}
	correlations := make([][3]float64, len(all))
	var own []float64
	for i := range all {
		s := &all[i]
		without := references
		if s.phase < 3 {
			if alone, ok := phaseReferences(all, i); ok {
				without = alone
			} else {
				continue
			}
		}
		correlations[i] = without.correlate(s.v)
		best, _ := highest(correlations[i])
		own = append(own, correlations[i][best])
	}
	usual := robust.Median(own)
	hours := independent(all)
	for i := range all {
		if w.Subjects[all[i].subject].Kind == sdk.Transformer || correlations[i] == [3]float64{} {
			continue
		}
		opinions[all[i].subject].hear(&all[i], correlations[i], usual, hours)
	}
}

func independent(all []series) float64 {
	n := 0
	for _, v := range all[0].v {
		if !math.IsNaN(v) {
			n++
		}
	}
	return min(float64(n)/persistence, maxPhaseHours)
}

// hear takes what one voltage says of its meter.
func (o *opinion) hear(s *series, correlation [3]float64, usual, hours float64) {
	if hours*persistence < minHours {
		return
	}
	best, second := highest(correlation)
	follows := correlation[best]
	if o.judged && o.usual > 0 && o.follows >= follows {
		return // another phase of the same meter speaks for it
	}
	o.follows, o.usual = follows, usual
	z, zUsual := math.Atanh(bounded(follows)), math.Atanh(bounded(usual))
	spread := math.Hypot(1/math.Sqrt(max(hours-3, 1)), phaseSpread)
	if usual > 0.3 { // else nobody's voltage tells where it is from
		here := -(min(z, zUsual) - zUsual) * (min(z, zUsual) - zUsual) / (2 * (spread*spread + 0.04*zUsual*zUsual))
		elsewhere := -max(z, 0) * max(z, 0) / (2 * spread * spread)
		o.mapping = min(max(o.mapping+min(max(elsewhere-here, -maxVoltOdds), maxVoltOdds), -maxOdds), maxOdds)
		o.judged = true
	}
	if s.phase > 2 {
		return
	}
	o.shown, o.phase = s.phase, best
	prior := [3]float64{wrongPhase / 2, wrongPhase / 2, wrongPhase / 2}
	prior[s.phase] = 1 - wrongPhase
	total := 0.0
	like := [3]float64{}
	for p := range like {
		rho := max(bounded(correlation[p]), 0)
		like[p] = math.Log(prior[p]) - hours/2*math.Log(1-rho*rho)
	}
	top := max(like[0], like[1], like[2])
	for p := range like {
		total += math.Exp(like[p] - top)
	}
	o.rephase = 1 - math.Exp(like[s.phase]-top)/total
	if correlation[best]-correlation[second] < 0.1 || follows < 0.3 {
		o.rephase = min(o.rephase, 0.5) // no phase stands out
	}
}

func bounded(r float64) float64 {
	if math.IsNaN(r) {
		return 0
	}
	return min(max(r, -0.99), 0.99)
}

func highest(c [3]float64) (best, second int) {
	second = -1
	for p := range c {
		switch {
		case c[p] > c[best]:
			best, second = p, best
		case p != best && (second < 0 || c[p] > c[second]):
			second = p
		}
	}
	return best, second
}

// voltages lists the voltages of the window: one of a single-phase meter, by
// whatever name it gives it, on the phase of the records; three of others.
func voltages(w *sdk.Window) []series {
	perDay := 48
	for i := range w.Curves {
		if s := w.Curves[i].IntervalSeconds; s > 0 && len(w.Curves[i].Columns) > 0 {
			perDay = min(perDay, max(86400/s, 1))
		}
	}
	var out []series
	for i := range w.Curves {
		var columns [3][]float64
		have := 0
		for p, q := range [...]meter.Quantity{meter.VoltageA, meter.VoltageB, meter.VoltageC} {
			v := balance.Resample(&w.Curves[i], q, w.Days, perDay, false)
			if len(robust.Finite(v)) >= len(v)/2 && robust.Median(v) > 1 {
				columns[p] = differences(v)
				have++
			}
		}
		recorded := 3
		for p, name := range phaseNames {
			if w.Subjects[i].Text(sdk.AttrPhase) == name {
				recorded = p
			}
		}
		for p, v := range columns {
			switch {
			case v == nil:
			case have == 1:
				out = append(out, series{i, recorded, v})
			default:
				out = append(out, series{i, p, v})
			}
		}
	}
	return out
}

func differences(v []float64) []float64 {
	out := make([]float64, len(v))
	out[0] = math.NaN()
	for t := 1; t < len(v); t++ {
		out[t] = v[t] - v[t-1]
	}
	return out
}

// phases holds what the meters of each phase show in the middle, and what is
// common to all three.
type phases struct {
	reference [3][]float64
	common    []float64
}

// phaseReferences takes the medians over the meters of each phase but one.
// ok is false where a phase has too few.
func phaseReferences(all []series, without int) (phases, bool) {
	var out phases
	n := len(all[0].v)
	for p := range out.reference {
		var list [][]float64
		for i := range all {
			if i != without && all[i].phase == p && (without < 0 || all[i].subject != all[without].subject) {
				list = append(list, all[i].v)
			}
		}
		if len(list) < minReferences {
			return out, false
		}
		out.reference[p] = make([]float64, n)
		row := make([]float64, 0, len(list))
		for t := range n {
			row = row[:0]
			for _, v := range list {
				row = append(row, v[t])
			}
			out.reference[p][t] = robust.Median(row)
		}
	}
	out.common = make([]float64, n)
	for t := range n {
		out.common[t] = (out.reference[0][t] + out.reference[1][t] + out.reference[2][t]) / 3
	}
	return out, true
}

// correlate correlates a voltage with each phase's reference beyond what all
// phases have in common.
func (p *phases) correlate(v []float64) [3]float64 {
	var out [3]float64
	x, y := make([]float64, len(v)), make([]float64, len(v))
	for k := range out {
		for t := range v {
			x[t], y[t] = v[t]-p.common[t], p.reference[k][t]-p.common[t]
		}
		if out[k] = robust.Correlation(x, y); math.IsNaN(out[k]) {
			out[k] = 0
		}
	}
	return out
}
