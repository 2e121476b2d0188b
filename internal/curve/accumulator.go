package curve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// AccumulatorConfig says how polled readings become meter-days.
type AccumulatorConfig struct {
	Store    WorkStore
	Reader   string                                   // its name; "curves" where empty
	Token    uint64                                   // of the lease under which it reads
	Location *time.Location                           // the site's zone; nil is UTC
	Interval time.Duration                            // of the days it makes; 15 minutes where 0
	Limits   func(meterID string, t time.Time) Limits // what a supply can carry; may be nil
	Clock    func() time.Time                         // time.Now where nil
	Save     time.Duration                            // how often state is saved; 15 s where 0
	Grace    time.Duration                            // how long after midnight a day closes; 30 min where 0
	MaxLate  time.Duration                            // older readings are ignored; 48 h where 0
	Logger   *slog.Logger                             // may be nil
	Metrics  prometheus.Registerer                    // may be nil
}

// Accumulator turns polled readings into meter-days: interval energies from
// the differences of the cumulative register at the interval's boundaries, or
// by integrating power where a meter has no register, and interval means of
// voltages, currents, power factor and distortion.
//
// A day in progress is stored open when an interval of it has ended, and
// closed some time after local midnight, validated and with gaps estimated as
// in an import. State is saved with it, so that a restart resumes: what was
// read between the last save and a crash is bridged by the register itself.
// Memory is a few kilobytes for each meter. A meter-day that the store holds
// closed, from an import, is left alone.
type Accumulator struct {
	cfg     AccumulatorConfig
	ignored *prometheus.CounterVec

	mu     sync.Mutex
	loaded bool
	meters map[string]*tracker
	saved  time.Time

	position uint64
}

const (
	// furthestAhead is how far a device's clock may run ahead before its
	// readings are ignored.
	furthestAhead = 10 * time.Minute
	// checkpointName is where the state is kept.
	checkpointName = "curve.accumulator"
	// finalFlush bounds the flush at the end of Run.
	finalFlush = 10 * time.Second
)

// NewAccumulator returns an Accumulator; call Accept from a stream's consumer
// and Run beside it.
func NewAccumulator(cfg AccumulatorConfig) (*Accumulator, error) {
	if cfg.Store == nil {
		return nil, fmt.Errorf("accumulator: no store; give it one")
	}
	if cfg.Location == nil {
		cfg.Location = time.UTC
	}
	if cfg.Reader == "" {
		cfg.Reader = "curves"
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{{&cfg.Interval, 15 * time.Minute}, {&cfg.Save, 15 * time.Second}, {&cfg.Grace, 30 * time.Minute}, {&cfg.MaxLate, 48 * time.Hour}} {
		if *d.value <= 0 {
			*d.value = d.fallback
		}
	}
	if !slices.Contains([]time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}, cfg.Interval) {
		return nil, fmt.Errorf("accumulator: interval %v is not supported; it is 5m, 15m, 30m or 1h", cfg.Interval)
	}
	a := &Accumulator{cfg: cfg, meters: map[string]*tracker{}, ignored: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gridwarden_curve_readings_ignored_total",
		Help: "Readings that the curves of today left out, by reason (time, order).",
	}, []string{"reason"})}
	if cfg.Metrics != nil {
		if err := cfg.Metrics.Register(a.ignored); err != nil {
			return nil, fmt.Errorf("accumulator: register metrics: %w", err)
		}
	}
	return a, nil
}

// Accept takes readings in, in any order of meters but in the order of time
// for each quantity of one; what is not newer than the last is ignored, so
// that redelivery is harmless. What it keeps in memory is saved every Save,
// and by Flush.
func (a *Accumulator) Accept(ctx context.Context, readings []meter.Reading, last uint64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(ctx); err != nil {
		return err
	}
	a.position = max(a.position, last)
	now := a.cfg.Clock()
	for i := range readings {
		r := &readings[i]
		if r.MeterID == "" || r.Quality == meter.Bad || !tracked(r.Quantity) {
			continue
		}
		if r.EventTime.After(now.Add(furthestAhead)) || r.EventTime.Before(now.Add(-a.cfg.MaxLate)) {
			a.ignored.WithLabelValues("time").Inc()
			continue
		}
		t := a.meters[r.MeterID]
		if t == nil {
			t = &tracker{id: r.MeterID}
			a.meters[r.MeterID] = t
		}
		taken, err := t.take(ctx, a, r)
		if err != nil {
			return err
		}
		if !taken {
			a.ignored.WithLabelValues("order").Inc()
		}
	}
	if now.Sub(a.saved) >= a.cfg.Save {
		return a.save(ctx, now)
	}
	return nil
}

// Position returns the sequence after which the stream is to be read on: that
// of the last message whose readings are stored.
func (a *Accumulator) Position(ctx context.Context) (uint64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(ctx); err != nil {
		return 0, err
	}
	return a.position, nil
}

