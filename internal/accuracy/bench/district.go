package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/sim"
	"github.com/gridwarden/gridwarden/plugins/builtin"
)

// Seeds of the districts begin far from those that people try things out on.
const firstDistrict = 7001

// monthsOfDistrict is the history of a district.
const monthsOfDistrict = 2

// district judges the planted truths of simulated districts.
func (b *bench) district(ctx context.Context) error {
	all := make([]*accuracy.District, b.o.seeds)
	err := parallel(ctx, len(all), func(ctx context.Context, i int) error {
		d, err := accuracy.JudgeDistrict(ctx, int64(firstDistrict+i), until, monthsOfDistrict, b.o.prior, b.threshold)
		if err != nil {
			return err
		}
		all[i] = d
		b.progress("district of seed %d: %d stories, %d innocent customer-months, %d above", d.Seed, len(d.Stories), d.Months.Judged, len(d.Months.Above))
		return nil
	})
	if err != nil {
		return err
	}
	s := b.report.section("The simulated district")
	s.say("Districts of seeds %d to %d, %d days each, through their exported files. A planted customer to flag must stand at rank 15 or better by risk, one to clear below the case threshold, a transformer must have its verdict.", firstDistrict, firstDistrict+len(all)-1, 30*monthsOfDistrict)
	b.stories(s, all)
	b.fired(s, all)
	judged, above := 0, 0
	var lines []string
	for _, d := range all {
		judged += d.Months.Judged
		above += len(d.Months.Above)
		for _, a := range d.Months.Above {
			lines = append(lines, fmt.Sprintf("seed %d, %s, month %d, risk %.2f (%s)", d.Seed, a.Host, a.Month, a.Risk, strings.Join(a.Reasons, ", ")))
		}
	}
	v := accuracy.ShareInterval(above, judged)
	s.say("Innocent customer-months above the case threshold: %d of %d, %s.", above, judged, figure(v))
	if len(lines) > 0 {
		s.say("%s.", strings.Join(lines[:min(len(lines), shown)], "; "))
	}
	b.report.atMost("innocent customer-months above the threshold, district", v, mostInnocents, fmt.Sprintf("%d of %d", above, judged))
	return nil
}

// stories tables where each planted story ends up.
func (b *bench) stories(s *section, all []*accuracy.District) {
	var names []string
	byName := map[string][]*accuracy.Told{}
	for _, d := range all {
		for i := range d.Stories {
			t := &d.Stories[i]
			if byName[t.Story] == nil {
				names = append(names, t.Story)
			}
			byName[t.Story] = append(byName[t.Story], t)
		}
	}
	var rows [][]string
	right, total := 0, 0
	for _, name := range names {
		told := byName[name]
		good, reasons := 0, map[string]int{}
		var ranks []int
		var risks []float64
		for _, t := range told {
			good += count(t.Right)
			if t.Expect == sim.ExpectTransformer {
				for _, v := range t.Verdicts {
					reasons[v]++
				}
				continue
			}
			ranks, risks = append(ranks, t.Rank), append(risks, t.Risk)
			for _, r := range t.Reasons {
				reasons[r]++
			}
		}
		right, total = right+good, total+len(told)
		median, worst, risk := "", "", ""
		if len(ranks) > 0 {
			slices.Sort(ranks)
			slices.Sort(risks)
			median, worst, risk = fmt.Sprint(ranks[len(ranks)/2]), fmt.Sprint(ranks[len(ranks)-1]), fmt.Sprintf("%.3f", risks[len(risks)/2])
		}
		rows = append(rows, []string{name, told[0].Expect, fmt.Sprintf("%d of %d", good, len(told)), median, worst, risk, counted(reasons)})
	}
	s.table([]string{"story", "expected", "as expected", "median rank", "worst", "median risk", "reasons or verdicts, in how many"}, rows)
	s.say("As expected: %d of %d.", right, total)
}

// counted lists names by how often they came, most often first.
func counted(n map[string]int) string {
	names := make([]string, 0, len(n))
	for name := range n {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if n[a] != n[b] {
			return n[b] - n[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, n[name])
	}
	return strings.Join(names, ", ")
}

// fired tables whom each detector finds.
func (b *bench) fired(s *section, all []*accuracy.District) {
	var rows [][]string
	for _, d := range builtin.Detectors() {
		name := d.Describe().Name
		sum := accuracy.Fired{}
		for _, x := range all {
			f := x.Fired[name]
			sum.Planted, sum.Innocent, sum.Transformers = sum.Planted+f.Planted, sum.Innocent+f.Innocent, sum.Transformers+f.Transformers
		}
		rows = append(rows, []string{name, fmt.Sprint(sum.Planted), fmt.Sprint(sum.Innocent), fmt.Sprint(sum.Transformers)})
	}
	s.say("Findings of each detector over all districts on the last day (a finding is no accusation: most stay far below the case threshold):")
	s.table([]string{"detector", "of customers planted to be flagged", "of other customers", "transformers"}, rows)
}
