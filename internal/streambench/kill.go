package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/historian"
	"github.com/gridwarden/gridwarden/internal/sim"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

const (
	kills      = 50
	killSeed   = 4502
	killBucket = "kill"
	// A reading waits a few hundred milliseconds for its batch: what was served
	// in the last second before a kill may not have been acknowledged.
	batchWait = time.Second
	settling  = 2 * time.Minute
)

// killCase kills the program at random moments while it polls and writes.
func killCase() Case {
	return Case{
		Name: "kill", About: fmt.Sprintf("the program, polling and writing to InfluxDB, is killed %d times at random moments", kills),
		Run: killRun,
	}
}

// seriesKey names what one device says of one quantity.
type seriesKey struct {
	device   string
	quantity meter.Quantity
}

// servedAnswers remembers what the simulated devices answered, and when.
type servedAnswers struct {
	mu     sync.Mutex
	values map[seriesKey]map[float64][]time.Time
}

func (a *servedAnswers) add(s sim.Served) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for q, v := range s.Values {
		key := seriesKey{s.DeviceID, q}
		if a.values[key] == nil {
			a.values[key] = make(map[float64][]time.Time)
		}
		a.values[key][v] = append(a.values[key][v], now)
	}
}

func killRun(ctx context.Context, r *Report) (err error) {
	times := r.Scale(kills, 5)
	dir, err := os.MkdirTemp(r.Dir, "run-")
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	influx, err := historian.StartChild(ctx, historian.ChildConfig{
		Binary: filepath.Join("bin", "influxd"), Dir: filepath.Join(dir, "influxdb"), Database: killBucket, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fmt.Errorf("InfluxDB: %w", err)
	}
	defer func() { err = errors.Join(err, influx.Close()) }()

	answers := &servedAnswers{values: make(map[seriesKey]map[float64][]time.Time)}
	district, err := sim.New(sim.Config{Seed: 1, Until: curve.DateOf(time.Now().UTC()) - 1, Days: 2})
	if err != nil {
		return fmt.Errorf("district: %w", err)
	}
	server, err := district.Serve(ctx, sim.ServeOptions{
		Transformers: []string{"T-1010", "T-1011", "T-1012"}, WithoutOPCUA: true, OnServe: answers.add,
	})
	if err != nil {
		return fmt.Errorf("district: %w", err)
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	file := filepath.Join(dir, "gridwarden.yaml")
	if err := os.WriteFile(file, []byte(killConfig(server, influx.URL())), 0o600); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}

	random := rand.New(rand.NewPCG(killSeed, killSeed))
	began := time.Now().Add(-time.Minute)
	var killed []time.Time
	for i := range times {
		p, err := startProgram(ctx, file)
		if err != nil {
			return err
		}
		wait := 500*time.Millisecond + time.Duration(random.Int64N(int64(4*time.Second)))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), p.kill())
		}
		killed = append(killed, time.Now())
		if err := p.kill(); err != nil {
			return err
		}
		if (i+1)%10 == 0 {
			r.Log("killed %d times", i+1)
		}
	}
	p, err := startProgram(ctx, file)
	if err != nil {
		return err
	}
	settled := p.settle(ctx)
	// From here on nothing more is polled: the end is as sudden as the others.
	killed = append(killed, time.Now())
	if err := errors.Join(settled, p.kill()); err != nil {
		return err
	}
	return compareKilled(ctx, r, answers, killed, influx.URL(), began)
}

// killConfig is a configuration of the served devices.
func killConfig(server *sim.Server, influx string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "data_dir: data\nconsole: {listen: 127.0.0.1:0}\nhistorian: {url: %q, bucket: %s}\nplugins: {built_in: []}\ndevices:\n", influx, killBucket)
	for _, d := range server.Devices() {
		fmt.Fprintf(&b, "  - {id: %s, url: %q, profile: %s, meter_id: %s}\n", d.ID, d.URL, d.Profile, d.MeterID)
	}
	return b.String()
}

// program is a running gridwarden.
type program struct {
	cmd     *exec.Cmd
	console string
}

func startProgram(ctx context.Context, file string) (*program, error) {
	cmd := exec.CommandContext(ctx, filepath.Join("bin", "gridwarden"), "run", "-c", file, "--log", "error")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("program: %w; run make gridwarden", err)
	}
	p := &program{cmd: cmd}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "Console on "); ok {
			p.console = address
			return p, nil
		}
	}
	return nil, errors.Join(errors.New("program: it ended before its console was up"), cmd.Wait())
}

func (p *program) kill() error {
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill: %w", err)
	}
	_ = p.cmd.Wait() // it was killed
	return nil
}

// settle waits until nothing waits for the historian.
func (p *program) settle(ctx context.Context) error {
	deadline := time.Now().Add(settling)
	time.Sleep(2 * batchWait) // until the first batches are there, and the consumer is known
	for calm := 0; calm < 3; {
		backlog, err := p.backlog(ctx)
		if err == nil && backlog <= 2 {
			calm++
		} else {
			calm = 0
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("the stream's backlog is %v after %v", backlog, settling), err)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("stopped: %w", context.Cause(ctx))
		}
	}
	return nil
}

// backlog reads the historian's backlog from the metrics.
func (p *program) backlog(ctx context.Context) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.console+"/metrics", nil)
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), "} ")
		if ok && strings.HasPrefix(name, "gridwarden_stream_backlog{") && strings.Contains(name, `consumer="historian"`) {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, fmt.Errorf("metrics: %w", err)
			}
			return v, nil
		}
	}
	return 0, errors.New("metrics: no backlog of the historian")
}

// compareKilled looks for every answer in InfluxDB.
func compareKilled(ctx context.Context, r *Report, answers *servedAnswers, killed []time.Time, url string, began time.Time) (err error) {
	h, err := historian.Open(historian.Config{URL: url, Bucket: killBucket, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	stored := make(map[seriesKey]map[float64]int)
	moments := make(map[seriesKey]map[time.Time]int)
	err = h.Values(ctx, began, time.Now().Add(time.Minute), func(v historian.Value) error {
		key := seriesKey{v.DeviceID, v.Quantity}
		if stored[key] == nil {
			stored[key], moments[key] = make(map[float64]int), make(map[time.Time]int)
		}
		stored[key][v.Value]++
		moments[key][v.Time]++
		return nil
	})
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	answers.mu.Lock()
	defer answers.mu.Unlock()
	checked, lost, twice := 0, 0, 0
	for key, values := range answers.values {
		for value, at := range values {
			certain := 0
			for _, t := range at {
				if !justBefore(t, killed) {
					certain++
				}
			}
			checked += certain
			lost += max(0, certain-stored[key][value])
			twice += max(0, stored[key][value]-len(at))
		}
	}
	for _, times := range moments {
		for _, n := range times {
			twice += n - 1
		}
	}
	r.Measure("kills", float64(len(killed)), "")
	r.Measure("acknowledged readings checked", float64(checked), "")
	r.Limit("acknowledged readings checked", float64(checked), AtLeast, float64(r.Scale(100_000, 1000)))
	r.Measure("lost", float64(lost), "")
	r.Limit("lost", float64(lost), AtMost, 0)
	r.Measure("duplicates in queries", float64(twice), "")
	r.Limit("duplicates in queries", float64(twice), AtMost, 0)
	return nil
}

// justBefore reports whether a moment lies so close before a kill that its
// reading may not have been acknowledged, or after it, on its way still.
func justBefore(at time.Time, killed []time.Time) bool {
	for _, k := range killed {
		if gap := k.Sub(at); gap < batchWait && gap > -batchWait {
			return true
		}
	}
	return false
}
