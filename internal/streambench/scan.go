package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/gridwarden/gridwarden/internal/scan"
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
	days, err := scan.Read(ctx, scan.Options{Readings: args[:1]})
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if want := args[1]; strconv.Itoa(days.Report.Days) != want {
		return fmt.Errorf("%d meter-days were read, the file has %s", days.Report.Days, want)
	}
	r.Measure("read, validate, features", days.Took.Seconds(), "s")
	r.Measure("meter-days", float64(days.Report.Days)/days.Took.Seconds(), "1/s")
	return nil
}
