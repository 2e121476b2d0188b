package outcomes

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/risk"
	"github.com/gridwarden/gridwarden/internal/textfile"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

func TestRead(t *testing.T) {
	const text = "usage_point_id,date,outcome,choice,propensity\n" +
		"U1,2026-10-05,confirmed,,\n" +
		"U2,2026-10-05,innocent,lot,0.25\n\n" +
		"U1,2026-10-06,no_access,tip,\n"
	got, err := Read("inspections.csv", strings.NewReader(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	day := got[0].Day
	want := []Inspection{
		{UsagePointID: "U1", Day: day, Found: Confirmed, Choice: BySuspicion},
		{UsagePointID: "U2", Day: day, Found: Innocent, Choice: ByLot, Propensity: 0.25},
		{UsagePointID: "U1", Day: day + 1, Found: NoAccess, Choice: ByTip},
	}
	if !reflect.DeepEqual(got, want) || day.String() != "2026-10-05" {
		t.Errorf("read %+v", got)
	}
}

func TestReadRefuses(t *testing.T) {
	const header = "usage_point_id,date,outcome,choice,propensity\n"
	known := func(id string) bool { return strings.HasPrefix(id, "U") }
	for name, c := range map[string]struct{ text, want string }{
		"nothing":           {"", "f.csv:1: the file is empty"},
		"no column":         {"usage_point_id,outcome\n", `f.csv:1: `},
		"a stranger":        {header + "X1,2026-10-05,confirmed,,\n", `f.csv:2: usage point "X1" is not in the registry`},
		"no point":          {header + ",2026-10-05,confirmed,,\n", "f.csv:2: usage_point_id is empty"},
		"a day":             {header + "U1,5.10.2026,confirmed,,\n", "f.csv:2: date \"5.10.2026\" is not a date"},
		"an outcome":        {header + "U1,2026-10-05,guilty,,\n", `f.csv:2: outcome "guilty" is not known`},
		"a choice":          {header + "U1,2026-10-05,innocent,whim,\n", `f.csv:2: choice "whim" is not known`},
		"a lot without":     {header + "U1,2026-10-05,innocent,lot,\n", "f.csv:2: propensity is empty"},
		"a lot of nothing":  {header + "U1,2026-10-05,innocent,lot,0\n", "f.csv:2: propensity \"0\" is not a probability"},
		"no lot":            {header + "U1,2026-10-05,innocent,tip,0.5\n", "f.csv:2: propensity is given"},
		"twice":             {header + "U1,2026-10-05,innocent,,\nU1,2026-10-05,confirmed,,\n", "f.csv:3: the inspection of \"U1\" on 2026-10-05 stands on line 2 too"},
		"too few fields":    {header + "U1,2026-10-05\n", "f.csv:2: has 2 fields, the header has 5"},
		"an open quotation": {header + "\"U1,2026-10-05,innocent,,\n", "f.csv:2: a quoted field is not closed"},
	} {
		list, err := Read("f.csv", strings.NewReader(c.text), known)
		var problems *textfile.Problems
		if !errors.As(err, &problems) || !strings.Contains(problems.List()[0].String(), c.want) {
			t.Errorf("%s: %v, %v; want %q", name, list, err, c.want)
		}
	}
	if _, err := ReadFile(filepath.Join(t.TempDir(), "none.csv"), nil); err == nil {
		t.Error("a file that is not there was read")
	}
}

func FuzzRead(f *testing.F) {
	f.Add("usage_point_id,date,outcome,choice,propensity\nU1,2026-10-05,confirmed,lot,0.5\n")
	f.Add("date,outcome,usage_point_id\n2026-10-05,no_access,\"U\"\"1\"\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := Read("f.csv", strings.NewReader(text), nil)
		if err != nil {
			if list != nil {
				t.Fatal("a file was refused and read all the same")
			}
			return
		}
		for _, in := range list {
			if in.UsagePointID == "" || (in.Choice == ByLot) != (in.Propensity > 0) || in.Propensity > 1 {
				t.Fatalf("read %+v", in)
			}
		}
	})
}

// run is one in which U1 was found by two detectors, U2 by none and U3 not judged.
func run() *detect.Result {
	finding := func(detector string, p float64) detect.Finding {
		return detect.Finding{Finding: sdk.Finding{Probability: p}, Stamp: detect.Stamp{Detector: detector, Version: "1.0.0"}}
	}
	return &detect.Result{RunID: "r1", Prior: 0.01, UsagePoints: []detect.Assessment{
		{UsagePointID: "U1", Risk: 0.9, Findings: []detect.Finding{finding("b", 0.4), finding("a", 0.8), finding("b", 0.6)}},
		{UsagePointID: "U2", Risk: 0.3, Contributions: []detect.Contribution{
			{Source: "prior", LogOdds: -2}, {Source: "a", LogOdds: 1}, {Source: risk.CalibrationSource, LogOdds: 3}}},
	}}
}

func TestLink(t *testing.T) {
	list := []Inspection{{UsagePointID: "U1"}, {UsagePointID: "U2"}, {UsagePointID: "U3"}}
	Link(list, run())
	if got, want := list[0].Detectors, []Verdict{{"a", "1.0.0", 0.8}, {"b", "1.0.0", 0.6}}; !reflect.DeepEqual(got, want) || list[0].Risk != 0.9 || list[0].RunID != "r1" {
		t.Errorf("U1 is joined with %+v", list[0])
	}
	if want := 1 / (1 + math.Exp(1)); math.Abs(list[1].Risk-want) > 1e-12 {
		t.Errorf("U2 had the risk %v before the calibration, joined with %v", want, list[1].Risk)
	}
	if list[2].RunID != "" {
		t.Errorf("U3 was not judged, joined with %+v", list[2])
	}
	Link(list, nil)
}

func TestSummarise(t *testing.T) {
	var list []Inspection
	add := func(n int, in Inspection) {
		for range n {
			list = append(list, in)
		}
	}
	a, b := []Verdict{{Detector: "a", Version: "1.0.0"}}, []Verdict{{Detector: "a", Version: "2.0.0"}, {Detector: "b", Version: "1.0.0"}}
	add(8, Inspection{Found: Confirmed, Choice: BySuspicion, RunID: "r", Prior: 0.01, Risk: 0.8, Detectors: a})
	add(2, Inspection{Found: RecordsError, Choice: BySuspicion, RunID: "r", Prior: 0.01, Risk: 0.8, Detectors: b})
	add(3, Inspection{Found: NoAccess, Choice: BySuspicion, RunID: "r", Prior: 0.01, Risk: 0.8, Detectors: b})
	add(5, Inspection{Found: Confirmed, Choice: ByTip, RunID: "r", Prior: 0.01, Risk: 0.01})
	s := Summarise(list)
	if s.Fit != nil || !strings.Contains(s.Why, "0 inspections were chosen by lot") || !math.IsNaN(s.Prevalence.Share) {
		t.Errorf("without a lot: fit %+v, %q, prevalence %+v", s.Fit, s.Why, s.Prevalence)
	}
	add(1, Inspection{Found: Confirmed, Choice: ByLot, Propensity: 0.5, RunID: "r", Prior: 0.01, Risk: 0.9})
	add(49, Inspection{Found: Innocent, Choice: ByLot, Propensity: 0.05, RunID: "r", Prior: 0.01, Risk: 0.005})
	s = Summarise(list)
	got := map[string]risk.Rate{}
	for _, h := range append(s.ByDetector, s.ByChoice...) {
		got[h.Name+" "+h.Version] = h.Rate
	}
	for name, want := range map[string]risk.Rate{
		"a 1.0.0": risk.NewRate(8, 8), "a 2.0.0": risk.NewRate(0, 2), "b 1.0.0": risk.NewRate(0, 2),
		"suspicion ": risk.NewRate(8, 10), "tip ": risk.NewRate(5, 5), "lot ": risk.NewRate(1, 50),
	} {
		if got[name] != want {
			t.Errorf("hit rate of %q is %+v, want %+v", name, got[name], want)
		}
	}
	if want := 2.0 / (2 + 49*20); math.Abs(s.Prevalence.Share-want) > 1e-12 {
		t.Errorf("prevalence %v, by inverse propensity it is %v", s.Prevalence.Share, want)
	}
	if s.Fit == nil || s.Fit.Inspected != 60 || s.Fit.Drawn != 50 {
		t.Errorf("the calibration is %+v (%s); tips must not be in it, visits without access neither", s.Fit, s.Why)
	}
	if s.Inspections != len(list) || s.Outcomes[NoAccess] != 3 || s.Choices[ByTip] != 5 {
		t.Errorf("counted %+v", s)
	}
}

func TestReadFileOfTheSample(t *testing.T) {
	path := filepath.Join(t.TempDir(), "inspections.csv")
	if err := os.WriteFile(path, []byte("usage_point_id,date,outcome,choice,propensity\nU1,2026-10-05,innocent,lot,0.0125\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := ReadFile(path, nil)
	if err != nil || len(list) != 1 || list[0].Propensity != 0.0125 {
		t.Errorf("read %+v, %v", list, err)
	}
}
