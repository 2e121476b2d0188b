package main

import (
	"context"
	"fmt"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/scan"
)

// What the reading of a scan may take.
const (
	scanSeconds = 8
	scanMiB     = 1.2e9 / (1 << 20)
)

// scanCase reads a wide CSV as `gridwarden scan` does, up to detection, and
// has DuckDB read the same file.
func scanCase() Case {
	return Case{
		Name: "scan", About: "Read, validate and compute features of a wide CSV, 100,000 meters x 30 days x 96 points; DuckDB computes five aggregates a meter",
		Run: scanRun, Parts: map[string]Part{"read": scanRead},
	}
}

func scanRun(ctx context.Context, r *Report) error {
	file := wideFile{meters: r.Scale(100_000, 2_000), days: 30, points: 96}
	r.Log("generating the file, unless it is there")
	path, err := file.make(ctx, r.Dir)
	if err != nil {
		return err
	}
	peer, peerUsage, err := duckDB(ctx, r, path, file.points)
	if err != nil {
		return err
	}
	values, usage, err := r.Part(ctx, "read", path)
	if err != nil {
		return err
	}
	if values["meters"] != float64(peer.Meters) || values["values"] != float64(peer.Values) {
		return fmt.Errorf("%v values of %v meters were read, DuckDB has %d of %d", values["values"], values["meters"], peer.Values, peer.Meters)
	}
	seconds := values["read, validate, features"]
	r.Limit("read, validate, features", seconds, AtMost, scanSeconds)
	r.Measure("peak memory", usage.PeakMiB, "MiB")
	r.Limit("peak memory", usage.PeakMiB, AtMost, scanMiB)
	r.Measure("processor time", usage.CPU.Seconds(), "s")
	r.Measure("DuckDB", peer.Seconds, "s")
	r.Measure("DuckDB: peak memory", peerUsage.PeakMiB, "MiB")
	r.Measure("DuckDB: processor time", peerUsage.CPU.Seconds(), "s")
	r.Measure("time, of DuckDB's", seconds/peer.Seconds, "")
	r.Measure("processor time, of DuckDB's", usage.CPU.Seconds()/peerUsage.CPU.Seconds(), "")
	return nil
}

func scanRead(ctx context.Context, r *Report, args []string) error {
	days, err := scan.Read(ctx, scan.Options{Readings: args[:1]})
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	report := days.Report
	r.Measure("read, validate, features", days.Took.Seconds(), "s")
	r.Measure("meter-days", float64(report.Days)/days.Took.Seconds(), "1/s")
	r.Measure("meters", float64(report.Meters), "")
	r.Measure("values", float64(report.Intervals-report.Rules[curve.RuleGap]), "")
	return nil
}
