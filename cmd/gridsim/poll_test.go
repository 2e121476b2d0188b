package main

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/modbus"
	"github.com/gridwarden/gridwarden/drivers/opcua"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/sim"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// went is what the simulator said that it served.
type went struct {
	mu  sync.Mutex
	all map[string]time.Time // "device quantity value" → whole second
}

func (w *went) add(s sim.Served) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for q, v := range s.Values {
		w.all[fmt.Sprintf("%s %s %v", s.DeviceID, q, v)] = s.At
	}
}

// TestDriversReadWhatWasServed reads every kind of simulated device through
// the real drivers and compares value by value with what went out.
func TestDriversReadWhatWasServed(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d, err := sim.New(sim.Config{Seed: 5, Until: curve.DateOf(time.Now().UTC()) - 1, Days: 3})
	if err != nil {
		t.Fatal(err)
	}
	w := &went{all: make(map[string]time.Time)}
	s, err := d.Serve(ctx, sim.ServeOptions{OnServe: w.add, Transformers: []string{"T-1012", "T-1031"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	profiles, err := profile.LoadFS(sim.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	reg := drivers.NewRegistry(modbus.New(modbus.Options{}), opcua.New(opcua.Options{}))
	defer func() { _ = reg.Close() }()
	seen := make(map[string]bool)
	for _, dev := range s.Devices() {
		seen[dev.Profile] = true
		compareDevice(ctx, t, reg, profiles, dev, w)
	}
	for name := range profiles {
		if !seen[name] {
			t.Errorf("no device of %s was read", name)
		}
	}
}

func compareDevice(ctx context.Context, t *testing.T, reg *drivers.Registry, profiles map[string]*profile.Profile, dev sim.Device, w *went) {
	t.Helper()
	u, err := url.Parse(dev.URL)
	if err != nil {
		t.Fatal(err)
	}
	drv, err := reg.For(u)
	if err != nil {
		t.Fatal(err)
	}
	device := drivers.Device{
		ID: dev.ID, MeterID: dev.MeterID, URL: u, Profile: profiles[dev.Profile], Interval: time.Second, Timeout: 20 * time.Second, Options: dev.Options,
	}
	if err := drv.Check(device); err != nil {
		t.Fatal(err)
	}
	session, err := drv.Session(device)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	readings, err := session.Read(ctx, 0)
	if err != nil || len(readings) != len(device.Profile.Quantities()) {
		t.Errorf("%s: %d readings, %v", dev.ID, len(readings), err)
	}
	for _, r := range readings {
		w.mu.Lock()
		at, ok := w.all[fmt.Sprintf("%s %s %v", r.DeviceID, r.Quantity, r.Value)]
		w.mu.Unlock()
		if r.Quality != meter.Good || !ok {
			t.Errorf("%s: %s reads %v (%s %s), which was not served", dev.ID, r.Quantity, r.Value, r.Quality, r.Detail)
		}
		if off := r.EventTime.Sub(at); ok && (off < -time.Second || off > 2*time.Second) {
			t.Errorf("%s: %s of %s is dated %s", dev.ID, r.Quantity, at, r.EventTime)
		}
	}
}
