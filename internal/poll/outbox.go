package poll

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// spareChunks is how many emptied chunks are kept for use again: one to fill
// while another is with the sink, and one for a burst.
const spareChunks = 2

// outbox gathers readings in chunks of one batch and hands them to the sink
// in order, one batch at a time. A batch that the sink refuses is offered
// again until it is taken. A reading is copied once, into its chunk, and a
// chunk that the sink has taken is filled again.
type outbox struct {
	sink  Sink
	log   *slog.Logger
	every time.Duration
	size  int
	max   int

	mu      sync.Mutex
	filling []meter.Reading   // the chunk that is being filled; nil before the first reading
	full    [][]meter.Reading // before it, oldest first
	spare   [][]meter.Reading
	waiting int           // readings in full and filling
	ready   chan struct{} // a token when a batch is there: send now
	taken   chan struct{} // closed whenever the sink took some; nil while nobody waits

	added     int64 // readings ever
	delivered int64 // of those, in their order

	backlog atomic.Int64 // readings that the sink has not taken, with those that it is offered now
}

func newOutbox(cfg *Config) *outbox {
	return &outbox{
		sink: cfg.Sink, log: cfg.Logger, every: cfg.FlushEvery, size: cfg.BatchSize, max: cfg.MaxBuffered,
		ready: make(chan struct{}, 1),
	}
}

// add takes readings in. It never blocks: whoever is about to read asks
// stalled first.
func (o *outbox) add(list []meter.Reading) {
	o.mu.Lock()
	o.put(list)
	ready := o.waiting >= o.size
	o.mu.Unlock()
	if ready {
		select {
		case o.ready <- struct{}{}:
		default:
		}
	}
}

// put copies list into chunks; o.mu is held.
func (o *outbox) put(list []meter.Reading) {
	o.waiting += len(list)
	o.added += int64(len(list))
	o.backlog.Add(int64(len(list)))
	for len(list) > 0 {
		if len(o.filling) == cap(o.filling) {
			if len(o.filling) > 0 {
				o.full = append(o.full, o.filling)
			}
			o.filling = o.chunk()
		}
		n := min(len(list), cap(o.filling)-len(o.filling))
		o.filling = append(o.filling, list[:n]...)
		list = list[n:]
	}
}

// chunk returns an empty chunk; o.mu is held.
func (o *outbox) chunk() []meter.Reading {
	if n := len(o.spare); n > 0 {
		c := o.spare[n-1]
		o.spare = o.spare[:n-1]
		return c
	}
	return make([]meter.Reading, 0, o.size)
}

// stalled reports whether so much waits for the sink that nothing should be
// read for now.
func (o *outbox) stalled() bool { return o.backlog.Load() >= int64(o.max) }

// await waits until the sink is not too far behind, at most until ctx ends.
func (o *outbox) await(ctx context.Context) {
	for ctx.Err() == nil {
		o.mu.Lock()
		if !o.stalled() {
			o.mu.Unlock()
			return
		}
		if o.taken == nil {
			o.taken = make(chan struct{})
		}
		taken := o.taken
		o.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
		}
	}
}

// flush sends what is there and waits until the sink has taken it, at most
// until ctx ends.
func (o *outbox) flush(ctx context.Context) error {
	o.mu.Lock()
	upTo := o.added
	for o.delivered < upTo {
		if o.taken == nil {
			o.taken = make(chan struct{})
		}
		taken := o.taken
		o.mu.Unlock()
		select {
		case o.ready <- struct{}{}:
		default:
		}
		select {
		case <-taken:
		case <-ctx.Done():
			return fmt.Errorf("poll: the sink did not take all readings in time: %w", ctx.Err())
		}
		o.mu.Lock()
	}
	o.mu.Unlock()
	return nil
}

// take removes the oldest batch; nil where nothing waits.
func (o *outbox) take() []meter.Reading {
	o.mu.Lock()
	defer o.mu.Unlock()
	var batch []meter.Reading
	switch {
	case len(o.full) > 0:
		batch = o.full[0]
		o.full[0] = nil
		if o.full = o.full[1:]; len(o.full) == 0 {
			o.full = nil
		}
	case len(o.filling) > 0:
		batch, o.filling = o.filling, nil
	}
	o.waiting -= len(batch)
	return batch
}

// done takes a batch back that the sink has taken.
func (o *outbox) done(batch []meter.Reading) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.delivered += int64(len(batch))
	o.backlog.Add(-int64(len(batch)))
	if len(o.spare) < spareChunks && cap(batch) == o.size {
		o.spare = append(o.spare, batch[:0])
	}
	if o.taken != nil {
		close(o.taken)
		o.taken = nil
	}
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
		case <-o.ready:
		}
		for batch := o.take(); batch != nil; batch = o.take() {
			if !o.deliver(ctx, batch) {
				return batch
			}
			o.done(batch)
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
			return fmt.Errorf("poll: %d readings were not delivered at the end: the sink did not take them in time; look at the stream's state", o.backlog.Load())
		}
		o.done(batch)
	}
}
