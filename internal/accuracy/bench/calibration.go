package main

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/accuracy/plot"
)

// bins of the reliability table.
func bins() []float64 { return []float64{0, .001, .003, .01, .03, .1, .25, .5, .75, .9, 1} }

// calibration measures the risks as probabilities at the declared prior.
func (b *bench) calibration(all []*accuracy.Trialled) {
	b.progress("calibration")
	s := b.report.section("Calibration at the prior")
	s.say("The %.0f %% of mines in the trials weigh as the declared prior of %g, the others as the rest. Slope and intercept are of the logistic regression of the truth on the logit of the risk: 1 and 0 are perfect, a slope below 1 is overconfident.", 100*mineShare, b.o.prior)
	var rows [][]string
	for _, injector := range []string{"shapes", "physics", ""} {
		trials := of(all, injector)
		var keys []string
		var items []accuracy.Forecast
		for _, t := range trials {
			for i := range t.Rows {
				keys = append(keys, t.Rows[i].Host)
			}
		}
		items = accuracy.Forecasts(trials)
		over := func(of func(f []accuracy.Forecast) float64) accuracy.Interval {
			return accuracy.Bootstrap(luck(), keys, b.samples()/4, func(pick []int) float64 {
				sample := make([]accuracy.Forecast, len(pick))
				for k, i := range pick {
					sample[k] = items[i]
				}
				return of(accuracy.AtPrior(sample, b.o.prior))
			})
		}
		skill := over(accuracy.BrierSkill)
		slope := over(func(f []accuracy.Forecast) float64 { _, v := accuracy.CalibrationLine(f); return v })
		intercept := over(func(f []accuracy.Forecast) float64 { v, _ := accuracy.CalibrationLine(f); return v })
		name := injector
		if name == "" {
			name = "both"
			b.report.atLeast("calibration: Brier skill at the prior", skill, .4, "both injectors")
			b.report.between("calibration: slope at the prior", slope, .8, 1.25, "both injectors")
		}
		rows = append(rows, []string{name, figure(skill), figure(slope), figure(intercept)})
	}
	s.table([]string{"injector", "Brier skill", "slope", "intercept"}, rows)
	weighed := accuracy.AtPrior(accuracy.Forecasts(all), b.o.prior)
	reliability := accuracy.Reliability(weighed, bins())
	rows = nil
	for _, x := range reliability {
		if x.Count > 0 {
			rows = append(rows, []string{fmt.Sprintf("%g to %g", x.Low, x.High), fmt.Sprintf("%.4f", x.Mean), fmt.Sprintf("%.4f", x.Share), fmt.Sprint(x.Count), fmt.Sprintf("%.3f %%", 100*x.Weight)})
		}
	}
	s.say("Reliability, both injectors:")
	s.table([]string{"risk", "mean risk", "share of mines", "n", "of all, at the prior"}, rows)
	_, slope := accuracy.CalibrationLine(weighed)
	b.drawReliability(reliability, slope)
}

func (b *bench) drawReliability(bins []accuracy.Bin, slope float64) {
	const floor = .0003
	at := func(p float64) float64 { return math.Log10(math.Max(p, floor)) }
	ticks := []plot.Tick{{At: -3, Text: "0.001"}, {At: -2, Text: "0.01"}, {At: -1, Text: "0.1"}, {At: math.Log10(.5), Text: "0.5"}, {At: 0, Text: "1"}}
	s := plot.Series{Name: "measured", Kind: plot.Ink, Marks: true}
	for _, x := range bins {
		if x.Count >= 10 {
			s.Points = append(s.Points, plot.Point{X: at(x.Mean), Y: at(x.Share)})
		}
	}
	b.charts["reliability"] = &plot.Chart{
		Title:    fmt.Sprintf("What the risk says, and how often it comes true: slope %.2f", slope),
		Subtitle: fmt.Sprintf("share of mines by mean risk of a bin, at a prior of %g, both axes logarithmic", b.o.prior),
		X:        "risk", Y: "share that are mines", XMin: at(floor), XMax: 0, YMin: at(floor), YMax: 0, XTicks: ticks, YTicks: ticks,
		Series: []plot.Series{s, {Name: "perfect", Kind: plot.Guide, Points: []plot.Point{{X: at(floor), Y: at(floor)}, {}}}},
	}
}
