package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/internal/historian"
	"github.com/gridwarden/gridwarden/internal/historian/bareclient"
	"github.com/gridwarden/gridwarden/internal/stream"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// What draining has to reach.
const (
	drainRatio  = 1.1
	steadyMiB   = 200
	steadyRate  = 20_000 // points a second
	steadyTime  = time.Minute
	drainRounds = 3
	toInflux    = "historian" // the stream's durable
)

// drainCase measures how fast the stream drains into InfluxDB.
func drainCase() Case {
	return Case{
		Name: "drain", About: "from the stream to InfluxDB's acknowledgement, beside the bare client's WriteAPI.WritePoint; memory at 20,000 points/s",
		Run:   drainRun,
		Parts: map[string]Part{"bare": drainBare, "ours": drainOurs, "steady": drainSteady},
	}
}

// influxIn runs an InfluxDB of its own in dir.
func influxIn(ctx context.Context, dir, addr string) (*historian.Child, error) {
	c, err := historian.StartChild(ctx, historian.ChildConfig{
		Binary: filepath.Join("bin", "influxd"), Dir: filepath.Join(dir, "influxdb"), Addr: addr, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("InfluxDB: %w", err)
	}
	return c, nil
}

// streamIn is how the streams of these cases are set up. InfluxDB works off
// requests of some thousand lines with less effort than small ones: a fetch
// takes more messages than it does by default.
func streamIn(dir string) stream.Config {
	return stream.Config{Dir: filepath.Join(dir, "stream"), FetchBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler)}
}

func drainRun(ctx context.Context, r *Report) error {
	rounds := drainRounds
	if r.Small {
		rounds = 1
	}
	var bare, ours []map[string]float64
	var usages [2]Usage
	for range rounds {
		for which, name := range []string{"bare", "ours"} {
			values, usage, err := fresh(ctx, r, name, "lines")
			if err != nil {
				return err
			}
			usages[which] = usage
			if which == 0 {
				bare = append(bare, values)
			} else {
				ours = append(ours, values)
			}
		}
	}
	single, _, err := fresh(ctx, r, "bare", "single")
	if err != nil {
		return err
	}
	r.Rows = nil // the rounds one by one
	bareRate, ourRate := median(bare, "lines/s"), median(ours, "lines/s")
	r.Measure("bare client, a line for each device and moment", bareRate, "lines/s")
	r.Measure("bare client, the same in readings", median(bare, "readings/s"), "readings/s")
	r.Measure("bare client, a point for each reading", single["readings/s"], "readings/s")
	r.Measure("stream to acknowledgement", ourRate, "lines/s")
	r.Measure("stream to acknowledgement, the same in readings", median(ours, "readings/s"), "readings/s")
	r.Measure("stream to acknowledgement, beside the bare client", ourRate/bareRate, "times")
	r.Limit("stream to acknowledgement, beside the bare client", ourRate/bareRate, AtLeast, drainRatio)
	r.Measure("processor time of the bare client's process", usages[0].CPU.Seconds(), "s")
	r.Measure("processor time of ours, with the stream's writing before", usages[1].CPU.Seconds(), "s")
	r.Measure("processor time of InfluxDB for the bare client", median(bare, "influx"), "s")
	r.Measure("processor time of InfluxDB for ours", median(ours, "influx"), "s")
	r.Note("the same readings on both sides, ten to a line, written to an InfluxDB 1.8.10 of its own for each run; medians of %d runs in turn. The bare client gets a point with the same tags and fields for each line, made in the run; it writes batches of 5,000. Ours reads the embedded stream, where the readings were put before, and acknowledges there after InfluxDB has.", rounds)
	return steadyRun(ctx, r)
}

