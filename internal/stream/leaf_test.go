package stream

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// substation is a leaf that publishes numbered readings, each batch of ten
// acknowledged within a moment whatever the link is like.
type substation struct {
	s       *Stream
	name    string
	next    int
	slowest time.Duration
}

const perBatch = 10

func (b *substation) publish(t *testing.T, batches int) {
	t.Helper()
	for range batches {
		readings := make([]meter.Reading, perBatch)
		for i := range readings {
			at := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC).Add(time.Duration(b.next) * time.Second)
			readings[i] = meter.Reading{
				DeviceID: b.name, MeterID: b.name, Quantity: meter.Quantities()[0], Value: float64(b.next),
				EventTime: at, ReceiveTime: at, Quality: meter.Good,
			}
			b.next++
		}
		begin := time.Now()
		publish(t, b.s, readings)
		b.slowest = max(b.slowest, time.Since(begin))
	}
}

// follower reads the hub's stream and knows what came of each device.
type follower struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu   sync.Mutex
	next map[string]int
	odd  []string
}

func follow(t *testing.T, hub *Stream) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{cancel: cancel, next: make(map[string]int)}
	f.wg.Go(func() {
		if err := hub.ConsumeReadings(ctx, "test", func(_ context.Context, rs []meter.Reading) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, r := range rs {
				if int(r.Value) != f.next[r.DeviceID] {
					f.odd = append(f.odd, fmt.Sprintf("%s: %v where %d was next", r.DeviceID, r.Value, f.next[r.DeviceID]))
				}
				f.next[r.DeviceID] = int(r.Value) + 1
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(f.stop)
	return f
}

func (f *follower) stop() {
	f.cancel()
	f.wg.Wait()
}

func (f *follower) has(name string, n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next[name] >= n
}

// exact checks that each device's readings came in order, each once.
func (f *follower) exact(t *testing.T) {
	t.Helper()
	f.stop()
	if len(f.odd) > 0 {
		t.Errorf("%d readings out of order, lost or twice: %s", len(f.odd), f.odd[:min(len(f.odd), 5)])
	}
}

func openHub(t *testing.T, at string, cfg Config) *Stream {
	t.Helper()
	cfg.Source = "hub"
	if cfg.Listen == nil {
		cfg.Listen = &Listen{}
	}
	cfg.Listen.Leaf = at
	return open(t, cfg)
}

func openLeaf(t *testing.T, name, hub string) *substation {
	t.Helper()
	return &substation{name: name, s: open(t, Config{Source: name, MessageBytes: 1, Leaf: &Leaf{Hub: []string{"nats-leaf://" + hub}}})}
}

// stored is the number of messages that the hub has, whoever sent them.
func stored(t *testing.T, s *Stream) int {
	t.Helper()
	str, err := s.js.Stream(t.Context(), string(Readings))
	if err != nil {
		t.Fatal(err)
	}
	return int(str.CachedInfo().State.Msgs)
}

// TestLeafCatchesUp cuts and stalls the link of a substation, which works on;
// the hub gets every reading once and in order.
func TestLeafCatchesUp(t *testing.T) {
	at := freePort(t)
	hub := openHub(t, at, Config{Leaves: []string{"north"}})
	wire := newLink(t, at)
	north := openLeaf(t, "north", wire.Addr())
	seen := follow(t, hub)

	north.publish(t, 50)
	waitFor(t, "readings over the link", func() bool { return seen.has("north", north.next) })

	for _, trouble := range []struct {
		name string
		set  func(bool)
	}{{"cut", wire.Cut}, {"stalled", wire.Stall}} {
		trouble.set(true)
		north.publish(t, 100)
		trouble.set(false)
		north.publish(t, 50)
		begin := time.Now()
		waitFor(t, "caught up after the link was "+trouble.name, func() bool { return seen.has("north", north.next) })
		t.Logf("caught up %v after the link, %s before, was back", time.Since(begin).Round(time.Millisecond), trouble.name)
	}
	if n := stored(t, hub); n != north.next/1 {
		t.Logf("%d messages stored for %d readings", n, north.next)
	}
	seen.exact(t)
	t.Logf("slowest acknowledgement at the substation %v", north.slowest)
}
