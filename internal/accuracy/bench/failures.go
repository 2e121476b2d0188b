package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

// shown is how many failures of either sort are listed.
const shown = 40

// failures lists the mines that were missed and what stood in their place.
func (b *bench) failures(all []*accuracy.Trialled) {
	type failure struct {
		t *accuracy.Trialled
		r *judged
		k int
	}
	var missed, accused []failure
	for _, t := range all {
		k := t.Mines()
		for i := range t.Rows {
			switch r := &t.Rows[i]; {
			case r.Truth.Mine && r.Position > k:
				missed = append(missed, failure{t, r, k})
			case !r.Truth.Mine && (r.Position <= k || r.Risk >= b.threshold):
				accused = append(accused, failure{t, r, k})
			}
		}
	}
	slices.SortStableFunc(missed, func(x, y failure) int { return cmp.Compare(y.r.Position, x.r.Position) })
	slices.SortStableFunc(accused, func(x, y failure) int { return cmp.Compare(y.r.Risk, x.r.Risk) })
	s := b.report.section("Failures")
	s.say("Mines that are not among the k highest risks of their trial: %d; the furthest down first, at most %d. What speaks for and against is what each detector adds to the log-odds.", len(missed), shown)
	var rows [][]string
	for _, f := range missed[:min(shown, len(missed))] {
		r := f.r
		rows = append(rows, []string{
			fmt.Sprintf("%s %d", f.t.Injector, f.t.Seed), r.Host, place(r), fmt.Sprintf("%.2f", r.HostKW-r.Truth.KWh/float64(24*f.t.Condition.Days)),
			fmt.Sprintf("%.2f", r.Truth.KW), fmt.Sprintf("%.0f %%", 100*r.Truth.Ratio), fmt.Sprint(r.Truth.FromDay), how(&r.Truth),
			fmt.Sprintf("%d of %d", r.Position, f.k), fmt.Sprintf("%.3f", r.Risk), because(r),
		})
	}
	s.table([]string{"trial", "host", "place", "host kW", "mine kW", "ratio", "from day", "how", "position, k", "risk", "why"}, rows)
	s.say("Innocents among the k highest risks or above the case threshold: %d; the highest first, at most %d.", len(accused), shown)
	rows = nil
	for _, f := range accused[:min(shown, len(accused))] {
		r := f.r
		what := r.Truth.Flat
		if what == "" {
			what = "nothing added"
		} else {
			what = fmt.Sprintf("%s, %.1f kW from day %d", what, r.Truth.KW, r.Truth.FromDay)
		}
		rows = append(rows, []string{
			fmt.Sprintf("%s %d", f.t.Injector, f.t.Seed), r.Host, place(r), what, r.Declared, fmt.Sprintf("%d of %d", r.Position, f.k), fmt.Sprintf("%.3f", r.Risk), because(r),
		})
	}
	s.table([]string{"trial", "host", "place", "what it is", "declared", "position, k", "risk", "why"}, rows)
}

func place(r *judged) string {
	if r.Home {
		return "home"
	}
	return "business"
}

// how a mine runs, in few words.
func how(t *accuracy.Truth) string {
	var words []string
	if t.Make != "" {
		words = append(words, t.Make)
	}
	if t.Evades {
		words = append(words, "off in the evening")
	} else if t.Habit != "" && t.Habit != "always" {
		words = append(words, t.Habit)
	}
	if t.Ramps {
		words = append(words, "in lots")
	}
	return strings.Join(words, ", ")
}

// because tells what moved the risk, in log-odds.
func because(r *judged) string {
	if r.Detail == nil {
		return ""
	}
	var words []string
	for _, c := range r.Detail.Contributions {
		if c.Source != "prior" && math.Abs(c.LogOdds) >= .15 {
			words = append(words, fmt.Sprintf("%s %+.1f", c.Source, c.LogOdds))
		}
	}
	if len(words) == 0 {
		words = append(words, "nothing stands out")
	}
	return strings.Join(append(words, r.Detail.Reasons...), ", ")
}
