package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

// conditions measures how the figures hold at other resolutions and lengths,
// with noise, drift, gaps, rounding and errors in the records that vary.
func (b *bench) conditions(ctx context.Context) error {
	minutes, days, each := []int{15, 30, 60}, []int{14, 30, 60, 92, 180, 365}, 2
	if b.o.quick {
		minutes, days, each = []int{15, 60}, []int{14, 30, 180}, 1
	}
	var jobs []job
	for _, d := range days {
		for _, m := range minutes {
			for _, in := range injectors() {
				for k := range each {
					seed := uint64(100 + k)
					jobs = append(jobs, job{in, seed, accuracy.AnyCondition(rand.New(rand.NewPCG(seed, uint64(1000*m+d))), m, d)})
				}
			}
		}
	}
	all, err := b.trials(ctx, "conditions", jobs, false)
	if err != nil {
		return err
	}
	s := b.report.section("Resolution and length")
	s.say("%d trials of each injector in each cell; meters' errors to 1.2 %%, drift to 2 %% a year, gaps at up to 30 %% of the customers, registers in steps of 1 to 100 Wh, wrong records at up to 12 %%. Finer loads than those of the hosts are made of them at the same energy; longer ones go through a host's weeks forwards and backwards, which repeats its habits. The last columns are recalls at k.", each)
	row := func(name string, keep func(c accuracy.Condition) bool) []string {
		var trials []*accuracy.Trialled
		for _, t := range all {
			if keep(t.Condition) {
				trials = append(trials, t)
			}
		}
		within := func(late bool) string {
			found, total := accuracy.Recall(trials, func(_ *accuracy.Trialled, r *judged) bool { return r.Truth.FromDay > 0 == late })
			return share(found, total)
		}
		return []string{
			name, fmt.Sprint(len(trials)), figure(accuracy.OverSeeds(trials, accuracy.AUCOf)), figure(accuracy.OverSeeds(trials, accuracy.PrecisionAtHalf)),
			figure(accuracy.OverSeeds(trials, accuracy.PrecisionAtK)), figure(accuracy.OverSeeds(trials, accuracy.AUCFlats)), within(true), within(false),
		}
	}
	var rows [][]string
	for _, m := range minutes {
		rows = append(rows, row(fmt.Sprintf("%d min", m), func(c accuracy.Condition) bool { return c.Minutes == m }))
	}
	for _, d := range days {
		rows = append(rows, row(fmt.Sprintf("%d days", d), func(c accuracy.Condition) bool { return c.Days == d }))
	}
	for _, d := range days {
		for _, m := range minutes {
			rows = append(rows, row(fmt.Sprintf("%d days, %d min", d, m), func(c accuracy.Condition) bool { return c.Days == d && c.Minutes == m }))
		}
	}
	rows = append(rows, row("all of these", func(accuracy.Condition) bool { return true }))
	s.table([]string{"condition", "trials", "AUC", "at k/2", "at k", "AUC flats", "begins within", "from day one"}, rows)
	b.calibrationByCondition(s, all, days)
	return nil
}

// calibrationByCondition tells whether the risk keeps its meaning where data
// are short or long.
func (b *bench) calibrationByCondition(s *section, all []*accuracy.Trialled, days []int) {
	var rows [][]string
	for _, d := range days {
		var trials []*accuracy.Trialled
		above, plain := 0, 0
		for _, t := range all {
			if t.Condition.Days != d {
				continue
			}
			trials = append(trials, t)
			for i := range t.Rows {
				if r := &t.Rows[i]; !r.Truth.Mine && r.Truth.Flat == "" {
					plain++
					if r.Risk >= b.threshold {
						above++
					}
				}
			}
		}
		f := accuracy.AtPrior(accuracy.Forecasts(trials), b.o.prior)
		_, slope := accuracy.CalibrationLine(f)
		rows = append(rows, []string{fmt.Sprintf("%d days", d), fmt.Sprintf("%.3f", accuracy.BrierSkill(f)), fmt.Sprintf("%.2f", slope), fmt.Sprintf("%d of %d", above, plain)})
	}
	s.say("The risk as a probability, by length (at the prior), and untouched customers above the case threshold:")
	s.table([]string{"length", "Brier skill", "slope", "untouched above"}, rows)
}
