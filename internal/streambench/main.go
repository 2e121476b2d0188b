package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	missed, err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "streambench:", err)
	}
	if err != nil || missed {
		os.Exit(1)
	}
}

// settings are what the command line says.
type settings struct {
	dir    string // for generated files and data; a case gets a folder in it
	small  bool
	write  string
	part   string // CASE/PART: this process is a part
	report string // of a part: the file for its report
}

func run(ctx context.Context) (missed bool, err error) {
	var s settings
	var names string
	flag.StringVar(&names, "cases", "", "cases, separated by spaces or commas; all where empty; list says what there is")
	flag.StringVar(&s.dir, "dir", "var/bench-streams", "folder for generated files and data")
	flag.BoolVar(&s.small, "small", false, "little data, as a quick check; limits are shown and not held")
	flag.StringVar(&s.write, "write", "", "file to which the table is written too, such as internal/streambench/RESULTS.md")
	flag.StringVar(&s.part, "part", "", "CASE/PART: run one part of a case (the program starts itself so)")
	flag.StringVar(&s.report, "report", "", "file for the report of a part")
	flag.Parse()
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return false, fmt.Errorf("-dir: %w", err)
	}
	if s.part != "" {
		return false, runPart(ctx, s, flag.Args())
	}
	chosen, err := choose(names)
	if err != nil {
		return false, err
	}
	if chosen == nil {
		for _, c := range cases() {
			fmt.Printf("%-8s %s\n", c.Name, c.About)
		}
		return false, nil
	}
	return runCases(ctx, s, chosen)
}

// runCases runs cases one after the other and prints what they measured. A
// case that fails does not keep the others from running.
func runCases(ctx context.Context, s settings, chosen []Case) (missed bool, err error) {
	var reports []*Report
	for _, c := range chosen {
		fmt.Fprintf(os.Stderr, "\n%s: %s\n", c.Name, c.About)
		r := newReport(s, c)
		reports = append(reports, r)
		if err := os.MkdirAll(r.Dir, 0o750); err != nil {
			return true, fmt.Errorf("folder of the case: %w", err)
		}
		began := workSoFar()
		err := c.Run(ctx, r)
		r.Measure("processors used by others", began.others(), "%")
		if err != nil {
			r.failed = err
			fmt.Fprintf(os.Stderr, "  %s failed: %v\n", c.Name, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	fmt.Println()
	table(os.Stdout, reports)
	for _, r := range reports {
		missed = missed || r.missed()
	}
	if s.write != "" {
		return missed, writeResults(s.write, reports)
	}
	return missed, nil
}
