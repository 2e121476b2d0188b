package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// judgeCase scans the file of the scan case with a registry, detection and all.
func judgeCase() Case {
	return Case{
		Name: "judge", About: "`gridwarden scan` of 100,000 meters x 30 days x 96 points against a registry of 100,000 usage points, detection included",
		Run: judgeRun,
	}
}

func judgeRun(ctx context.Context, r *Report) error {
	program := filepath.Join("bin", "gridwarden")
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("%w; run `make gridwarden` in the repository's folder", err)
	}
	file := wideFile{meters: r.Scale(100_000, 2_000), days: 30, points: 96}
	readings := filepath.Join(r.settings.dir, scanCase().Name) // which has made the file, or will need it
	if err := os.MkdirAll(readings, 0o750); err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	path, err := file.make(ctx, readings)
	if err != nil {
		return err
	}
	registry, out := filepath.Join(r.Dir, "registry"), filepath.Join(r.Dir, "out")
	if err := writeRegistry(registry, file.meters); err != nil {
		return err
	}
	usage, err := r.Process(ctx, os.Stderr, program, "scan", "--registry", registry, "--readings", path, "--out", out)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(out, "findings.json")) //nolint:gosec // in the case's folder
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	var result struct {
		Seconds struct{ Read, Detect float64 }
	}
	if err := json.Unmarshal(text, &result); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	r.Measure("read, validate, features", result.Seconds.Read, "s")
	r.Measure("detect", result.Seconds.Detect, "s")
	r.Measure("whole program", usage.Wall.Seconds(), "s")
	r.Measure("processor time", usage.CPU.Seconds(), "s")
	r.Measure("peak memory", usage.PeakMiB, "MiB")
	r.Limit("peak memory", usage.PeakMiB, AtMost, scanMiB)
	return nil
}

// pointsPerTransformer is how many usage points hang on a transformer.
const pointsPerTransformer = 50

// writeRegistry writes records for the meters of a generated file: dwellings,
// and a shop in ten.
func writeRegistry(dir string, meters int) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return errors.Join(
		writeLines(filepath.Join(dir, "transformers.csv"), "transformer_id,feeder_id,substation_id,rated_kva", (meters+pointsPerTransformer-1)/pointsPerTransformer,
			func(i int) string { return fmt.Sprintf("T%d,F%d,S1,400", i, i/100) }),
		writeLines(filepath.Join(dir, "customers.csv"), "customer_id,category,class,declared_use,contracted_kva,tariff_id", meters, func(i int) string {
			if i%10 == 9 {
				return fmt.Sprintf("C%d,commercial,ordinary,computer_sales,40,", i)
			}
			return fmt.Sprintf("C%d,residential,residential,dwelling,10,", i)
		}),
		writeLines(filepath.Join(dir, "usage_points.csv"), "usage_point_id,meter_id,customer_id,transformer_id", meters,
			func(i int) string { return fmt.Sprintf("U%d,%s,C%d,T%d", i, meterName(i), i, i/pointsPerTransformer) }),
	)
}

func writeLines(path, header string, n int, line func(int) string) error {
	f, err := os.Create(path) //nolint:gosec // in the case's folder
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	w := bufio.NewWriter(f)
	_, err = fmt.Fprintln(w, header)
	for i := 0; i < n && err == nil; i++ {
		_, err = fmt.Fprintln(w, line(i))
	}
	if err = errors.Join(err, w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return nil
}
