package stress

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

// Result is a judged scene, without its curve.
type Result struct {
	Kind, Habit     string
	Big, Home       bool
	Days, Step      int
	Lost            float64
	Electrical, Dry bool // the meter tells power factor; the window no weather
	Truth           accuracy.Truth
	P               float64
}

// Result keeps of a scene what a table needs.
func (s *Scene) Result(p float64) Result {
	return Result{
		Kind: s.Kind, Habit: s.Habit, Big: s.Big, Home: s.DeclaredUse == "dwelling", Days: s.Days, Step: s.StepMinutes,
		Lost: s.Lost, Electrical: s.pf != nil, Dry: !s.Weather, Truth: s.Truth, P: p,
	}
}

// Table renders the results by what may break the detector.
func Table(results []Result) string {
	var b strings.Builder
	mine := func(r *Result) bool { return r.Kind == "mine" }
	small := func(r *Result) bool { return !r.Big }
	big := func(r *Result) bool { return r.Big }
	section(&b, "homes and small businesses", results, small)
	section(&b, "buildings", results, big)
	rows := []struct {
		name string
		keep func(r *Result) bool
	}{
		{"14 days", func(r *Result) bool { return r.Days == 14 }}, {"21 to 30 days", func(r *Result) bool { return r.Days > 14 && r.Days <= 30 }},
		{"45 to 60 days", func(r *Result) bool { return r.Days > 30 && r.Days <= 60 }}, {"92 days", func(r *Result) bool { return r.Days == 92 }},
		{"120 days and more", func(r *Result) bool { return r.Days > 92 }},
		{"15 minutes", func(r *Result) bool { return r.Step == 15 }}, {"30 minutes", func(r *Result) bool { return r.Step == 30 }}, {"60 minutes", func(r *Result) bool { return r.Step == 60 }},
		{"nothing missing", func(r *Result) bool { return r.Lost == 0 }}, {"over 5 % missing", func(r *Result) bool { return r.Lost > 0.05 }},
		{"power factor told", func(r *Result) bool { return r.Electrical }},
		{"weather told", func(r *Result) bool { return !r.Dry }},
	}
	for _, row := range rows {
		section(&b, row.name+", homes", results, func(r *Result) bool { return small(r) && row.keep(r) })
		section(&b, row.name+", buildings", results, func(r *Result) bool { return big(r) && row.keep(r) })
	}
	for _, group := range []struct {
		name string
		keep func(r *Result) bool
	}{{"homes", small}, {"buildings", big}} {
		limit := quantileOfInnocent(results, group.keep)
		fmt.Fprintf(&b, "%s: recall at the score of one innocent in twenty\n ", group.name)
		for _, c := range []struct {
			name string
			keep func(r *Result) bool
		}{
			{"from day 0", func(r *Result) bool { return r.Truth.FromDay == 0 }}, {"begun within", func(r *Result) bool { return r.Truth.FromDay > 0 }},
			{"under 25 %", func(r *Result) bool { return r.Truth.Ratio < 0.25 }}, {"25 to 60 %", func(r *Result) bool { return r.Truth.Ratio >= 0.25 && r.Truth.Ratio < 0.6 }},
			{"60 % and more", func(r *Result) bool { return r.Truth.Ratio >= 0.6 }}, {"in lots", func(r *Result) bool { return r.Truth.Ramps }},
			{"always", func(r *Result) bool { return r.Habit == "always" }}, {"evening", func(r *Result) bool { return r.Habit == "evening" }},
			{"part of the evening", func(r *Result) bool { return r.Habit == "part of the evening" }}, {"nights", func(r *Result) bool { return r.Habit == "nights" }},
			{"curtailed", func(r *Result) bool { return r.Habit == "curtailed" }}, {"unprofitable", func(r *Result) bool { return r.Habit == "unprofitable" }},
		} {
			n, hit := 0.0, 0.0
			for i := range results {
				if r := &results[i]; mine(r) && group.keep(r) && c.keep(r) {
					n++
					if r.P > limit {
						hit++
					}
				}
			}
			fmt.Fprintf(&b, "  %s %.2f (%.0f)", c.name, hit/n, n)
		}
		b.WriteString("\n")
		kinds := append([]string{"none"}, Lookalikes()...)
		fmt.Fprintf(&b, "%s: AUC of mines against, and share above one half\n ", group.name)
		mines := scores(results, func(r *Result) bool { return mine(r) && group.keep(r) })
		for _, kind := range kinds {
			v := scores(results, func(r *Result) bool { return r.Kind == kind && group.keep(r) })
			above := 0.0
			for _, p := range v {
				if p >= 0.5 {
					above++
				}
			}
			fmt.Fprintf(&b, "  %s %.2f %.3f", kind, accuracy.AUC(mines, v), above/float64(len(v)))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func scores(results []Result, keep func(r *Result) bool) []float64 {
	var out []float64
	for i := range results {
		if keep(&results[i]) {
			out = append(out, results[i].P)
		}
	}
	return out
}

// weighted are the innocents with their weights: look-alikes count 8 %.
func weighted(results []Result, keep func(r *Result) bool) (p, weight []float64) {
	none, like := 0.0, 0.0
	for i := range results {
		switch r := &results[i]; {
		case !keep(r) || r.Kind == "mine":
		case r.Kind == "none":
			none++
		default:
			like++
		}
	}
	for i := range results {
		switch r := &results[i]; {
		case !keep(r) || r.Kind == "mine":
		case r.Kind == "none":
			p, weight = append(p, r.P), append(weight, 0.92/none)
		default:
			p, weight = append(p, r.P), append(weight, 0.08/like)
		}
	}
	return p, weight
}

func quantileOfInnocent(results []Result, keep func(r *Result) bool) float64 {
	p, weight := weighted(results, keep)
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool { return p[order[a]] > p[order[b]] })
	sum := 0.0
	for _, i := range order {
		if sum += weight[i]; sum >= 0.05 {
			return p[i]
		}
	}
	return 0
}

// section prints AUC, recall and the Brier skill of one group.
func section(b *strings.Builder, name string, results []Result, keep func(r *Result) bool) {
	mines := scores(results, func(r *Result) bool { return r.Kind == "mine" && keep(r) })
	p, weight := weighted(results, keep)
	likes := scores(results, func(r *Result) bool { return r.Kind != "mine" && r.Kind != "none" && keep(r) })
	none := scores(results, func(r *Result) bool { return r.Kind == "none" && keep(r) })
	if len(mines) == 0 || len(p) == 0 {
		return
	}
	auc := 0.0
	for i := range p {
		auc += weight[i] * accuracy.AUC(mines, p[i:i+1])
	}
	limit := quantileOfInnocent(results, keep)
	recall, caught := 0.0, 0.0
	for _, x := range mines {
		if x > limit {
			recall++
		}
		if x >= 0.5 {
			caught++
		}
	}
	above := 0
	for _, x := range none {
		if x >= 0.5 {
			above++
		}
	}
	slope, skill := calibration(mines, p, weight, 0.01)
	fmt.Fprintf(b, "%-34s AUC %.3f  against look-alikes %.3f  recall at 1 in 20 %.2f  above ½: mines %.2f, untouched %d of %d  slope %.2f  skill %.2f\n",
		name, auc, accuracy.AUC(mines, likes), recall/float64(len(mines)), caught/float64(len(mines)), above, len(none), slope, skill)
}

// calibration is the slope of a logistic regression of the truth on the
// log-odds of the probabilities, and the Brier skill, mines weighing the prior.
func calibration(mines, innocent, weight []float64, prior float64) (slope, skill float64) {
	var x, y, w []float64
	logit := func(p float64) float64 {
		p = min(max(p, 1e-6), 1-1e-6)
		return math.Log(p / (1 - p))
	}
	brier := 0.0
	for _, p := range mines {
		x, y, w = append(x, logit(p)), append(y, 1), append(w, prior/float64(len(mines)))
		brier += prior / float64(len(mines)) * (1 - p) * (1 - p)
	}
	for i, p := range innocent {
		x, y, w = append(x, logit(p)), append(y, 0), append(w, (1-prior)*weight[i])
		brier += (1 - prior) * weight[i] * p * p
	}
	a, k := 0.0, 1.0
	for range 60 {
		var g0, g1, h00, h01, h11 float64
		for i := range x {
			p := 1 / (1 + math.Exp(-a-k*x[i]))
			g0, g1 = g0+w[i]*(y[i]-p), g1+w[i]*(y[i]-p)*x[i]
			v := w[i] * p * (1 - p)
			h00, h01, h11 = h00+v, h01+v*x[i], h11+v*x[i]*x[i]
		}
		det := h00*h11 - h01*h01 + 1e-12
		da, dk := (h11*g0-h01*g1)/det, (h00*g1-h01*g0)/det
		limit := max(math.Abs(da), math.Abs(dk), 1)
		a, k = a+da/limit, k+dk/limit
	}
	return k, 1 - brier/(prior*(1-prior))
}