// fresh runs a part against an InfluxDB that is new.
func fresh(ctx context.Context, r *Report, part string, args ...string) (values map[string]float64, u Usage, err error) {
	dir, err := os.MkdirTemp(r.Dir, "run-")
	if err != nil {
		return nil, u, fmt.Errorf("folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	influx, err := influxIn(ctx, dir, "")
	if err != nil {
		return nil, u, err
	}
	defer func() { err = errors.Join(err, influx.Close()) }()
	before := processorSeconds(influx.PID())
	if values, u, err = r.Part(ctx, part, append([]string{influx.URL(), dir}, args...)...); err != nil {
		return nil, u, err
	}
	values["influx"] = processorSeconds(influx.PID()) - before
	return values, u, nil
}

// processorSeconds is what a process has used so far, 0 where that is not told.
func processorSeconds(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may have spaces
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100 // clock ticks
}

func median(of []map[string]float64, name string) float64 {
	var all []float64
	for _, values := range of {
		all = append(all, values[name])
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// drained are the readings that both sides write: 500 devices for ten minutes.
func drained(r *Report) []meter.Reading {
	return newFleet(500, time.Now().Add(-time.Hour).Truncate(time.Second)).seconds(0, r.Scale(600, 40))
}

func drainBare(ctx context.Context, r *Report, args []string) error {
	readings := drained(r)
	result, err := bareclient.Write(ctx, args[0], historian.DefaultOrg, historian.DefaultBucket, readings, args[2] == "single")
	if err != nil {
		return err
	}
	r.Measure("lines/s", float64(result.Lines)/result.Took.Seconds(), "lines/s")
	r.Measure("readings/s", float64(result.Readings)/result.Took.Seconds(), "readings/s")
	h, err := historian.Open(historian.Config{URL: args[0], Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return errors.Join(countBack(ctx, h, readings[0].EventTime, len(readings)), h.Close())
}

// countBack compares what InfluxDB holds with what was written.
func countBack(ctx context.Context, h *historian.Historian, from time.Time, want int) error {
	n, err := h.Count(ctx, from.Add(-time.Hour), from.Add(24*time.Hour))
	if err != nil {
		return err
	}
	if n != int64(want) {
		return fmt.Errorf("InfluxDB holds %d readings, %d were written", n, want)
	}
	return nil
}

// asProgram makes this process keep its memory as the program does.
func asProgram() { debug.SetGCPercent(35) }

func drainOurs(ctx context.Context, r *Report, args []string) (err error) {
	asProgram()
	s, err := stream.Open(ctx, streamIn(args[1]))
	if err != nil {
		return err
	}
	defer s.Close()
	n, from, err := fill(ctx, r, s)
	if err != nil {
		return err
	}
	debug.FreeOSMemory()
	h, err := historian.Open(historian.Config{URL: args[0], Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	began := time.Now()
	feed := startFeed(ctx, s, h)
	if err := untilDrained(ctx, s); err != nil {
		return errors.Join(err, feed.stop())
	}
	took := time.Since(began).Seconds()
	r.Measure("lines/s", float64(n/perDevice)/took, "lines/s")
	r.Measure("readings/s", float64(n)/took, "readings/s")
	return errors.Join(feed.stop(), countBack(ctx, h, from, n))
}

// fill puts the readings into the stream, and keeps none of them.
func fill(ctx context.Context, r *Report, s *stream.Stream) (n int, from time.Time, err error) {
	readings := drained(r)
	return len(readings), readings[0].EventTime, s.PublishReadings(ctx, readings)
}

// feed moves readings from the stream to InfluxDB until it is stopped.
type feed struct {
	cancel context.CancelFunc
	group  *errgroup.Group
	taken  atomic.Int64 // readings
}

func startFeed(ctx context.Context, s *stream.Stream, h *historian.Historian) *feed {
	ctx, cancel := context.WithCancel(ctx)
	f := &feed{cancel: cancel, group: new(errgroup.Group)}
	f.group.Go(func() error {
		return h.Feed(ctx, func(ctx context.Context, write func(context.Context, []meter.Reading) error) error {
			return s.ConsumeReadings(ctx, toInflux, func(ctx context.Context, readings []meter.Reading) error {
				err := write(ctx, readings)
				if err == nil {
					f.taken.Add(int64(len(readings)))
				}
				return err
			})
		})
	})
	return f
}

func (f *feed) stop() error {
	f.cancel()
	return f.group.Wait() //nolint:wrapcheck // of our own function
}

// untilDrained waits until nothing of the stream is left to be acknowledged.
func untilDrained(ctx context.Context, s *stream.Stream) error {
	for {
		n, err := s.Backlog(ctx, toInflux)
		if err != nil || n == 0 {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// steadyRun measures the memory of a process that publishes, streams and
// writes at a steady rate: of readings, and of lines, which is ten times that.
func steadyRun(ctx context.Context, r *Report) error {
	for name, rate := range map[string]int{"readings": steadyRate, "lines": steadyRate * perDevice} {
		values, usage, err := fresh(ctx, r, "steady", strconv.Itoa(rate))
		if err != nil {
			return err
		}
		what := "memory at 20,000 " + name + "/s"
		r.Measure(what, usage.PeakMiB, "MiB")
		r.Limit(what, usage.PeakMiB, AtMost, steadyMiB)
		r.Measure("written at 20,000 "+name+"/s", values["steady"], "readings/s")
	}
	r.drop("steady")
	return nil
}

// drop leaves out a value of a part.
func (r *Report) drop(name string) {
	r.Rows = slices.DeleteFunc(r.Rows, func(row Row) bool { return row.Name == name })
}

// drainSteady publishes as many readings a second as args[2] says, in batches
// of a tenth of a second, and writes them at the same time.
func drainSteady(ctx context.Context, r *Report, args []string) (err error) {
	asProgram()
	rate, err := strconv.Atoi(args[2])
	if err != nil {
		return fmt.Errorf("rate: %w", err)
	}
	s, err := stream.Open(ctx, streamIn(args[1]))
	if err != nil {
		return err
	}
	defer s.Close()
	h, err := historian.Open(historian.Config{URL: args[0], Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	feed := startFeed(ctx, s, h)
	seconds := r.Scale(int(steadyTime.Seconds()), 10)
	began := time.Now()
	p := pump{s: s, fleet: newFleet(rate/perDevice, began.Truncate(time.Second))}
	if err := p.run(ctx, seconds, time.Second); err != nil {
		return errors.Join(err, feed.stop())
	}
	if err := untilDrained(ctx, s); err != nil {
		return errors.Join(err, feed.stop())
	}
	r.Measure("steady", float64(feed.taken.Load())/time.Since(began).Seconds(), "readings/s")
	return feed.stop()
}
