package curve

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
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
	// Rollover says at which primary value a meter's register begins anew; it
	// may be nil, and ok is false where that is not known.
	Rollover func(meterID string, q meter.Quantity) (top float64, ok bool)
	Clock    func() time.Time      // time.Now where nil
	Save     time.Duration         // how often it commits; 30 s where 0
	Grace    time.Duration         // how long after midnight a day closes; 30 min where 0, at once where negative
	MaxLate  time.Duration         // readings that come later are ignored; 7 days where 0
	Logger   *slog.Logger          // may be nil
	Metrics  prometheus.Registerer // may be nil
}

// Accumulator turns polled readings into meter-days: interval energies from
// the differences of the cumulative register at the interval's boundaries, or
// by integrating power where a meter has no register, and interval means of
// voltages, currents, power factor and distortion.
//
// Readings may come in any order and more than once: a day's curve is a
// function of its working set alone. A day in progress is stored open whenever
// an interval of it has ended, and closed some time after local midnight,
// validated and with gaps estimated as in an import. Readings that come after
// that reopen it, for MaxLate: the day becomes a new version where they change
// anything. A meter-day that the store holds closed from an import is left
// alone.
//
// Every Save the days and working sets that changed are stored in one
// transaction with the position of the stream that they agree with, so that
// after a crash, or on another host, reading goes on exactly there.
type Accumulator struct {
	cfg     AccumulatorConfig
	ignored *prometheus.CounterVec
	made    *prometheus.CounterVec
	rules   *prometheus.CounterVec
	seed    maphash.Seed

	mu        sync.Mutex
	loaded    bool
	ended     error // ErrFenced once another reader has taken over
	position  uint64
	committed uint64 // position of the last commit
	meters    map[string]*tracker
	changed   []*tracker // since the last commit
	nextClose time.Time  // no day in work closes before
	readings  int        // since the last commit
	behind    time.Time  // newest time at which an accepted reading was received, since the last commit
	day       dayBounds
	damages   int
}

type dayBounds struct {
	date       Date
	start, end time.Time
}

const (
	// furthestAhead is how far a device's clock may run ahead before its
	// readings are ignored.
	furthestAhead = 10 * time.Minute
	// mostReadings is how many readings are accepted between two commits.
	mostReadings = 1_000_000
	// finalCommit bounds the commit at the end of Run.
	finalCommit = 10 * time.Second
)

// NewAccumulator returns an Accumulator. Read its Position, call Accept with
// what comes after it, and Run beside that.
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
	if cfg.Limits == nil {
		cfg.Limits = func(string, time.Time) Limits { return Limits{} }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{{&cfg.Interval, 15 * time.Minute}, {&cfg.Save, 30 * time.Second}, {&cfg.Grace, 30 * time.Minute}, {&cfg.MaxLate, 7 * 24 * time.Hour}} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	cfg.Grace = max(0, cfg.Grace)
	if !slices.Contains([]time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}, cfg.Interval) {
		return nil, fmt.Errorf("accumulator: interval %v is not supported; it is 5m, 15m, 30m or 1h", cfg.Interval)
	}
	a := &Accumulator{cfg: cfg, meters: map[string]*tracker{}, seed: maphash.MakeSeed()}
	return a, a.register()
}

func (a *Accumulator) register() error {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	a.ignored = counter("gridwarden_curve_readings_ignored_total", "Readings that curves left out, by reason (time, closed).", "reason")
	a.made = counter("gridwarden_curve_days_total", "Meter-days stored closed from polled readings, by origin (polled, late).", "origin")
	a.rules = counter("gridwarden_curve_intervals_total", "Intervals of polled meter-days that a validation rule met when the day closed, by rule.", "rule")
	if a.cfg.Metrics == nil {
		return nil
	}
	for _, c := range []**prometheus.CounterVec{&a.ignored, &a.made, &a.rules} {
		if err := a.cfg.Metrics.Register(*c); err != nil {
			var taken prometheus.AlreadyRegisteredError
			existing, ok := (*prometheus.CounterVec)(nil), false
			if errors.As(err, &taken) { // a reader of another partition
				existing, ok = taken.ExistingCollector.(*prometheus.CounterVec)
			}
			if !ok {
				return fmt.Errorf("accumulator: register metrics: %w", err)
			}
			*c = existing
		}
	}
	return nil
}

// Position returns the sequence after which the stream is to be read on: that
// of the last message whose readings are in.
func (a *Accumulator) Position(ctx context.Context) (uint64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(ctx); err != nil {
		return 0, err
	}
	return a.position, nil
}

