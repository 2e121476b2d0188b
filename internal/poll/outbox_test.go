package poll

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func fleet(n int) []drivers.Device {
	var list []drivers.Device
	for i := range n {
		list = append(list, fakeDevice("d"+string(rune('A'+i)), "h", 200*time.Millisecond))
	}
	return list
}

// TestStalledSinkLosesNothing stalls the sink until reading stops, then lets
// it go on: every reading that was made arrives, once and in order.
func TestStalledSinkLosesNothing(t *testing.T) {
	f, c := newFakeDriver(), new(collector)
	var stalled atomic.Bool
	stalled.Store(true)
	sink := func(ctx context.Context, list []meter.Reading) error {
		for stalled.Load() && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return c.sink(ctx, list)
	}
	p, err := New(Config{Devices: fleet(10), Drivers: drivers.NewRegistry(f), Sink: sink, Logger: quiet(), MaxBuffered: 20, BatchSize: 7})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	time.Sleep(1500 * time.Millisecond)
	tot := p.Totals()["fake"]
	if tot.Readings > 20+7+10 || tot.Missed < 20 {
		t.Errorf("reading goes on against a stalled sink: %+v", tot)
	}
	stalled.Store(false)
	time.Sleep(500 * time.Millisecond)
	after := p.Totals()["fake"]
	if after.OK < tot.OK+15 {
		t.Errorf("reading did not go on: %+v, then %+v", tot, after)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for id, n := range f.reads {
		checkSequence(t, id, c.byDevice()[id], n)
	}
}

// TestRefusingSinkIsAskedAgain lets the sink fail every other time.
func TestRefusingSinkIsAskedAgain(t *testing.T) {
	f, c := newFakeDriver(), new(collector)
	calls := 0
	c.fail = func() error {
		if calls++; calls%2 == 1 {
			return errors.New("no space left on device")
		}
		return nil
	}
	_, _, err := run(t, Config{Devices: fleet(5), Drivers: drivers.NewRegistry(f), Sink: c.sink}, 900*time.Millisecond)
	if err != nil {
		t.Error(err)
	}
	for id, n := range f.reads {
		checkSequence(t, id, c.byDevice()[id], n)
	}
}

// TestEndWithDeadSink ends in time and says how much was lost.
func TestEndWithDeadSink(t *testing.T) {
	f := newFakeDriver()
	_, took, err := run(t, Config{
		Devices: fleet(5), Drivers: drivers.NewRegistry(f),
		Sink: func(ctx context.Context, _ []meter.Reading) error { <-ctx.Done(); return ctx.Err() },
	}, 500*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "readings were not delivered") || took > time.Second {
		t.Errorf("ended after %v: %v", took, err)
	}
}

// TestEndWithStuckDevice ends in time though a read is under way.
func TestEndWithStuckDevice(t *testing.T) {
	f, c := newFakeDriver(), new(collector)
	f.read["dA"] = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	_, took, err := run(t, Config{Devices: fleet(3), Drivers: drivers.NewRegistry(f), Sink: c.sink}, 500*time.Millisecond)
	if err != nil || took > time.Second {
		t.Errorf("ended after %v: %v", took, err)
	}
	if n := len(c.byDevice()["dA"]); n != 0 {
		t.Errorf("the end made %d readings of a device of which nothing is known", n)
	}
}

// TestSlowEndLosesNothing ends with a device that takes longer to close than
// the grace, beside a sink that takes nothing before.
func TestSlowEndLosesNothing(t *testing.T) {
	f, c := newFakeDriver(), new(collector)
	f.read["dA"] = func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(500 * time.Millisecond)
		return ctx.Err()
	}
	var ending atomic.Bool
	c.fail = func() error {
		if !ending.Load() {
			return errors.New("not yet")
		}
		return nil
	}
	time.AfterFunc(900*time.Millisecond, func() { ending.Store(true) })
	_, _, err := run(t, Config{Devices: fleet(3), Drivers: drivers.NewRegistry(f), Sink: c.sink, Grace: 300 * time.Millisecond}, 500*time.Millisecond)
	if err != nil {
		t.Error(err)
	}
	for _, id := range []string{"dB", "dC"} {
		checkSequence(t, id, c.byDevice()[id], f.reads[id])
	}
}
