// Command district judges the simulated district at several seeds and prints
// where the planted stories end up:
//
//	go run ./internal/accuracy/district -seeds 1,2,3
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/sim"
)

func main() {
	seeds := flag.String("seeds", "1", "seeds of the district, joined by commas")
	days := flag.Int("days", 60, "days of history")
	until := flag.String("until", "2026-06-30", "last day of the history")
	keep := flag.String("keep", "", "folder that keeps the exports for the next run; empty: none")
	verbose := flag.Bool("v", false, "print the evidence behind each story and each innocent above the threshold")
	flag.Parse()
	if err := run(*seeds, *days, *until, *keep, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "district:", err)
		os.Exit(1)
	}
}

func run(seeds string, days int, until, keep string, verbose bool) error {
	last, err := curve.ParseDate(until)
	if err != nil {
		return fmt.Errorf("-until: %w", err)
	}
	for _, text := range strings.Split(seeds, ",") {
		seed, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("-seeds: %q is not a number", text)
		}
		if err := judge(seed, days, last, keep, verbose); err != nil {
			return err
		}
	}
	return nil
}

func judge(seed int64, days int, until curve.Date, keep string, verbose bool) error {
	ctx := context.Background()
	d, err := sim.New(sim.Config{Seed: seed, Until: until, Days: days})
	if err != nil {
		return err
	}
	dir := filepath.Join(keep, fmt.Sprintf("district-%d-%d-%s", seed, days, until))
	if keep == "" {
		if dir, err = os.MkdirTemp("", "district"); err != nil {
			return fmt.Errorf("folder for the export: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
	if _, err := os.Stat(filepath.Join(dir, "truth.json")); err != nil {
		if err := d.Export(ctx, dir, nil); err != nil {
			return err
		}
	}
	r, err := accuracy.ScanExport(ctx, dir, 0, 0.01)
	if err != nil {
		return err
	}
	show(seed, d, r, verbose)
	return nil
}

func show(seed int64, d *sim.District, r *detect.Result, verbose bool) {
	for _, f := range r.Failed {
		fmt.Printf("detector %s failed: %s\n", f.Detector, f.Error)
	}
	points := r.UsagePoints
	sort.SliceStable(points, func(i, k int) bool {
		if points[i].Risk != points[k].Risk {
			return points[i].Risk > points[k].Risk
		}
		return points[i].UsagePointID < points[k].UsagePointID
	})
	rank, planted := map[string]int{}, map[string]string{}
	for i := range points {
		rank[points[i].UsagePointID] = i + 1
	}
	verdicts := map[string]*detect.TransformerAssessment{}
	for i := range r.Transformers {
		verdicts[r.Transformers[i].TransformerID] = &r.Transformers[i]
	}
	found, flags := 0, 0
	for _, p := range d.Truth() {
		if p.UsagePointID == "" {
			t := verdicts[p.TransformerID]
			fmt.Printf("  %-30s %-12s %v %v p95 %.0f hot %.0f unexplained %.0f\n", p.Story, p.Expect, t.Verdicts, t.Suspects, t.LoadingP95Pct, t.HotSpotMaxC, t.UnexplainedKWhMonth)
			continue
		}
		planted[p.UsagePointID] = p.Story
		a := points[rank[p.UsagePointID]-1]
		fmt.Printf("  %-30s %-12s risk %.4f rank %3d %v\n", p.Story, p.Expect, a.Risk, rank[p.UsagePointID], a.Reasons)
		if p.Expect == sim.ExpectFlag {
			flags++
			if rank[p.UsagePointID] <= 15 {
				found++
			}
		}
		if verbose {
			detail(&a)
		}
	}
	lookalike := map[string]string{}
	for _, l := range d.Lookalikes() {
		lookalike[l.UsagePointID] = l.Kind
	}
	innocents := 0
	for i := range points {
		a := &points[i]
		if planted[a.UsagePointID] == "" && (a.Risk >= 0.5 || i < 16) {
			if a.Risk >= 0.5 {
				innocents++
			}
			fmt.Printf("  innocent %s %q risk %.4f rank %d mean %.2f kW %v\n", a.UsagePointID, lookalike[a.UsagePointID], a.Risk, i+1, a.MeanKW, a.Reasons)
			if verbose && a.Risk >= 0.3 {
				detail(a)
			}
		}
	}
	counts := map[string]int{}
	for _, t := range r.Transformers {
		counts[strings.Join(t.Verdicts, ";")]++
		if len(t.Suspects) > 0 {
			var who []string
			for _, s := range t.Suspects {
				who = append(who, s+" "+planted[s])
			}
			fmt.Printf("  transformer %s %v suspects %v\n", t.TransformerID, t.Verdicts, who)
		}
	}
	fmt.Printf("seed %d: %d of %d flagged customers at rank 15 or better, %d innocents of %d above 0.5, transformers %v\n", seed, found, flags, innocents, len(points)-len(planted), counts)
}

func detail(a *detect.Assessment) {
	for _, c := range a.Contributions {
		fmt.Printf("      %-16s %+.2f\n", c.Source, c.LogOdds)
	}
	for _, f := range a.Findings {
		for _, e := range f.Evidence {
			if e.LogOdds > 0.3 || e.LogOdds < -0.3 {
				fmt.Printf("        %-14s %+.2f %s\n", f.Stamp.Detector, e.LogOdds, e.Text)
			}
		}
	}
}
