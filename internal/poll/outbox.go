package poll

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// outbox gathers readings and hands them to the sink in batches, in order,
// one batch at a time. A batch that the sink refuses is offered again until
// it is taken. While more than max readings wait, add blocks.
type outbox struct {
	sink  Sink
	log   *slog.Logger
	every time.Duration
	size  int
	max   int

	mu      sync.Mutex
	waiting []meter.Reading
	full    chan struct{} // a token when size is reached: send now
	taken   chan struct{} // closed and renewed whenever the sink took some
}

func newOutbox(cfg *Config) *outbox {
	return &outbox{
		sink: cfg.Sink, log: cfg.Logger, every: cfg.FlushEvery, size: cfg.BatchSize, max: cfg.MaxBuffered,
		full: make(chan struct{}, 1), taken: make(chan struct{}),
	}
}

// add takes readings in. It blocks while the sink is too far behind, at most
// until ctx ends; what is being added is kept even then.
func (o *outbox) add(ctx context.Context, list []meter.Reading) {
	o.mu.Lock()
	for len(o.waiting) >= o.max && ctx.Err() == nil {
		taken := o.taken
		o.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
		}
		o.mu.Lock()
	}
	o.waiting = append(o.waiting, list...)
	n := len(o.waiting)
	o.mu.Unlock()
	if n >= o.size {
		select {
		case o.full <- struct{}{}:
		default:
		}
	}
}

// take removes up to size readings.
func (o *outbox) take() []meter.Reading {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := min(len(o.waiting), o.size)
	if n == 0 {
		return nil
	}
	batch := o.waiting[:n:n]
	if n == len(o.waiting) {
		o.waiting = make([]meter.Reading, 0, cap(batch))
	} else {
		o.waiting = o.waiting[n:]
	}
	close(o.taken)
	o.taken = make(chan struct{})
	return batch
}

// run sends until ctx ends. It returns what it could not deliver.
func (o *outbox) run(ctx context.Context) (left []meter.Reading) {
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-o.full:
		}
		for batch := o.take(); batch != nil; batch = o.take() {
			if !o.deliver(ctx, batch) {
				return batch
			}
		}
	}
}

// deliver offers one batch until the sink takes it or ctx ends.
func (o *outbox) deliver(ctx context.Context, batch []meter.Reading) bool {
	wait, told := 50*time.Millisecond, time.Time{}
	for ctx.Err() == nil {
		err := o.sink(ctx, batch)
		if err == nil {
			if !told.IsZero() {
				o.log.Info("readings are taken again")
			}
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if time.Since(told) > time.Minute {
			o.log.Error("readings are not taken; they wait in memory and are offered again", "readings", len(batch), "error", err)
			told = time.Now()
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, 2*time.Second)
	}
	return false
}

// finish delivers what is left within ctx and says what could not be.
func (o *outbox) finish(ctx context.Context, left []meter.Reading) error {
	for batch := left; ; batch = nil {
		if batch == nil {
			if batch = o.take(); batch == nil {
				return nil
			}
		}
		if !o.deliver(ctx, batch) {
			o.mu.Lock()
			lost := len(batch) + len(o.waiting)
			o.mu.Unlock()
			return fmt.Errorf("poll: %d readings were not delivered at the end: the sink did not take them in time; look at the stream's state", lost)
		}
	}
}
