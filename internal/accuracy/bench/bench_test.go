package main

import (
	"math"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/detect"
)

func TestLimits(t *testing.T) {
	var r report
	r.atLeast("a", accuracy.Interval{Mean: .95, Low: .9, High: 1}, .95, "ten trials")
	r.atMost("b", accuracy.Interval{Mean: .002, Low: 0, High: .1}, .001, "")
	r.between("c", accuracy.Interval{Mean: 1, Low: math.NaN(), High: math.NaN()}, .8, 1.25, "")
	r.atLeast("d", accuracy.Interval{Mean: math.NaN()}, .5, "")
	if missed := r.limitsSection(); missed != 2 {
		t.Errorf("%d limits missed, want 2: the one above, and the one that could not be measured", missed)
	}
	text := r.text()
	for _, want := range []string{"0.950 [0.900, 1.000]", "at least 0.95", "at most 0.001", "0.8 to 1.25", "NOT MET", "2 of 4 limits are missed"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
}

func TestReportRendersTables(t *testing.T) {
	var r report
	s := r.section("Title")
	s.say("%d words", 2)
	s.table([]string{"kind", "n"}, [][]string{{"home", "7"}, {"business", "12"}})
	if want := "\nTitle\n=====\n2 words\n  kind       n\n  home       7\n  business  12\n"; r.text() != want {
		t.Errorf("text\n%q\nwant\n%q", r.text(), want)
	}
	if want := "\n## Title\n\n2 words\n\n| kind | n |\n|---|---|\n| home | 7 |\n| business | 12 |\n"; r.markdown() != want {
		t.Errorf("markdown\n%q\nwant\n%q", r.markdown(), want)
	}
}

// trial makes a judged trial: risks of loads of which the first are mines.
func trial(injector string, mines int, risks ...float64) *accuracy.Trialled {
	loads := make([]accuracy.Load, len(risks))
	result := &detect.Result{}
	for i, risk := range risks {
		loads[i] = accuracy.Load{ID: accuracy.UsagePointID(i), StepMinutes: 60, Category: "residential"}
		if i < mines {
			loads[i].Truth = accuracy.Truth{Mine: true, KW: float64(i) + .5, Ratio: .2 + float64(i), FromDay: i}
		}
		result.UsagePoints = append(result.UsagePoints, detect.Assessment{
			UsagePointID: accuracy.UsagePointID(i), Risk: risk, Contributions: []detect.Contribution{{Source: "hiddenmining", LogOdds: 1.25}, {Source: "prior", LogOdds: -4}},
		})
	}
	return accuracy.NewTrialled(injector, 1, accuracy.Usual(), loads, loads, result)
}

func TestSweepEndsWithAllMinesAndAllOthers(t *testing.T) {
	mines, others := swept([]*accuracy.Trialled{trial("x", 2, .9, .4, .4, .1, .1)})
	if len(mines) != 3 || mines[0] != 1 || others[0] != 0 || mines[1] != 2 || others[1] != 1 || mines[2] != 2 || others[2] != 3 {
		t.Errorf("mines %v, others %v; ties are one step", mines, others)
	}
}

func TestMiningReport(t *testing.T) {
	b := &bench{o: &options{prior: .01, quick: true}, threshold: .5}
	all := []*accuracy.Trialled{trial("shapes", 2, .9, .1, .6, .05, .01), trial("physics", 2, .9, .8, .2, .05, .01)}
	s := b.report.section("mines")
	b.byKind(s, all)
	b.stopsWorking(s, all)
	b.dayOne(all)
	b.failures(all)
	text := b.report.text()
	for _, want := range []string{
		"on from day one", "above 100 %", "Under 25 % of the host's load 2 of 2 are found", // one of each trial
		"hiddenmining +1.2", "3 of 2", "Mines that are not among the k highest risks of their trial: 1", "nothing added",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if len(b.report.limits) != 2 || !b.report.limits[0].met() {
		t.Errorf("limits %+v", b.report.limits)
	}
	if c := b.bySize(all); len(c.XTicks) == 0 {
		t.Error("the picture by size has no scale")
	}
}

func TestReadHostsNamesTheMend(t *testing.T) {
	_, err := readHosts(t.Context(), t.TempDir(), accuracy.Development)
	if err == nil || !strings.Contains(err.Error(), "-data DIR or "+variable) || !strings.Contains(err.Error(), homesFile) {
		t.Errorf("error %v", err)
	}
}

func TestCounted(t *testing.T) {
	if got := counted(map[string]int{"a": 1, "b": 3, "c": 1}); got != "b 3, a 1, c 1" {
		t.Errorf("got %q", got)
	}
}
