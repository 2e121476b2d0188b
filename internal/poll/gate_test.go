package poll

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// What waits for its turn when the gate closes is not sent, nor is anything
// after that until it opens again.
func TestNothingIsReadWhileTheGateIsClosed(t *testing.T) {
	f, c := newFakeDriver(), new(collector)
	var closed atomic.Bool
	f.sharing = func(drivers.Device) drivers.Sharing { return drivers.Sharing{Connection: "one", Parallel: 1} }
	read := make(chan struct{})
	for _, id := range []string{"a", "b", "c"} {
		f.read[id] = func(ctx context.Context) error {
			if !closed.Load() {
				return nil
			}
			select { // the read during which the gate was closed
			case <-read:
			case <-ctx.Done():
			}
			return nil
		}
	}
	p, err := New(Config{
		Devices: []drivers.Device{fakeDevice("a", "h", 200*time.Millisecond), fakeDevice("b", "h", 200*time.Millisecond), fakeDevice("c", "h", 200*time.Millisecond)},
		Drivers: drivers.NewRegistry(f), Sink: c.sink, Logger: quiet(), Metrics: prometheus.NewRegistry(),
		Gate: func() bool { return !closed.Load() },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	sum := func() (n int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.reads["a"] + f.reads["b"] + f.reads["c"]
	}
	until(t, "a few reads", func() bool { return sum() > 5 })
	closed.Store(true)
	before := sum()
	time.Sleep(500 * time.Millisecond)
	close(read)
	time.Sleep(300 * time.Millisecond)
	if n := sum() - before; n > 1 {
		t.Errorf("%d reads began after the gate was closed", n)
	}
	held := p.Totals()["fake"]
	if held.Held == 0 || held.Missed > 3 {
		t.Errorf("totals %+v; turns while the gate is closed are held", held)
	}
	closed.Store(false)
	before = sum()
	until(t, "reads go on", func() bool { return sum() > before+5 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}

func TestFlushWaitsForTheSink(t *testing.T) {
	var got atomic.Int64
	open := make(chan struct{})
	cfg := Config{FlushEvery: time.Hour, Logger: quiet(), Sink: func(_ context.Context, list []meter.Reading) error {
		<-open
		got.Add(int64(len(list)))
		return nil
	}}
	cfg.setDefaults()
	o := newOutbox(&cfg)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go o.run(ctx)
	o.add(make([]meter.Reading, 7))
	short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	if err := o.flush(short); err == nil {
		t.Error("flushed what the sink has not taken")
	}
	close(open)
	if err := o.flush(ctx); err != nil || got.Load() != 7 {
		t.Errorf("%d of 7 readings taken: %v", got.Load(), err)
	}
	if err := o.flush(ctx); err != nil {
		t.Error(err)
	}
}
