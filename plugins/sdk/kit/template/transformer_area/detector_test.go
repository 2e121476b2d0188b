package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// What any host relies on.
func TestConformance(t *testing.T) { sdktest.Conform(t, NewDetector()) }

// Windows in files, with the reports that are due.
func TestCases(t *testing.T) { sdktest.Cases(t, NewDetector(), "testdata/cases") }

// found judges an area of ten households with a load that no meter counts,
// and says whether there was a finding.
func found(t *testing.T, unmeteredKW float64) bool {
	t.Helper()
	var members []sdktest.Member
	for i := range 10 {
		members = append(members, sdktest.Point(fmt.Sprintf("u-%d", i), sdktest.Household(uint64(i))))
	}
	feed := sdktest.From(0, sdktest.Sum(members), sdktest.Flat(unmeteredKW))
	d := NewDetector()
	scene := sdktest.Scene{Members: append([]sdktest.Member{sdktest.Area("t-1", 100, feed)}, members...)}
	report, err := sdk.Judge(context.Background(), d, scene.Window(d.Describe(), false))
	if err != nil {
		t.Fatal(err)
	}
	return len(report.Findings()) == 1
}

func TestALoadPastTheMetersIsFound(t *testing.T) {
	if !found(t, 4) {
		t.Error("4 kW that no meter counts are not found")
	}
}

// Area has a street light of 1 kW in the records: 0.5 kW around the clock.
func TestKnownUnmeteredLoadIsNot(t *testing.T) {
	if found(t, 0.5) {
		t.Error("the street light of the records is found")
	}
}

func TestConfiguration(t *testing.T) {
	d := NewDetector()
	if err := d.Configure([]byte(`{"limit_pct": 0.1}`)); err == nil {
		t.Error("a limit below 1 % is taken")
	}
	if err := d.Configure([]byte(`{"limit_pct": 20}`)); err != nil || d.limit != 20 {
		t.Errorf("limit %v: %v", d.limit, err)
	}
}
