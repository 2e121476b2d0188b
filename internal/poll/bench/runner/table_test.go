package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestVerdict(t *testing.T) {
	good := func() *Result {
		return &Result{
			Label: "c", Metrics: 30_000, LiveDevices: 1000, DeliveredPct: 99.97, LivePct: 99.99, CPUPer1000: 0.03, RSS: 60,
			LiveMaxGapMS: 1100, LiveMinPolls: 29, Sim: simCounters{"max_gap_ms": 1200},
		}
	}
	all := Limits{Delivered: 100, LiveDelivered: 97, CPU: 0.035, RSS: 70, Gap: 1300 * time.Millisecond, InTurn: true}
	base := &Baseline{Delivered: 99.9}
	for name, c := range map[string]struct {
		change func(*Result)
		limits Limits
		base   *Baseline
		want   string
	}{
		"good":                 {func(*Result) {}, all, base, ""},
		"wrong":                {func(r *Result) { r.WrongValues = 1 }, Limits{}, nil, "1 wrong values"},
		"delivered":            {func(r *Result) { r.DeliveredPct = 99.9 }, all, base, "99.90 % delivered, 100 % wanted"},
		"live":                 {func(r *Result) { r.LivePct = 96 }, all, base, "96.00 % of live delivered, 97 % wanted"},
		"CPU":                  {func(r *Result) { r.CPUPer1000 = 0.0351 }, all, base, "0.0351 CPU s per 1,000 polls, 0.035 allowed"},
		"memory":               {func(r *Result) { r.RSS = 71 }, all, base, "71 MiB, 70 allowed"},
		"gap at the sink":      {func(r *Result) { r.LiveMaxGapMS = 1301 }, all, base, "a gap of 1301 ms, 1.3s allowed"},
		"gap at the slave":     {func(r *Result) { r.Sim["max_gap_ms"] = 1301 }, all, base, "a gap of 1301 ms, 1.3s allowed"},
		"not in turn":          {func(r *Result) { r.LiveMinPolls = 14 }, all, base, "a device got 14 polls where the mean is 30.0"},
		"two things":           {func(r *Result) { r.RSS, r.CPUPer1000 = 80, 1 }, all, base, "1.0000 CPU s per 1,000 polls, 0.035 allowed; 80 MiB, 70 allowed"},
		"no demands, as good":  {func(r *Result) { r.DeliveredPct = 99.87 }, Limits{}, base, ""},
		"no demands, worse":    {func(r *Result) { r.DeliveredPct = 99.7 }, Limits{}, base, "99.70 % delivered, 99.9 % wanted"},
		"no demands, no other": {func(r *Result) { r.DeliveredPct = 5 }, Limits{}, nil, ""},
	} {
		r := good()
		c.change(r)
		if got := r.verdict(c.limits, c.base); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	list := []*Result{
		{Label: "ports-1000", N: 1000, DeliveredPct: 100, LivePct: 100, CPUPer1000: 0.0301, RSS: 65.4, PSS: 60.6, LiveMaxGapMS: 1050, LiveMinPolls: 29, LiveMaxPolls: 31, BusyPct: 12, OtherCPUPct: 3, Sim: simCounters{"max_gap_ms": 1040}},
		{Label: "mine", N: 5, WrongValues: 2},
	}
	var b strings.Builder
	base, err := baseline()
	if err != nil {
		t.Fatal(err)
	}
	table(&b, list, map[string]Limits{"ports-1000": {Delivered: 100, CPU: 0.035, RSS: 70}}, base)
	for _, want := range []string{
		"| ports-1000 | 1000 | 100.00 [100.0] | 100.00 | 0 | 0 | 0.0301 [0.054] | 65 (61) [85] | 1050, 1040 [1021] | 29 to 31 | 12, 3 | ≥ 100 %, ≤ 0.035 s, ≤ 70 MiB | pass |\n",
		"| mine | 5 | 0.00 | 0.00 | 0 | 2 | 0.0000 | 0 (0) | 0, 0 | 0 to 0 | 0, 0 |  | **fail**: 2 wrong values |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s\nis not in\n%s", want, b.String())
		}
	}
}

// TestLargest searches for limits that a made-up collector has.
func TestLargest(t *testing.T) {
	for _, c := range []struct {
		bears, most int
		want        int
		limit       string
		trials      int
	}{
		{12_300, 19_800, 12_300, "the processor: at ", 8},
		{3_000, 19_800, 3_000, "the processor: at ", 6},
		{30_000, 19_850, 19_850, "the limit of open files: a process here may open 19850 connections", 3},
		{0, 19_850, 0, "the processor: at ", 6},
	} {
		found, err := largest(t.Context(), searchFrom, c.most, time.Minute, func(_ context.Context, n int) (trial, error) {
			r := trial{N: n, Delivered: 100, Busy: 50}
			if n > c.bears {
				r.Delivered, r.Busy = 99.8, 99
			}
			return r, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if found.N > c.bears || c.bears-found.N > searchStep && found.N != c.most || !found.Complete || !strings.HasPrefix(found.Limit, c.limit) || len(found.Results) > c.trials {
			t.Errorf("bears %d: %+v", c.bears, found)
		}
	}
	out, err := largest(t.Context(), searchFrom, 19_850, 0, nil)
	if err != nil || out.Complete || out.Limit != "the time for the search was up" {
		t.Errorf("no time: %+v, %v", out, err)
	}
	if _, err := largest(t.Context(), searchFrom, 100, time.Minute, func(context.Context, int) (trial, error) { return trial{}, fmt.Errorf("gone") }); err == nil {
		t.Error("a trial that fails does not end the search")
	}
}
