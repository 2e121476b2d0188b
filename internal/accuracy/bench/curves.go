package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/accuracy/plot"
)

// swept are the forecasts in falling order of risk, ties as one step.
func swept(trials []*accuracy.Trialled) (mines, others []float64) {
	f := accuracy.Forecasts(trials)
	slices.SortFunc(f, func(a, b accuracy.Forecast) int { return cmp.Compare(b.P, a.P) })
	m, o := 0.0, 0.0
	for i, x := range f {
		if x.True {
			m++
		} else {
			o++
		}
		if i+1 == len(f) || f[i+1].P != x.P {
			mines, others = append(mines, m), append(others, o)
		}
	}
	return mines, others
}

// drawMining draws ROC, precision against recall, and recall by size.
func (b *bench) drawMining(all []*accuracy.Trialled) {
	roc := &plot.Chart{
		Title:    fmt.Sprintf("Mines stand above the others: area %.3f with shapes, %.3f with physics", accuracy.OverSeeds(of(all, "shapes"), accuracy.AUCOf).Mean, accuracy.OverSeeds(of(all, "physics"), accuracy.AUCOf).Mean),
		Subtitle: "share of the mines by share of the others at falling risk, to 30 % of the others",
		X:        "share of the others", Y: "share of the mines", XMax: .3, YMax: 1,
		XTicks: []plot.Tick{{At: 0, Text: "0"}, {At: .05, Text: "0.05"}, {At: .1, Text: "0.1"}, {At: .15, Text: "0.15"}, {At: .2, Text: "0.2"}, {At: .25, Text: "0.25"}, {At: .3, Text: "0.3"}},
	}
	pr := &plot.Chart{
		Title:    fmt.Sprintf("Precision at k is %.2f with shapes, %.2f with physics", accuracy.OverSeeds(of(all, "shapes"), accuracy.PrecisionAtK).Mean, accuracy.OverSeeds(of(all, "physics"), accuracy.PrecisionAtK).Mean),
		Subtitle: fmt.Sprintf("share of mines among the highest risks by share of the mines found; %.0f %% are mines", 100*mineShare),
		X:        "mines found", Y: "precision", XMax: 1, YMax: 1,
	}
	kinds := map[string]plot.Kind{"physics": plot.Ink, "shapes": plot.Second}
	for _, in := range injectors() {
		mines, others := swept(of(all, in.Name))
		m, o := mines[len(mines)-1], others[len(others)-1]
		curve, precision := plot.Series{Name: in.Name, Kind: kinds[in.Name], Points: []plot.Point{{}}}, plot.Series{Name: in.Name, Kind: kinds[in.Name]}
		for i := range mines {
			if others[i]/o <= .3 {
				curve.Points = append(curve.Points, plot.Point{X: others[i] / o, Y: mines[i] / m})
			}
			precision.Points = append(precision.Points, plot.Point{X: mines[i] / m, Y: mines[i] / (mines[i] + others[i])})
		}
		roc.Series, pr.Series = append(roc.Series, curve), append(pr.Series, precision)
	}
	roc.Series = append(roc.Series, plot.Series{Name: "chance", Kind: plot.Guide, Points: []plot.Point{{}, {X: .3, Y: .3}}})
	// With k the number of mines, precision at k is recall at k; at half of k a
	// precision of .9 is a recall of .45.
	pr.Series = append(pr.Series,
		plot.Series{Name: "limits", Kind: plot.Limit, Marks: true, Points: []plot.Point{{X: .45, Y: .9}, {X: math.NaN()}, {X: .7, Y: .7}}})
	b.charts["roc"], b.charts["precision-recall"] = roc, pr
	b.charts["recall-by-size"] = b.bySize(all)
}

func (b *bench) bySize(all []*accuracy.Trialled) *plot.Chart {
	edges := []float64{0, .1, .2, .3, .5, .75, 1, 2, 4, math.Inf(1)}
	c := &plot.Chart{
		Title: "Which mines are found, by their share of the host's load", Subtitle: "recall at k, with 95 % intervals, both injectors",
		X: "size, % of the host's own mean", Y: "recall at k", XMin: -.5, XMax: float64(len(edges)) - 1.5, YMax: 1,
	}
	for k := range len(edges) - 1 {
		text := fmt.Sprintf("%.0f–%.0f", 100*edges[k], 100*edges[k+1])
		if math.IsInf(edges[k+1], 1) {
			text = fmt.Sprintf("> %.0f", 100*edges[k])
		}
		c.XTicks = append(c.XTicks, plot.Tick{At: float64(k), Text: text})
	}
	for _, x := range []struct {
		name string
		kind plot.Kind
		home bool
	}{{"businesses", plot.Ink, false}, {"homes", plot.Second, true}} {
		s := plot.Series{Name: x.name, Kind: x.kind, Marks: true}
		for k := range len(edges) - 1 {
			found, total := accuracy.Recall(all, func(_ *accuracy.Trialled, r *judged) bool {
				return r.Home == x.home && r.Truth.Ratio >= edges[k] && r.Truth.Ratio < edges[k+1]
			})
			if total < 3 {
				continue
			}
			v := accuracy.ShareInterval(found, total)
			s.Points = append(s.Points, plot.Point{X: float64(k), Y: v.Mean})
			s.Low, s.High = append(s.Low, v.Low), append(s.High, v.High)
		}
		if len(s.Points) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	return c
}
