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

// found judges a load among thirty households and says what was found.
func found(t *testing.T, load sdktest.Load) []sdk.Finding {
	t.Helper()
	members := []sdktest.Member{sdktest.Point("u-looked-at", load)}
	for i := range 30 {
		members = append(members, sdktest.Point(fmt.Sprintf("u-%d", i), sdktest.Household(uint64(i))))
	}
	d := NewDetector()
	report, err := sdk.Judge(context.Background(), d, sdktest.Scene{Members: members}.Window(d.Describe(), false))
	if err != nil {
		t.Fatal(err)
	}
	return report.Findings()
}

func TestManyTimesThePeersIsFound(t *testing.T) {
	got := found(t, sdktest.From(0, sdktest.Household(1), sdktest.Flat(4)))
	if len(got) != 1 || got[0].Subject != "u-looked-at" {
		t.Errorf("found %v; 4 kW around the clock among households should be", got)
	}
}

func TestAnOrdinaryHouseholdIsNot(t *testing.T) {
	if got := found(t, sdktest.Household(77)); len(got) != 0 {
		t.Errorf("found %v among ordinary households", got)
	}
}

func TestConfiguration(t *testing.T) {
	d := NewDetector()
	if err := d.Configure([]byte(`{"limit": 0.5}`)); err == nil {
		t.Error("a limit below 1 is taken")
	}
	if err := d.Configure([]byte(`{"limit": 6}`)); err != nil || d.limit != 6 {
		t.Errorf("limit %v: %v", d.limit, err)
	}
}
