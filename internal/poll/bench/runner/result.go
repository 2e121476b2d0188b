package main

import (
	"strings"
	"time"
)

// Result is the line of JSON that a case ends in.
type Result struct {
	Label     string  `json:"label"`
	Mode      string  `json:"mode"`
	Style     string  `json:"style"`
	N         int     `json:"n"`
	IntervalS float64 `json:"interval_s"`
	WindowS   float64 `json:"window_s"`
	LatencyMS int64   `json:"latency_ms"`
	Stall     float64 `json:"stall"`
	Exc       float64 `json:"exc"`
	Flap      float64 `json:"flap"`
	SimExtra  string  `json:"sim_extra,omitempty"`
	Out       string  `json:"out"`
	At        string  `json:"at"`

	// Polls of the window. A delivered one arrived whole, all values good and
	// served by the simulator at the time.
	Metrics      int64   `json:"metrics"` // delivered polls
	MetricsPerS  float64 `json:"metrics_per_s"`
	FieldsPerS   float64 `json:"fields_per_s"`
	ExpectedPerS float64 `json:"expected_per_s"`
	DeliveredPct float64 `json:"delivered_pct"`      // of the polls of all devices
	LivePct      float64 `json:"live_delivered_pct"` // of those of devices while they answered
	LiveExpected float64 `json:"live_expected"`
	BadPolls     int64   `json:"bad_polls"`      // incomplete, or a value not good; those of dead devices are such
	BadPollsLive int64   `json:"bad_polls_live"` // of devices that answered at the time
	WrongPolls   int64   `json:"wrong_polls"`
	WrongValues  int64   `json:"wrong_values"`
	Duplicates   int64   `json:"duplicate_lines"` // also those before the window
	Unreadable   int64   `json:"unreadable_lines"`
	Lines        int64   `json:"lines"`
	BytesPer     float64 `json:"bytes_per_metric"`
	FirstMS      int64   `json:"first_metric_ms"`          // from the collector's start
	LiveMaxGapMS float64 `json:"live_max_gap_ms"`          // between delivered polls, of devices that always answer
	LiveGapOver  int     `json:"live_gap_over_1500ms"`     // such devices with a longer gap
	LiveDevices  int     `json:"live_devices"`             // devices that always answer
	LiveMinPolls int     `json:"live_min_polls"`           // delivered ones of the device that got fewest
	LiveMaxPolls int     `json:"live_max_polls"`           //
	FlapMaxGapMS float64 `json:"flap_max_gap_ms"`          // of those that come and go, while they answered
	CPU          float64 `json:"cpu_s"`                    // of the collector's process tree in the window
	CPUPct       float64 `json:"cpu_pct"`                  // of one core
	CPUPer1000   float64 `json:"cpu_s_per_1000_metrics"`   //
	RSS          float64 `json:"rss_mib"`                  // at the end of the window, added up over the tree
	PSS          float64 `json:"pss_mib"`                  // the same, shared pages counted once
	HWM          float64 `json:"hwm_mib"`                  // most of RSS
	Threads      int64   `json:"threads"`                  //
	SimCPU       float64 `json:"sim_cpu_s"`                //
	RunnerCPU    float64 `json:"runner_cpu_s"`             // this program's own, as sink
	OtherCPUPct  float64 `json:"other_cpu_pct_of_machine"` // all but collector and simulator
	BusyPct      float64 `json:"busy_pct_of_machine"`      // all

	Sim simCounters `json:"sim"`

	// What the collector logged in the window.
	Slow     int `json:"warn_slow_collection"`
	Warnings int `json:"warn_total"`
	Errors   int `json:"err_total"`
	Overflow int `json:"overflow_warn"`
}

// describe begins the result of a case.
func describe(c *Case, out string) Result {
	return Result{
		Label: c.Label, Mode: c.Mode, Style: c.Style, N: c.N, IntervalS: c.Interval.Seconds(), LatencyMS: c.Latency.Milliseconds(),
		Stall: c.Faults.Stall, Exc: c.Faults.Exceptions, Flap: c.Faults.Flap, SimExtra: strings.Join(c.SimExtra, " "), Out: out,
	}
}

// polls fills in what arrived.
func (r *Result) polls(c *Case, t *tally, list []Device, window time.Duration) {
	n, g := t.end(), t.gaps()
	r.WindowS = window.Seconds()
	r.At = time.Unix(0, t.from).UTC().Format(time.RFC3339)
	r.ExpectedPerS = float64(c.N) / c.Interval.Seconds()
	r.Metrics = n.delivered
	r.MetricsPerS = float64(n.delivered) / window.Seconds()
	r.FieldsPerS = 10 * r.MetricsPerS
	r.DeliveredPct = 100 * r.MetricsPerS / r.ExpectedPerS
	if r.LiveExpected = c.alive(list, time.Unix(0, t.from), time.Unix(0, t.to)); r.LiveExpected > 0 {
		r.LivePct = 100 * float64(n.delivered) / r.LiveExpected
	}
	r.BadPolls, r.BadPollsLive, r.WrongPolls, r.WrongValues = n.bad, n.badLive, n.wrongPolls, n.wrongValues
	r.Duplicates, r.Unreadable, r.Lines = n.duplicates, n.unreadable, n.lines
	r.BytesPer = float64(n.bytes) / float64(max(n.delivered, 1))
	r.FirstMS = t.first.Milliseconds()
	r.LiveMaxGapMS, r.FlapMaxGapMS = g.live.Seconds()*1000, g.flapping.Seconds()*1000
	r.LiveGapOver, r.LiveDevices, r.LiveMinPolls, r.LiveMaxPolls = g.late, g.answer, g.least, g.most
}

// logged fills in what the collector logged. Telegraf marks levels by W! and
// E!, Gridwarden by level=WARN and level=ERROR.
func (r *Result) logged(text string) {
	r.Slow = strings.Count(text, "Collection took longer than expected")
	r.Warnings = strings.Count(text, " W! ") + strings.Count(text, "level=WARN")
	r.Errors = strings.Count(text, " E! ") + strings.Count(text, "level=ERROR")
	r.Overflow = strings.Count(text, "dropped")
}

// sample is a moment's reading of processor time.
type sample struct {
	at                   time.Time
	collector            usage
	simulators, runner   float64
	machineBusy, machine float64
}

// processor fills in what was used between two samples.
func (r *Result) processor(before, after *sample) {
	r.CPU = after.collector.cpu - before.collector.cpu
	elapsed := after.at.Sub(before.at).Seconds()
	r.CPUPct = 100 * r.CPU / elapsed
	// The samples are a little further apart than the window is long.
	r.CPUPer1000 = 1000 * r.CPU / max(r.MetricsPerS*elapsed, 1)
	r.RSS, r.HWM, r.PSS, r.Threads = after.collector.rss, after.collector.hwm, after.collector.pss, after.collector.threads
	r.SimCPU, r.RunnerCPU = after.simulators-before.simulators, after.runner-before.runner
	if ticks := after.machine - before.machine; ticks > 0 {
		r.BusyPct = 100 * (after.machineBusy - before.machineBusy) / ticks
		r.OtherCPUPct = r.BusyPct - 100*(r.CPU+r.SimCPU)*ticksPerSecond/ticks
	}
}
