package main

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

// resultsFile is where figures are recorded, those of the final part apart.
func resultsFile(part accuracy.Part) string {
	if part == accuracy.Development {
		return "internal/accuracy/RESULTS.md"
	}
	return "internal/accuracy/RESULTS-" + string(part) + ".md"
}

// write records the run.
func (b *bench) write(now time.Time) error {
	file := resultsFile(b.o.part)
	text := fmt.Sprintf(`# What the detectors find, measured

Written by `+"`make bench-detection BENCH_FLAGS=-write`"+` on %s (%d processors, %.0f s): %s part of the hosts, %d seeds, prior %g.
How it is measured, and why so: ../adr/0021-how-accuracy-is-measured.md.
`, now.UTC().Format("2006-01-02"), runtime.GOMAXPROCS(0), time.Since(b.began).Seconds(), b.o.part, b.o.seeds, b.o.prior)
	if b.o.quick {
		text += "\nThis was a quick run: few trials, wide intervals.\n"
	}
	if err := os.WriteFile(file, []byte(text+b.report.markdown()), 0o644); err != nil { //nolint:gosec // a document of the repository
		return fmt.Errorf("record the results: %w; run it from the repository's root", err)
	}
	b.progress("written to %s", file)
	return nil
}
