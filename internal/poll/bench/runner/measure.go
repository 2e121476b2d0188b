package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Ways in which a collector delivers.
const (
	outInflux = "influx"
	outStdout = "stdout"
)

// runner measures cases.
type runner struct {
	collector    string // command with {cfg}
	gen, out     string
	sim          string // binary
	dir          string // work folder; a case has a folder below it
	warm, window time.Duration
	drain        time.Duration // after the window, in which polls of the window may still arrive
	ports        ports
	stats, sink  string // addresses; "" and port 0: free ones
	jitter       string // of Telegraf, as the following two
	agentExtra   string
	timeout      string

	largestFrom   int // where the search for the largest number of devices begins
	largestBudget time.Duration
	log           *slog.Logger
}

// drainTime is the default of runner.drain.
const drainTime = 3 * time.Second

// measure runs one case.
func (r *runner) measure(ctx context.Context, c *Case) (_ *Result, err error) {
	dir, err := r.folder(c.Label)
	if err != nil {
		return nil, err
	}
	list := c.devices(r.ports)
	t := newTally(c, list, r.gen == genGridwarden)
	sinkAddress := r.sink
	if r.out == outInflux {
		s, err := openSink(ctx, r.sink, t)
		if err != nil {
			return nil, err
		}
		defer s.close()
		sinkAddress = s.address
	}
	cfg, err := r.writeConfig(c, list, dir, sinkAddress)
	if err != nil {
		return nil, err
	}
	sims, err := startSimulators(ctx, r.sim, dir, c.simulators(r.ports), r.stats)
	if err != nil {
		return nil, err
	}
	defer stopSimulators(sims)
	collector, lines, err := r.startCollector(dir, cfg, t)
	if err != nil {
		return nil, err
	}
	defer func() {
		collector.stop(15 * time.Second)
		err = errors.Join(err, <-lines)
	}()
	res := describe(c, r.out)
	if err := r.watch(ctx, c, &res, t, list, sims, collector); err != nil {
		return nil, fmt.Errorf("case %s: %w", c.Label, err)
	}
	if len(t.samples) > 0 {
		if _, err := file(dir, "wrong.txt", strings.Join(t.samples, "\n")+"\n"); err != nil {
			return nil, err
		}
	}
	return &res, nil
}

// folder makes the case's folder anew.
func (r *runner) folder(label string) (string, error) {
	dir, err := filepath.Abs(filepath.Join(r.dir, label))
	if err != nil {
		return "", fmt.Errorf("folder of case %s: %w", label, err)
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o750)); err != nil {
		return "", fmt.Errorf("folder of case %s: %w", label, err)
	}
	return dir, nil
}

// startCollector starts the collector. What comes on lines is the error of
// reading its standard output, where polls come from there.
func (r *runner) startCollector(dir, cfg string, t *tally) (_ *process, lines <-chan error, err error) {
	ended := make(chan error, 1)
	command := strings.Fields(strings.ReplaceAll(r.collector, "{cfg}", cfg))
	if len(command) == 0 {
		return nil, nil, errors.New("no collector: give -collector")
	}
	stdout := io.Writer(nil)
	if r.out == outStdout {
		from, to := io.Pipe()
		stdout = to
		go func() { ended <- t.read(bufio.NewReaderSize(from, 1<<20)) }()
		defer func() {
			if err != nil {
				_ = to.Close()
			}
		}()
		p, err := start(filepath.Join(dir, "collector.log"), stdout, nil, command...)
		if err != nil {
			return nil, nil, err
		}
		go func() {
			<-p.ended
			_ = to.Close()
		}()
		return p, ended, nil
	}
	close(ended)
	p, err := start(filepath.Join(dir, "collector.log"), stdout, []string{tokenVariable + "=t"}, command...)
	return p, ended, err
}

// watch warms up, watches the window, and fills in the result.
func (r *runner) watch(ctx context.Context, c *Case, res *Result, t *tally, list []Device, sims []*simulator, collector *process) error {
	warm, window := c.Warm, c.Window
	if warm == 0 {
		warm = r.warm
	}
	if window == 0 {
		window = r.window
	}
	alive := func(d time.Duration) error { return during(ctx, d, collector, sims) }
	if err := alive(warm); err != nil {
		return err
	}
	for _, s := range sims {
		if _, err := get(ctx, s.stats+"reset"); err != nil {
			return err
		}
	}
	logged := collector.logSize()
	before := take(collector, sims)
	t.begin(before.at, window)
	if err := alive(time.Until(before.at.Add(window))); err != nil {
		return err
	}
	after := take(collector, sims)
	var counters []simCounters
	for _, s := range sims {
		one, err := s.counters(ctx)
		if err != nil {
			return err
		}
		counters = append(counters, one)
	}
	res.logged(collector.logged(logged))
	if err := alive(r.drain); err != nil {
		return err
	}
	res.polls(c, t, list, window)
	res.processor(before, after)
	res.Sim = join(counters)
	return nil
}

// take samples processor time and memory.
func take(collector *process, sims []*simulator) *sample {
	s := &sample{at: time.Now(), collector: treeUsage(collector.pid())}
	for _, p := range sims {
		s.simulators += processUsage(p.pid()).cpu
	}
	s.runner = processUsage(os.Getpid()).cpu
	s.machineBusy, s.machine = machineTicks()
	return s
}

// during waits for a time, as long as all programs run.
func during(ctx context.Context, d time.Duration, collector *process, sims []*simulator) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-collector.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := collector.running(); err != nil {
		return err
	}
	for _, s := range sims {
		if err := s.running(); err != nil {
			return err
		}
	}
	return nil
}
