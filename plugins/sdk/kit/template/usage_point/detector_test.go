package main

import (
	"context"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// What any host relies on.
func TestConformance(t *testing.T) { sdktest.Conform(t, NewDetector()) }

// Windows in files, with the reports that are due.
func TestCases(t *testing.T) { sdktest.Cases(t, NewDetector(), "testdata/cases") }

// found judges one household and says whether there was a finding.
func found(t *testing.T, load sdktest.Load) bool {
	t.Helper()
	d := NewDetector()
	scene := sdktest.Scene{Members: []sdktest.Member{sdktest.Point("u-1", load)}}
	report, err := sdk.Judge(context.Background(), d, scene.Window(d.Describe(), false))
	if err != nil {
		t.Fatal(err)
	}
	return len(report.Findings()) == 1
}

func TestMachinesAtNightAreFound(t *testing.T) {
	if !found(t, sdktest.From(0, sdktest.Household(1), sdktest.Flat(4))) {
		t.Error("4 kW around the clock on top of a household are not found")
	}
}

func TestAnOrdinaryHouseholdIsNot(t *testing.T) {
	if found(t, sdktest.Household(1)) {
		t.Error("an ordinary household is found")
	}
}

func TestConfiguration(t *testing.T) {
	d := NewDetector()
	if err := d.Configure([]byte(`{"times": 0.5}`)); err == nil {
		t.Error("times below 1 are taken")
	}
	if err := d.Configure([]byte(`{"times": 20}`)); err != nil || d.times != 20 {
		t.Errorf("times %v: %v", d.times, err)
	}
}
