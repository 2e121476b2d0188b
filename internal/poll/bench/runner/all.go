package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// all does what is planned, one after the other. It prints the JSON line of
// each case when it is done, and a table at the end.
func (r *runner) all(ctx context.Context, w io.Writer, p plan, results string) error {
	if p.list {
		for _, c := range cases() {
			fmt.Fprintf(w, "%-20s %5d devices, every %v\t%s\n", c.Label, c.N, c.Interval, c.Limits)
		}
		return nil
	}
	if err := r.measureAll(ctx, w, p.cases, results); err != nil {
		return err
	}
	if p.largest {
		if err := r.search(ctx, w, results); err != nil {
			return err
		}
	}
	if p.path {
		return r.pollPath(ctx, w, results)
	}
	return nil
}

// measureAll runs cases and prints the table, also of those before a failure.
func (r *runner) measureAll(ctx context.Context, w io.Writer, list []Case, results string) error {
	base, err := baseline()
	if err != nil {
		return err
	}
	limits := make(map[string]Limits)
	var done []*Result
	var failure error
	for i := range list {
		c := &list[i]
		limits[c.Label] = c.Limits
		r.log.Info("case", "label", c.Label, "number", i+1, "of", len(list))
		res, err := r.measure(ctx, c)
		if err != nil {
			failure = err
			break
		}
		done = append(done, res)
		if err := emit(w, results, res); err != nil {
			return err
		}
	}
	if len(done) > 0 {
		fmt.Fprintln(w)
		table(w, done, limits, base)
	}
	return failure
}

// search looks for the largest number of devices.
func (r *runner) search(ctx context.Context, w io.Writer, results string) error {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	const addresses = 254
	most := min(int(min(files.Max, 1<<20))-spareFiles, addresses*perSimulator)
	found, err := largest(ctx, r.largestFrom, most, r.largestBudget, r.tryPorts)
	if err != nil {
		return err
	}
	if err := emit(w, results, found); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d devices at 1 s with at least %g %% delivered; limited by %s\n", found.N, searchShare, found.Limit)
	return nil
}

// emit prints one JSON line, and appends it to a file where there is one.
func emit(w io.Writer, file string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	fmt.Fprintf(w, "%s\n", text)
	if file == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return fmt.Errorf("-results: %w", err)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // named by the caller
	if err != nil {
		return fmt.Errorf("-results: %w", err)
	}
	if _, err := fmt.Fprintf(f, "%s\n", text); err != nil {
		_ = f.Close()
		return fmt.Errorf("-results: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("-results: %w", err)
	}
	return nil
}