// Flush closes the days that are over and saves everything.
func (a *Accumulator) Flush(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(ctx); err != nil {
		return err
	}
	return a.save(ctx, a.cfg.Clock())
}

// Run flushes every Save until ctx is done, and a last time then, so that days
// close also where readings have stopped.
func (a *Accumulator) Run(ctx context.Context) error {
	ticker := time.NewTicker(a.cfg.Save)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalFlush)
			defer cancel()
			return a.Flush(last)
		case <-ticker.C:
			err := a.Flush(ctx)
			if errors.Is(err, ErrFenced) {
				return err
			}
			if err != nil && ctx.Err() == nil {
				a.cfg.Logger.Error("saving the curves of today failed; it is tried again", "error", err)
			}
		}
	}
}

// Meters returns how many meters it follows.
func (a *Accumulator) Meters() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.meters)
}

func (a *Accumulator) limits(meterID string, t time.Time) Limits {
	if a.cfg.Limits == nil {
		return Limits{}
	}
	return a.cfg.Limits(meterID, t)
}

// load reads the state that an earlier process saved.
func (a *Accumulator) load(ctx context.Context) error {
	if a.loaded {
		return nil
	}
	var err error
	if a.position, err = a.cfg.Store.Position(ctx, a.cfg.Reader); err != nil {
		return fmt.Errorf("accumulator: %w", err)
	}
	err = a.cfg.Store.States(ctx, a.cfg.Reader, func(id string, data []byte) error {
		t := &tracker{id: id}
		if err := json.Unmarshal(data, &t.trackerState); err != nil {
			a.cfg.Logger.Warn("a stored state of the curves of today cannot be read; it begins afresh", "error", err)
			return nil
		}
		a.meters[id] = t
		return nil
	})
	if err != nil {
		return fmt.Errorf("accumulator: %w", err)
	}
	a.loaded, a.saved = true, a.cfg.Clock()
	return nil
}

// save stores the days that changed, closes those that are over and then
// saves the state; a crash in between is bridged as any other.
func (a *Accumulator) save(ctx context.Context, now time.Time) error {
	var days []Day
	var features []Features
	for _, t := range a.meters {
		for _, d := range t.days {
			if d.imported {
				continue
			}
			over := !now.Before(d.end.Add(a.cfg.Grace))
			if over {
				days = append(days, a.close(t, d))
			} else if d.dirty {
				days = append(days, *d.day)
			} else {
				continue
			}
			features = append(features, Compute(&days[len(days)-1]))
		}
	}
	commit := Commit{Reader: a.cfg.Reader, Token: a.cfg.Token, Position: a.position, Days: days, Features: features}
	for id, t := range a.meters {
		data, err := json.Marshal(&t.trackerState)
		if err != nil {
			return fmt.Errorf("accumulator: state: %w", err)
		}
		commit.States = append(commit.States, State{MeterID: id, Data: data})
	}
	if err := a.cfg.Store.Commit(ctx, &commit); err != nil {
		return fmt.Errorf("accumulator: %w", err)
	}
	for id, t := range a.meters {
		t.days = slices.DeleteFunc(t.days, func(d *runningDay) bool {
			d.dirty = false
			return !now.Before(d.end.Add(a.cfg.Grace))
		})
		if len(t.days) == 0 && now.Sub(t.newest()) > a.cfg.MaxLate {
			delete(a.meters, id) // a meter that is gone
		}
	}
	a.saved = now
	return nil
}

// close returns the finished form of a day.
func (a *Accumulator) close(t *tracker, d *runningDay) Day {
	day := *d.day
	day.EnergyKWh, day.Quality, day.Flags = slices.Clone(day.EnergyKWh), slices.Clone(day.Quality), slices.Clone(day.Flags)
	day.Open = false
	var counts Counts
	VEE(&day, a.limits(t.id, d.start), &counts)
	if d.opened != nil && d.closed != nil {
		CheckSum(&day, d.closed.V-d.opened.V, &counts)
	}
	return day
}

// dayOf returns the running day of t that holds the moment, from the store
// where an earlier process began it.
func (a *Accumulator) dayOf(ctx context.Context, t *tracker, moment time.Time) (*runningDay, error) {
	for _, d := range t.days {
		if !moment.Before(d.start) && moment.Before(d.end) {
			return d, nil
		}
	}
	date := DateOf(moment.In(a.cfg.Location))
	d := &runningDay{start: date.Start(a.cfg.Location), end: (date + 1).Start(a.cfg.Location)}
	stored, err := a.cfg.Store.Days(ctx, t.id, date, date)
	if err != nil {
		return nil, fmt.Errorf("accumulator: meter %s: %w", t.id, err)
	}
	switch {
	case len(stored) == 0 || stored[0].Open && stored[0].Interval != a.cfg.Interval:
		d.day = newRunningDay(t.id, date, d.start, d.end, a.cfg.Interval)
	case stored[0].Open:
		d.day = &stored[0]
	default:
		d.day, d.imported = &stored[0], true
	}
	t.days = append(t.days, d)
	return d, nil
}
