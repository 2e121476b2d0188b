package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// TestInspectionsComeBack goes the whole way: a run, a lot, what inspectors
// found, and what that says of the detector.
func TestInspectionsComeBack(t *testing.T) {
	s := newSite(t)
	if code, _, stderr := gridwarden(t, "risk", "sample", "-n", "1", "--seed", "x", "-c", s.config); code != exitFailed || !strings.Contains(stderr, "no detection run is stored yet") {
		t.Errorf("a lot without a run: exit %d, %s", code, stderr)
	}
	db := s.database(t)
	points := []detect.Assessment{
		{UsagePointID: "U1", Risk: 0.92, Findings: []detect.Finding{{Finding: sdk.Finding{Probability: 0.9}, Stamp: detect.Stamp{Detector: "nightowl", Version: "1.2.3"}}}},
		{UsagePointID: "U2", Risk: 0.004},
	}
	if err := db.Results().SaveResult(t.Context(), &detect.Result{RunID: "r1", At: time.Date(2026, 10, 1, 4, 0, 0, 0, time.UTC), Prior: 0.01, UsagePoints: points}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	code, lot, stderr := gridwarden(t, "risk", "sample", "-n", "2", "--seed", "audit 2026-10", "-c", s.config)
	if code != 0 || lot != "usage_point_id,date,outcome,choice,propensity\nU2,,,lot,1\nU1,,,lot,1\n" {
		t.Fatalf("exit %d, %s%s", code, lot, stderr)
	}
	lot = strings.NewReplacer("U2,,,", "U2,2026-10-09,innocent,", "U1,,,", "U1,2026-10-09,confirmed,").Replace(lot)
	file := s.write(t, "inspections.csv", lot+"U1,2026-09-01,confirmed,tip,\n")

	code, stdout, stderr := gridwarden(t, "import", "inspections", file, "--dry-run", "--json", "-c", s.config)
	var doc inspectionsImport
	if err := json.Unmarshal([]byte(stdout), &doc); code != 0 || err != nil || doc.Inspections != 3 || doc.Joined != 2 || !doc.DryRun {
		t.Fatalf("exit %d, %s%s, %v", code, stdout, stderr, err)
	}
	if _, stdout, _ = gridwarden(t, "risk", "report", "-c", s.config); !strings.Contains(stdout, "No inspection has been imported") {
		t.Errorf("a dry run stored something: %s", stdout)
	}
	if code, stdout, stderr = gridwarden(t, "import", "inspections", file, "-c", s.config); code != 0 || !strings.Contains(stdout, "3 inspections imported; 2 of them were judged") {
		t.Fatalf("exit %d, %s%s", code, stdout, stderr)
	}
	_, stdout, _ = gridwarden(t, "risk", "report", "-c", s.config)
	for _, want := range []string{
		"3 inspections: 2 confirmed, 1 innocent", "nightowl 1.2.3", "Abnormal use among all customers: 50 %",
		"No calibration is proposed: 2 inspections were chosen by lot, 20 are the least",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the report does not say %q:\n%s", want, stdout)
		}
	}
	_, stdout, _ = gridwarden(t, "risk", "report", "--json", "-c", s.config)
	var report struct {
		Prevalence *struct{ Share float64 } `json:"prevalence"`
		ByDetector []struct{ Name, Version string }
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || report.Prevalence == nil || report.Prevalence.Share != 0.5 {
		t.Errorf("the document %s, %v", stdout, err)
	}
}

func TestBadInspectionsAreRefusedWhole(t *testing.T) {
	s := newSite(t)
	file := s.write(t, "inspections.csv", "usage_point_id,date,outcome\nU1,2026-10-09,confirmed\nU77,2026-10-09,confirmed\n")
	code, _, stderr := gridwarden(t, "import", "inspections", file, "-c", s.config)
	if code != exitUsage || !strings.Contains(stderr, file+":3: ") || !strings.Contains(stderr, "nothing was imported") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if _, stdout, _ := gridwarden(t, "risk", "report", "-c", s.config); !strings.Contains(stdout, "No inspection has been imported") {
		t.Errorf("half of it was imported: %s", stdout)
	}
}

// TestACalibrationIsProposed imports what makes one, pastes it and checks it.
func TestACalibrationIsProposed(t *testing.T) {
	s := newSite(t)
	db := s.database(t)
	run := &detect.Result{RunID: "r1", At: time.Date(2026, 10, 1, 4, 0, 0, 0, time.UTC), Prior: 0.01}
	rows := "usage_point_id,date,outcome,choice,propensity\n"
	for i := range 80 {
		risk, outcome := 0.7, "confirmed"
		if i%4 != 0 {
			outcome = "innocent"
		}
		if i >= 40 {
			risk, outcome = 0.01, "innocent"
		}
		run.UsagePoints = append(run.UsagePoints, detect.Assessment{UsagePointID: fmt.Sprint("U", i), Risk: risk})
		rows += fmt.Sprintf("U%d,2026-10-09,%s,lot,0.5\n", i, outcome)
	}
	if err := db.Results().SaveResult(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.write(t, "gridwarden.yaml", "data_dir: data\nconsole: {listen: 127.0.0.1:0}\n") // no registry: any point
	file := s.write(t, "inspections.csv", rows)
	if code, stdout, stderr := gridwarden(t, "import", "inspections", file, "-c", s.config); code != 0 {
		t.Fatalf("exit %d, %s%s", code, stdout, stderr)
	}
	_, stdout, _ := gridwarden(t, "risk", "report", "-c", s.config)
	_, proposal, ok := strings.Cut(stdout, "risk:\n")
	if !ok || !strings.Contains(proposal, "slope: 0.") {
		t.Fatalf("ten of forty at a risk of 0.7 must lower it:\n%s", stdout)
	}
	for text, want := range map[string]int{
		"risk:\n" + proposal: 0,
		"risk:\n  calibration: {intercept: 9, slope: 1}\n":  exitUsage,
		"risk:\n  calibration: {intercept: 0, slope: -1}\n": exitUsage,
	} {
		s.write(t, "gridwarden.yaml", "data_dir: data\nconsole: {listen: 127.0.0.1:0}\n"+text)
		if code, _, stderr := gridwarden(t, "check", "-c", s.config); code != want {
			t.Errorf("%s: exit %d, want %d: %s", text, code, want, stderr)
		}
	}
}
