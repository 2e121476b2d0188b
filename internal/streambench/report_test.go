package main

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/ingest"
)

func TestRowMissesItsLimit(t *testing.T) {
	for _, tc := range []struct {
		row    Row
		missed bool
	}{
		{Row{Value: 1}, false},
		{Row{Value: 8, Bound: AtMost, Limit: 8}, false},
		{Row{Value: 8.01, Bound: AtMost, Limit: 8}, true},
		{Row{Value: 7, Bound: AtLeast, Limit: 8}, true},
		{Row{Value: math.NaN(), Bound: AtLeast, Limit: 8}, true},
		{Row{Value: math.NaN(), Bound: AtMost, Limit: 8}, true},
	} {
		if got := tc.row.missed(); got != tc.missed {
			t.Errorf("%+v: missed %v", tc.row, got)
		}
	}
}

func TestReport(t *testing.T) {
	r := newReport(settings{dir: t.TempDir()}, Case{Name: "x", About: "tries"})
	r.Measure("rate", 1234567, "1/s")
	r.Limit("rate", 1234567, AtLeast, 1e6)
	r.Measure("memory", 12.345, "MiB")
	r.Note("a note")
	if r.missed() {
		t.Error("missed without a limit that is missed")
	}
	r.Limit("memory", 12.345, AtMost, 12)
	if !r.missed() {
		t.Error("a limit is missed and nobody says so")
	}
	r.Small = true
	if r.missed() {
		t.Error("little data missed a limit")
	}
	if r.failed = errors.New("broken|\npipe"); !r.missed() {
		t.Error("a failed case is fine")
	}
	r.Small = false
	var b bytes.Buffer
	table(&b, []*Report{r})
	for _, want := range []string{
		"| x | rate | 1,234,567 | 1/s | at least 1,000,000 | reached |\n",
		"| x | memory | 12.35 | MiB | at most 12 | MISSED |\n",
		"| x | FAILED: broken/ pipe |", "x: a note\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("table lacks %q:\n%s", want, b.String())
		}
	}
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.25: "0.25", 12.3456: "12.35", 999.96: "1000", 1000: "1,000", -1234567.4: "-1,234,567", 0.00001234: "0.00001234"} {
		if got := figure(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}

func TestResultsKeepOtherSections(t *testing.T) {
	path := filepath.Join(t.TempDir(), "RESULTS.md")
	a, b := newReport(settings{}, Case{Name: "a", About: "first"}), newReport(settings{}, Case{Name: "b", About: "second"})
	a.Measure("v", 1, "s")
	b.Measure("v", 2, "s")
	if err := writeResults(path, []*Report{a, b}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, "What people wrote.\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	a.Measure("v", 3, "s")
	if err := writeResults(path, []*Report{a}); err != nil {
		t.Fatal(err)
	}
	text, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| a | v | 3 | s |", "| b | v | 2 | s |", "What people wrote.", "## a", "## b"} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("%q does not stand once in\n%s", want, text)
		}
	}
}

func TestChoose(t *testing.T) {
	if all, err := choose(" "); err != nil || len(all) != len(cases()) {
		t.Errorf("all cases: %v %v", all, err)
	}
	if list, err := choose("list"); err != nil || list != nil {
		t.Errorf("list: %v %v", list, err)
	}
	if one, err := choose("scan"); err != nil || len(one) != 1 || one[0].Name != "scan" {
		t.Errorf("one: %v %v", one, err)
	}
	if _, err := choose("scan,nothing"); err == nil || !strings.Contains(err.Error(), "scan") {
		t.Errorf("an unknown case gives %v", err)
	}
}

func TestProcessIsMeasured(t *testing.T) {
	r := newReport(settings{dir: t.TempDir()}, Case{Name: "x"})
	u, err := r.Process(t.Context(), nil, "sh", "-c", "head -c 60000000 /dev/zero | tail -c 50000000 | wc -c >&2")
	if err != nil || u.Wall <= 0 {
		t.Errorf("%+v %v", u, err)
	}
	if _, err := r.Process(t.Context(), nil, "sh", "-c", "echo a reason >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "a reason") {
		t.Errorf("a command that fails gives %v", err)
	}
	if mib := peakMiB(os.Getpid()); mib < 1 || mib > 4096 {
		t.Errorf("this process has had %v MiB", mib)
	}
}

func TestWideFileCanBeRead(t *testing.T) {
	for _, f := range []wideFile{{meters: 40, days: 3, points: 96}, {meters: 7, days: 60, points: 24, byMeter: true}} {
		path, err := f.make(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		report, err := ingest.Into(context.Background(), ingest.Options{Files: []string{path}}, curve.NewMemory())
		if err != nil {
			t.Fatal(err)
		}
		if report.Days != f.meters*f.days || report.Meters != f.meters || report.First != firstDay() || report.Duplicates > 0 {
			t.Errorf("%+v gave %+v", f, report)
		}
	}
}
