package main

import (
	"context"
	"fmt"
	"time"
)

// Bounds of the search for the largest number of devices.
const (
	searchFrom   = 5000 // devices
	searchShare  = 99.9 // % of polls that must be delivered
	searchStep   = 500  // devices between a success and a failure at the end
	searchBudget = 12 * time.Minute
	spareFiles   = 150 // descriptors that a collector needs beside its connections
)

// Largest is the outcome of the search.
type Largest struct {
	Label    string  `json:"label"` // largest
	N        int     `json:"n"`     // most devices at 1 s with 99.9 % delivered
	Limit    string  `json:"limit"` // what keeps it from being more
	Results  []trial `json:"trials"`
	Complete bool    `json:"complete"` // false: the time was up first
}

// trial is one number of devices.
type trial struct {
	N         int     `json:"n"`
	Delivered float64 `json:"delivered_pct"`
	Wrong     int64   `json:"wrong_values"`
	CPU       float64 `json:"cpu_pct"`
	SimCPU    float64 `json:"sim_cpu_pct"`
	RunnerCPU float64 `json:"runner_cpu_pct"`
	Busy      float64 `json:"busy_pct_of_machine"`
	RSS       float64 `json:"rss_mib"`
	PSS       float64 `json:"pss_mib"`
	GapMS     float64 `json:"live_max_gap_ms"`
}

func (t trial) good() bool { return t.Delivered >= searchShare && t.Wrong == 0 }

// largest doubles the number of devices until polls are lost, then halves the
// span between success and failure. most bounds it: so many connections can
// a process open here.
func largest(ctx context.Context, from, most int, budget time.Duration, try func(context.Context, int) (trial, error)) (*Largest, error) {
	out := &Largest{Label: "largest"}
	until := time.Now().Add(budget)
	good, bad := 0, 0
	for n := min(from, most); ; {
		if time.Now().After(until) {
			break
		}
		t, err := try(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("%d devices: %w", n, err)
		}
		out.Results = append(out.Results, t)
		if t.good() {
			good = n
		} else {
			bad = n
		}
		switch {
		case bad == 0 && good == most, bad > 0 && bad-good <= searchStep:
			out.Complete = true
		case bad == 0:
			n = min(2*good, most)
			continue
		default:
			n = (good + bad) / 2 / 100 * 100
			continue
		}
		break
	}
	out.N = good
	out.Limit = out.why(most)
	return out, nil
}

// why says what keeps the number from being larger.
func (l *Largest) why(most int) string {
	if l.N == most {
		return fmt.Sprintf("the limit of open files: a process here may open %d connections", most)
	}
	for _, t := range l.Results {
		if t.N <= l.N || t.good() && l.Complete {
			continue
		}
		text := fmt.Sprintf("at %d devices %.2f %% were delivered; the machine was %.0f %% busy: collector %.0f %%, simulators %.0f %%, runner %.0f %% of a core",
			t.N, t.Delivered, t.Busy, t.CPU, t.SimCPU, t.RunnerCPU)
		if t.Busy >= 90 {
			return "the processor: " + text
		}
		return "the collector: " + text
	}
	return "the time for the search was up"
}

// tryPorts measures n devices on their own ports.
func (r *runner) tryPorts(ctx context.Context, n int) (trial, error) {
	c := onPorts(fmt.Sprint("largest-", n), n)
	// Many connections take a while to open; each step of the search is short.
	c = c.watch(r.warm+time.Duration(n/1000)*500*time.Millisecond, 15*time.Second)
	res, err := r.measure(ctx, &c)
	if err != nil {
		return trial{}, err
	}
	r.log.Info("search", "devices", n, "delivered_pct", res.DeliveredPct, "cpu_pct", res.CPUPct, "busy_pct", res.BusyPct)
	return trial{
		N: n, Delivered: res.DeliveredPct, Wrong: res.WrongValues, CPU: res.CPUPct, SimCPU: 100 * res.SimCPU / res.WindowS,
		RunnerCPU: 100 * res.RunnerCPU / res.WindowS, Busy: res.BusyPct, RSS: res.RSS, PSS: res.PSS, GapMS: res.LiveMaxGapMS,
	}, nil
}
