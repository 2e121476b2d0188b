package path

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/internal/stream"
)

// Config says what to measure.
type Config struct {
	Addresses    []string // of the simulator, one a device, host:port; devices are numbered from 0
	Dir          string   // for the stream
	Rounds       int
	Warm, Window time.Duration  // of each half of a round
	SimCPU       func() float64 // processor time of the simulator so far, s
	OwnCPU       func() float64 // of this process
	Logger       *slog.Logger
}

// Result is what came out.
type Result struct {
	Label       string  `json:"label"`
	Connections int     `json:"connections"`
	Raw         float64 `json:"raw_per_s"`           // median of the rounds
	Path        float64 `json:"path_per_s"`          //
	Ratio       float64 `json:"ratio"`               // median of the rounds' ratios
	RawCPU      float64 `json:"raw_cpu_s_per_1000"`  // of both processes
	PathCPU     float64 `json:"path_cpu_s_per_1000"` //
	CPURatio    float64 `json:"cpu_ratio"`           // RawCPU by PathCPU: the ratio on a machine that both keep busy
	Rounds      []Round `json:"rounds"`
}

// Round is one turn of each.
type Round struct {
	Raw  float64 `json:"raw_per_s"`
	Path float64 `json:"path_per_s"`
}

// phase is what one half of a round carried.
type phase struct {
	done    int64
	seconds float64
	cpu     float64 // s, of this process and the simulator
}

func (p phase) rate() float64 { return float64(p.done) / p.seconds }

// watch counts what is done within the window, after the warm-up.
type watch struct {
	warm, window time.Duration
	cpu          func() float64
}

func (w watch) run(ctx context.Context, total func() int64) (phase, error) {
	if err := pause(ctx, w.warm); err != nil {
		return phase{}, err
	}
	from, cpu, at := total(), w.cpu(), time.Now()
	err := pause(ctx, w.window)
	return phase{total() - from, time.Since(at).Seconds(), w.cpu() - cpu}, err
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Measure runs the rounds.
func Measure(ctx context.Context, cfg Config) (*Result, error) {
	s, err := stream.Open(ctx, stream.Config{Dir: cfg.Dir, Logger: cfg.Logger})
	if err != nil {
		return nil, fmt.Errorf("poll path: %w", err)
	}
	defer s.Close()
	polls, err := newPolled(cfg.Addresses, s, cfg.Logger)
	if err != nil {
		return nil, err
	}
	plain, err := dialRaw(ctx, cfg.Addresses)
	if err != nil {
		return nil, err
	}
	defer plain.close()
	out := &Result{Label: "path", Connections: len(cfg.Addresses)}
	w := watch{cfg.Warm, cfg.Window, func() float64 { return cfg.SimCPU() + cfg.OwnCPU() }}
	var raw, path half
	for range cfg.Rounds {
		p, err := plain.round(ctx, w)
		if err != nil {
			return nil, err
		}
		raw.add(p)
		if p, err = polls.round(ctx, w); err != nil {
			return nil, err
		}
		path.add(p)
		out.Rounds = append(out.Rounds, Round{raw.last(), path.last()})
	}
	out.Raw, out.Path = median(raw.rates), median(path.rates)
	ratios := make([]float64, 0, len(out.Rounds))
	for _, r := range out.Rounds {
		ratios = append(ratios, r.Path/r.Raw)
	}
	out.Ratio = median(ratios)
	out.RawCPU, out.PathCPU = raw.cpuPer1000(), path.cpuPer1000()
	out.CPURatio = out.RawCPU / out.PathCPU
	return out, nil
}

// half is all rounds of one of the two.
type half struct {
	rates []float64
	done  int64
	cpu   float64
}

func (h *half) add(p phase) {
	h.rates = append(h.rates, p.rate())
	h.done += p.done
	h.cpu += p.cpu
}

func (h *half) last() float64       { return h.rates[len(h.rates)-1] }
func (h *half) cpuPer1000() float64 { return 1000 * h.cpu / float64(max(h.done, 1)) }

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
