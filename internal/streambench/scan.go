package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/ingest"
)

// What the reading of a scan may take.
const (
	scanSeconds = 8
	scanMiB     = 1.2e9 / (1 << 20)
)

// scanCase reads a wide CSV as `gridwarden scan` does, up to detection.
func scanCase() Case {
	return Case{
		Name: "scan", About: "read, validate and compute features of a wide CSV, 100,000 meters x 30 days x 96 points",
		Run: scanRun, Parts: map[string]Part{"read": scanRead},
	}
}

func scanRun(ctx context.Context, r *Report) error {
	file := wideFile{meters: r.Scale(100_000, 2_000), days: 30, points: 96}
	path, err := file.make(ctx, r.Dir)
	if err != nil {
		return err
	}
	values, usage, err := r.Part(ctx, "read", path, strconv.Itoa(file.meters*file.days))
	if err != nil {
		return err
	}
	r.Limit("read, validate, features", values["read, validate, features"], AtMost, scanSeconds)
	r.Measure("peak memory", usage.PeakMiB, "MiB")
	r.Limit("peak memory", usage.PeakMiB, AtMost, scanMiB)
	r.Measure("processor time", usage.CPU.Seconds(), "s")
	return nil
}

func scanRead(ctx context.Context, r *Report, args []string) error {
	debug.SetGCPercent(35)
	began := time.Now()
	report, err := ingest.Into(ctx, ingest.Options{Files: args[:1]}, curve.NewMemory())
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	took := time.Since(began).Seconds()
	if want := args[1]; strconv.Itoa(report.Days) != want {
		return fmt.Errorf("%d meter-days were read, the file has %s", report.Days, want)
	}
	r.Measure("read, validate, features", took, "s")
	r.Measure("meter-days", float64(report.Days)/took, "1/s")
	return nil
}
