// Command bench measures what the shipped detectors find and whom they bother,
// by the risk that `scan --all` writes:
//
//	go run ./internal/accuracy/bench [-data DIR] [-quick] [-check] [-write]
//
// It injects mines and legitimate flat loads into real loads by two injectors
// that were written apart, judges untouched months, transformers with theft
// and simulated districts, prints tables beside their limits and draws curves
// to var/bench-detection. `make bench-detection` runs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/curve"
)

func main() {
	var o options
	flag.StringVar(&o.data, "data", "", "folder of the real loads; default $"+variable+", then "+usualFolder+", then simulated loads")
	part := flag.String("part", string(accuracy.Development), "hosts to take: development; final is for the figure that is published, once nothing is changed any more")
	flag.IntVar(&o.seeds, "seeds", 10, "trials of each injector, and districts")
	flag.Float64Var(&o.prior, "prior", 0.01, "base rate of abnormal use that is declared to the detectors")
	flag.StringVar(&o.program, "program", "bin/gridwarden", "program whose scan is compared with the steps of scan in this process; empty: none")
	flag.StringVar(&o.out, "out", "var/bench-detection", "folder for the curves")
	flag.BoolVar(&o.quick, "quick", false, "fewer trials: a first look in a minute or two")
	check := flag.Bool("check", false, "exit with 1 where a limit is missed")
	write := flag.Bool("write", false, "write internal/accuracy/RESULTS.md, or RESULTS-final.md of the final part")
	only := flag.String("only", "", "parts to run, joined by commas: mining, conditions, months, theft, district; default all")
	flag.Parse()
	o.part = accuracy.Part(*part)
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	missed, err := run(ctx, &o, *write)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	case missed > 0 && *check:
		os.Exit(1)
	}
}

// until is the last day of the simulated districts, 2026-06-30.
const until curve.Date = 20634

func run(ctx context.Context, o *options, write bool) (missed int, err error) {
	began := time.Now()
	b, err := newBench(ctx, o)
	if err != nil {
		return 0, err
	}
	for _, step := range b.steps() {
		if !o.wants(step.name) {
			continue
		}
		if err := step.do(ctx); err != nil {
			return 0, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	missed = b.report.limitsSection()
	b.progress("finished in %.0f s", time.Since(began).Seconds())
	fmt.Print(b.report.text())
	if err := b.curves(); err != nil {
		return missed, err
	}
	if write {
		if err := b.write(time.Now()); err != nil {
			return missed, err
		}
	}
	return missed, nil
}
