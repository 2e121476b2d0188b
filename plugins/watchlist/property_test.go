package watchlist

import (
	"context"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// listed is a household with a flat load on top, and a listed range of power.
func listed(id string, seed uint64, kw, low, high float64) sdktest.Member {
	house := sdktest.Household(seed)
	m := sdktest.Point(id, func(day, quarter int) float64 { return house(day, quarter) + kw })
	m.Subject.Numbers[sdk.AttrListedIP], m.Subject.Numbers[sdk.AttrListedEntries] = 1, 1
	m.Subject.Numbers[sdk.AttrListedLowKW], m.Subject.Numbers[sdk.AttrListedHighKW] = low, high
	m.Subject.Texts[sdk.AttrListedAlgorithm] = "sha256"
	return m
}

func judged(t fataler, members ...sdktest.Member) map[string]sdk.Finding {
	t.Helper()
	d := New()
	report, err := sdk.Judge(context.Background(), d, sdktest.Scene{Members: members}.Window(d.Describe(), false))
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]sdk.Finding)
	for _, f := range report.Findings() {
		out[f.Subject] = f
	}
	return out
}

type fataler interface {
	Helper()
	Fatal(args ...any)
}

func TestScalingPowerAndExpectationKeepsTheOutcome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kw, low := rapid.Float64Range(0, 8).Draw(t, "kW"), rapid.Float64Range(0.5, 4).Draw(t, "low")
		high := low * rapid.Float64Range(1.2, 40).Draw(t, "range")
		k := rapid.SampledFrom([]float64{1, 2, 8, 64}).Draw(t, "times")
		one := listed("one", 3, kw, low, high)
		more := listed("more", 3, kw, low, high)
		load := more.Load
		more.Load = func(day, quarter int) float64 { return k * load(day, quarter) }
		for _, name := range []string{sdk.AttrListedLowKW, sdk.AttrListedHighKW, sdk.AttrPeerNightKW} {
			more.Subject.Numbers[name] *= k
		}
		found := judged(t, one, more)
		// What is large enough to be told from nothing stays what it is.
		if a, b := found["one"], found["more"]; a.Metrics["base_beyond_peers_kw"] > leastKW && a.Reason != b.Reason {
			t.Fatalf("%s, and %s at %g times", a.Reason, b.Reason, k)
		}
	})
}

func TestAHouseholdsCurveStaysNearThePrior(t *testing.T) {
	for seed := range uint64(20) {
		f := judged(t, listed("u", seed, 0, 1.4, 9.8))["u"]
		if f.Reason == "listed_address_load_fits" || f.Probability > 0.02 {
			t.Errorf("seed %d: %s with %g at a prior of 0.01", seed, f.Reason, f.Probability)
		}
	}
}

func TestMoreLoadNeverSpeaksAgainst(t *testing.T) {
	last := 0.0
	for _, kw := range []float64{0, 0.2, 0.6, 1, 1.5, 3, 6} { // below the high end of what the rate needs
		p := judged(t, listed("u", 5, kw, 1.4, 9.8))["u"].Probability
		if p < last {
			t.Errorf("with %g kW the probability falls from %g to %g", kw, last, p)
		}
		last = p
	}
	if last < 0.05 || last > 0.2 {
		t.Errorf("a fitting load has %g at a prior of 0.01", last)
	}
}

func TestWeightsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := listed("u", 1, rapid.Float64Range(0, 12).Draw(t, "kW"), rapid.Float64Range(0, 4).Draw(t, "low"), rapid.Float64Range(0, 40).Draw(t, "high"))
		m.Subject.Numbers[sdk.AttrListedShared] = float64(rapid.IntRange(0, 2).Draw(t, "shared"))
		f := judged(t, m)["u"]
		sum := 0.0
		for _, e := range f.Evidence {
			sum += e.LogOdds
		}
		if want := 1 / (1 + math.Exp(-(math.Log(0.01/0.99) + sum))); math.Abs(want-f.Probability) > 1e-9 {
			t.Fatalf("evidence gives %g, the finding says %g", want, f.Probability)
		}
		if len(f.Innocent) < 3 {
			t.Fatal("explanations are missing")
		}
	})
}

func TestOnlyTheListedAreJudged(t *testing.T) {
	m := listed("u", 1, 3, 1, 4)
	delete(m.Subject.Numbers, sdk.AttrListedIP)
	if found := judged(t, m, listed("v", 2, 3, 1, 4)); len(found) != 1 || found["v"].Reason != "listed_address_load_fits" {
		t.Errorf("found %v", fmt.Sprint(found))
	}
}
