package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is what a process took.
type Usage struct {
	Wall    time.Duration
	CPU     time.Duration // user and system
	PeakMiB float64       // largest resident memory
}

// Part runs a part of the case in a process of its own and takes over what it
// reports. Values returns what the part measured, by name.
func (r *Report) Part(ctx context.Context, name string, args ...string) (values map[string]float64, u Usage, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, u, fmt.Errorf("this program: %w", err)
	}
	file, err := os.CreateTemp(r.Dir, ".report-*")
	if err != nil {
		return nil, u, fmt.Errorf("report of %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	command := []string{"-dir", r.settings.dir, "-part", r.name + "/" + name, "-report", file.Name()}
	if r.Small {
		command = append(command, "-small")
	}
	if u, err = r.Process(ctx, os.Stderr, self, append(command, args...)...); err != nil {
		return nil, u, err
	}
	var part Report
	if err := json.NewDecoder(file).Decode(&part); err != nil {
		return nil, u, fmt.Errorf("report of %s: %w", name, err)
	}
	values = make(map[string]float64, len(part.Rows))
	for _, row := range part.Rows {
		values[row.Name] = row.Value
		if known := r.row(row.Name); known != nil {
			*known = row
		} else {
			r.Rows = append(r.Rows, row)
		}
	}
	r.Notes = append(r.Notes, part.Notes...)
	return values, u, nil
}

// runPart is this program as a part.
func runPart(ctx context.Context, s settings, args []string) error {
	name, part, _ := strings.Cut(s.part, "/")
	chosen, err := choose(name)
	if err != nil {
		return err
	}
	if len(chosen) != 1 || chosen[0].Parts[part] == nil {
		return fmt.Errorf("no part %q of case %q", part, name)
	}
	r := newReport(s, chosen[0])
	if err := chosen[0].Parts[part](ctx, r, args); err != nil {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("report of %s: %w", s.part, err)
	}
	if err := os.WriteFile(s.report, text, 0o600); err != nil {
		return fmt.Errorf("report of %s: %w", s.part, err)
	}
	return nil
}

// Process runs a command to its end and returns what it took; its standard
// output goes to stdout. The end of its standard error is in the error.
func (r *Report) Process(ctx context.Context, stdout io.Writer, command string, args ...string) (Usage, error) {
	var tail bytes.Buffer
	cmd := exec.CommandContext(ctx, command, args...) //nolint:gosec // what to run is the case's choice
	cmd.Stdout, cmd.Stderr = stdout, io.MultiWriter(os.Stderr, &tail)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return Usage{}, fmt.Errorf("start %s: %w", command, err)
	}
	stop, peak := make(chan struct{}), make(chan float64)
	go func() { peak <- watchPeak(cmd.Process.Pid, stop) }()
	err := cmd.Wait()
	u := Usage{Wall: time.Since(began), CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	close(stop)
	u.PeakMiB = <-peak
	// The kernel's own figure begins with what this process had when it made
	// the other one, and counts only above that.
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		if mib := float64(usage.Maxrss) / 1024; mib > peakMiB(os.Getpid()) {
			u.PeakMiB = mib
		}
	}
	if err != nil {
		text := bytes.TrimSpace(tail.Bytes())
		return u, fmt.Errorf("%s: %w\n%s", command, err, text[max(0, len(text)-2000):])
	}
	return u, nil
}

// watchPeak reads the largest resident memory of a process until stop.
func watchPeak(pid int, stop <-chan struct{}) float64 {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	highest := 0.0
	for {
		highest = max(highest, peakMiB(pid))
		select {
		case <-tick.C:
		case <-stop:
			return highest
		}
	}
}

// peakMiB returns the largest resident memory that a process has had, 0 where
// it is gone.
func peakMiB(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte("VmHWM:"))
	fields := bytes.Fields(rest[:min(len(rest), 40)])
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseFloat(string(fields[0]), 64)
	return kib / 1024
}