// Accept takes readings in; last is the sequence of the message that ends
// with them, 0 where they come from no stream. It keeps nothing of the slice.
// After an error the same readings may be given again, but for ErrFenced.
func (a *Accumulator) Accept(ctx context.Context, readings []meter.Reading, last uint64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(ctx); err != nil {
		return err
	}
	if a.ended != nil {
		return a.ended
	}
	now := a.cfg.Clock()
	for i := range readings {
		if err := a.accept(ctx, &readings[i], now); err != nil {
			return fmt.Errorf("accumulator: %w", err)
		}
	}
	a.position = max(a.position, last)
	if a.readings += len(readings); a.readings >= mostReadings {
		return a.commit(ctx, now, false)
	}
	return nil
}

func (a *Accumulator) accept(ctx context.Context, r *meter.Reading, now time.Time) error {
	code, ok := usable(r)
	if !ok {
		return nil
	}
	came := now
	if !r.ReceiveTime.IsZero() && r.ReceiveTime.Before(now) {
		came = r.ReceiveTime
	}
	if came.After(a.behind) {
		a.behind = came
	}
	if r.EventTime.After(now.Add(furthestAhead)) || r.EventTime.Before(came.Add(-a.cfg.MaxLate)) {
		a.ignored.WithLabelValues("time").Inc()
		return nil
	}
	t := a.meters[r.MeterID]
	if t == nil {
		var err error
		if t, err = a.follow(ctx, r.MeterID); err != nil {
			return err
		}
	}
	return t.take(ctx, a, r, code, now)
}

// follow begins to follow a meter, with what another reader has stored of it.
func (a *Accumulator) follow(ctx context.Context, meterID string) (*tracker, error) {
	data, err := a.cfg.Store.State(ctx, meterID)
	if err != nil {
		return nil, fmt.Errorf("meter %s: %w", meterID, err)
	}
	t := &tracker{id: meterID}
	if data != nil {
		t = a.restore(meterID, data)
	}
	a.meters[meterID] = t
	return t, nil
}

// restore reads a stored state; one that cannot be read begins afresh.
func (a *Accumulator) restore(meterID string, data []byte) *tracker {
	t, err := decodeState(meterID, data)
	if err != nil {
		a.damaged("meter "+meterID, err)
		return &tracker{id: meterID}
	}
	t.stored = maphash.Bytes(a.seed, data)
	return t
}

// damaged warns, once, that stored state cannot be read: its loss costs the
// intervals under way, refusing it all to come.
func (a *Accumulator) damaged(what string, err error) {
	if a.damages++; a.damages == 1 {
		a.cfg.Logger.Warn("stored state of curves in work cannot be read; they begin afresh", "first", what, "error", err)
	}
}

// load reads the state that was stored last.
func (a *Accumulator) load(ctx context.Context) error {
	if a.loaded {
		return nil
	}
	position, err := a.cfg.Store.Position(ctx, a.cfg.Reader)
	if err != nil {
		return fmt.Errorf("accumulator: %w", err)
	}
	clear(a.meters)
	err = a.cfg.Store.States(ctx, a.cfg.Reader, func(id string, data []byte) error {
		a.meters[id] = a.restore(id, data)
		return nil
	})
	if err != nil {
		return fmt.Errorf("accumulator: %w", err)
	}
	a.loaded, a.position, a.committed = true, position, position
	return nil
}

// Flush commits and closes every day that is over.
func (a *Accumulator) Flush(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(ctx); err != nil {
		return err
	}
	return a.commit(ctx, a.cfg.Clock(), true)
}

// Run commits every Save until ctx is done, and a last time then. It ends with
// ErrFenced where another reader has taken over; after other errors it tries
// again.
func (a *Accumulator) Run(ctx context.Context) error {
	ticker := time.NewTicker(a.cfg.Save)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalCommit)
			defer cancel()
			return a.save(last)
		case <-ticker.C:
			err := a.save(ctx)
			if errors.Is(err, ErrFenced) {
				return err
			}
			if err != nil && ctx.Err() == nil {
				a.cfg.Logger.Error("storing curves failed; it is tried again", "error", err)
			}
		}
	}
}

func (a *Accumulator) save(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(ctx); err != nil {
		return err
	}
	return a.commit(ctx, a.cfg.Clock(), false)
}

// Meters returns how many meters it follows.
func (a *Accumulator) Meters() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.meters)
}

// bounds returns the local day that holds a moment.
func (a *Accumulator) bounds(ms int64) (date Date, start, end time.Time) {
	moment := time.UnixMilli(ms)
	if b := &a.day; b.end.IsZero() || moment.Before(b.start) || !moment.Before(b.end) {
		b.date = DateOf(moment.In(a.cfg.Location))
		b.start, b.end = b.date.Start(a.cfg.Location), (b.date + 1).Start(a.cfg.Location)
	}
	return a.day.date, a.day.start, a.day.end
}

func (a *Accumulator) queue(t *tracker) {
	if !t.queued {
		t.queued = true
		a.changed = append(a.changed, t)
	}
}
