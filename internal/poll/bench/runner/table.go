package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// near is how far below a share may fall and still round to it: a window's
// edges cut polls off at one end and add some at the other.
const near = 0.05

// verdict says where a result falls short of what its case demands; "" where
// nowhere. Without demands of its own a case must deliver what the baseline
// did. A wrong value is never right.
func (r *Result) verdict(l Limits, base *Baseline) string {
	var list []string
	short := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if r.WrongValues > 0 {
		short("%d wrong values", r.WrongValues)
	}
	if l.Delivered == 0 && l.LiveDelivered == 0 && base != nil {
		l.Delivered = min(base.Delivered, 100)
	}
	if r.DeliveredPct < l.Delivered-near {
		short("%.2f %% delivered, %g %% wanted", r.DeliveredPct, l.Delivered)
	}
	if r.LivePct < l.LiveDelivered-near {
		short("%.2f %% of live delivered, %g %% wanted", r.LivePct, l.LiveDelivered)
	}
	if l.CPU > 0 && r.CPUPer1000 > l.CPU {
		short("%.4f CPU s per 1,000 polls, %g allowed", r.CPUPer1000, l.CPU)
	}
	if l.RSS > 0 && r.RSS > l.RSS {
		short("%.0f MiB, %g allowed", r.RSS, l.RSS)
	}
	if gap := max(r.LiveMaxGapMS, r.Sim["max_gap_ms"]); l.Gap > 0 && gap > l.Gap.Seconds()*1000 {
		short("a gap of %.0f ms, %v allowed", gap, l.Gap.Round(time.Millisecond))
	}
	if mean := r.mean(); l.InTurn && float64(r.LiveMinPolls) < mean/2 {
		short("a device got %d polls where the mean is %.1f", r.LiveMinPolls, mean)
	}
	return strings.Join(list, "; ")
}

// mean is the mean number of delivered polls of a device that always answers.
func (r *Result) mean() float64 {
	return float64(r.Metrics) / float64(max(r.LiveDevices, 1))
}

// table prints results beside the baseline, whose numbers are in brackets.
func table(w io.Writer, results []*Result, limits map[string]Limits, base map[string]Baseline) {
	fmt.Fprintln(w, "| case | devices | delivered % | of live % | bad live | wrong | CPU s per 1,000 polls | RSS (PSS) MiB | largest gap ms: sink, slave | polls of a device | machine busy %, by others | wanted | verdict |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range results {
		b, known := base[r.Label]
		beside := func(format string, v float64) string {
			if !known {
				return ""
			}
			return " [" + fmt.Sprintf(format, v) + "]"
		}
		var against *Baseline
		wanted := limits[r.Label].String()
		if known {
			against = &b
		}
		if wanted == "" && known {
			wanted = fmt.Sprintf("≥ %.1f %%, as recorded", min(b.Delivered, 100))
		}
		verdict := r.verdict(limits[r.Label], against)
		if verdict == "" {
			verdict = "pass"
		} else {
			verdict = "**fail**: " + verdict
		}
		fmt.Fprintf(w, "| %s | %d | %.2f%s | %.2f | %d | %d | %.4f%s | %.0f (%.0f)%s | %.0f, %.0f%s | %d to %d | %.0f, %.0f | %s | %s |\n",
			r.Label, r.N, r.DeliveredPct, beside("%.1f", b.Delivered), r.LivePct, r.BadPollsLive, r.WrongValues,
			r.CPUPer1000, beside("%.3f", b.CPU), r.RSS, r.PSS, beside("%.0f", b.RSS),
			r.LiveMaxGapMS, r.Sim["max_gap_ms"], beside("%.0f", b.GapMS), r.LiveMinPolls, r.LiveMaxPolls, r.BusyPct, r.OtherCPUPct, wanted, verdict)
	}
	fmt.Fprintln(w, "\nIn square brackets: the recorded baseline, Telegraf 1.40.")
}
