package drivertest

import (
	"context"
	"errors"
	"math"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// patience is the timeout of one request where the peer is to answer, long
// enough for a busy machine. Where it is not to answer, requests have the
// short timeout, and bounded is what the whole read may take.
const (
	patience = 20 * time.Second
	timeout  = 400 * time.Millisecond
	bounded  = 2*timeout + 3*time.Second
)

// Harness is a driver with a peer to test it against.
type Harness struct {
	// New makes a driver whose backoffs are at most a second.
	New func(t testing.TB) drivers.Driver
	// Upstream is the peer's host and port.
	Upstream string
	// URL makes a device URL for the peer at host:port.
	URL func(hostPort string) string
	// Options of the device.
	Options map[string]string
	// Profile has only points for which the peer has good values, at least two.
	Profile *profile.Profile
	// NaN has one point, for which the peer answers not-a-number.
	NaN *profile.Profile
}

func (h *Harness) device(t testing.TB, id, hostPort string, p *profile.Profile) drivers.Device {
	t.Helper()
	u, err := url.Parse(h.URL(hostPort))
	if err != nil {
		t.Fatal(err)
	}
	return drivers.Device{ID: id, MeterID: "meter-" + id, URL: u, Profile: p, Interval: time.Second, Timeout: patience, Options: h.Options}
}

func open(t testing.TB, d drivers.Driver, dev drivers.Device) drivers.Session {
	t.Helper()
	s, err := d.Session(dev)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (h *Harness) driver(t testing.TB) drivers.Driver {
	t.Helper()
	d := h.New(t)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Run holds the driver to the behaviour of every driver.
func Run(t *testing.T, h Harness) {
	t.Run("names itself", h.names)
	t.Run("a reading for every point", h.everyPoint)
	t.Run("not-a-number is never good", h.notANumber)
	t.Run("an absent device is bad quality", h.absent)
	t.Run("a silent device costs its timeout", h.silent)
	t.Run("cancelling ends a read", h.cancelled)
	t.Run("recovers after the peer went away", h.recovers)
	t.Run("a cut connection is not noticed", h.cut)
	t.Run("sessions side by side", h.sideBySide)
	t.Run("a closed session stays closed", h.closed)
	t.Run("unknown options are refused", h.unknownOption)
}

func (h *Harness) names(t *testing.T) {
	d := h.driver(t)
	dev := h.device(t, "x", h.Upstream, h.Profile)
	if d.Name() == "" || len(d.Schemes()) == 0 {
		t.Fatalf("name %q, schemes %v", d.Name(), d.Schemes())
	}
	if _, err := drivers.NewRegistry(d).For(dev.URL); err != nil {
		t.Error(err)
	}
	if err := d.Check(dev); err != nil {
		t.Error(err)
	}
	if _, ok := any(d).(drivers.Sharer); ok {
		if s := any(d).(drivers.Sharer).Share(dev); s.Connection == "" || s.Parallel < 1 {
			t.Errorf("sharing is %+v", s)
		}
	}
}

func (h *Harness) everyPoint(t *testing.T) {
	d := h.driver(t)
	dev := h.device(t, "every", h.Upstream, h.Profile)
	s := open(t, d, dev)
	for range 3 {
		before := time.Now()
		readings, err := s.Read(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		checkGood(t, &dev, readings, before)
	}
}

func checkGood(t *testing.T, dev *drivers.Device, readings []meter.Reading, before time.Time) {
	t.Helper()
	want := dev.Profile.Quantities()
	if len(readings) != len(want) {
		t.Errorf("%d readings for %d points", len(readings), len(want))
		return
	}
	for i, r := range readings {
		switch {
		case r.DeviceID != dev.ID || r.MeterID != dev.MeterID || r.Quantity != want[i]:
			t.Errorf("reading %d is %s/%s/%s, want %s", i, r.DeviceID, r.MeterID, r.Quantity, want[i])
		case r.Quality != meter.Good || math.IsNaN(r.Value) || r.Flags != 0:
			t.Errorf("%s: value %v, quality %v, flags %v: %s", r.Quantity, r.Value, r.Quality, r.Flags, r.Detail)
		case r.ReceiveTime.Before(before.Add(-time.Second)) || r.ReceiveTime.After(time.Now()) || r.ReceiveTime.Location() != time.UTC:
			t.Errorf("%s: received at %v", r.Quantity, r.ReceiveTime)
		case r.EventTime.IsZero() || r.EventTime.Location() != time.UTC:
			t.Errorf("%s: event time %v", r.Quantity, r.EventTime)
		case len(r.Raw) == 0 || len(r.Raw) > 32:
			t.Errorf("%s: %d bytes of raw code", r.Quantity, len(r.Raw))
		}
	}
}

// checkFailed holds a failed read to: an error that names the device, and for
// every point a bad reading that says why.
func checkFailed(t *testing.T, dev *drivers.Device, readings []meter.Reading, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("the read did not fail")
	}
	if !strings.Contains(err.Error(), dev.ID) {
		t.Errorf("the error does not name the device: %v", err)
	}
	want := dev.Profile.Quantities()
	if len(readings) != len(want) {
		t.Fatalf("%d readings for %d points", len(readings), len(want))
	}
	for i, r := range readings {
		if r.Quantity != want[i] || r.Quality != meter.Bad || !math.IsNaN(r.Value) || r.Detail == "" || r.Flags == 0 || r.EventTime.IsZero() {
			t.Errorf("reading %d is %+v", i, r)
		}
	}
}

func (h *Harness) notANumber(t *testing.T) {
	d := h.driver(t)
	readings, err := open(t, d, h.device(t, "nan", h.Upstream, h.NaN)).Read(t.Context(), 0)
	if err != nil || len(readings) != 1 {
		t.Fatalf("%d readings, %v", len(readings), err)
	}
	if r := readings[0]; r.Quality != meter.Bad || !math.IsNaN(r.Value) || r.Detail == "" {
		t.Errorf("reading is %+v", r)
	}
}

func (h *Harness) absent(t *testing.T) {
	p := NewProxy(t, h.Upstream)
	p.Down()
	dev := h.device(t, "absent", p.Addr(), h.Profile)
	dev.Timeout = timeout
	s := open(t, h.driver(t), dev)
	for range 4 {
		began := time.Now()
		readings, err := s.Read(t.Context(), 0)
		checkFailed(t, &dev, readings, err)
		if took := time.Since(began); took > bounded {
			t.Errorf("took %v with a timeout of %v", took, timeout)
		}
	}
}

func (h *Harness) silent(t *testing.T) {
	p := NewProxy(t, h.Upstream)
	dev := h.device(t, "silent", p.Addr(), h.Profile)
	dev.Timeout = timeout
	s := open(t, h.driver(t), dev)
	h.eventually(t, s, &dev)
	p.Stall(true)
	began := time.Now()
	readings, err := s.Read(t.Context(), 0)
	checkFailed(t, &dev, readings, err)
	if took := time.Since(began); took > bounded {
		t.Errorf("took %v with a timeout of %v", took, timeout)
	}
	p.Stall(false)
	h.eventually(t, s, &dev)
}

func (h *Harness) cancelled(t *testing.T) {
	p := NewProxy(t, h.Upstream)
	dev := h.device(t, "cancelled", p.Addr(), h.Profile)
	s := open(t, h.driver(t), dev)
	if _, err := s.Read(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	p.Stall(true)
	ctx, cancel := context.WithTimeout(t.Context(), timeout/4)
	defer cancel()
	began := time.Now()
	_, err := s.Read(ctx, 0)
	if err == nil || time.Since(began) > patience/4 {
		t.Errorf("took %v: %v", time.Since(began), err)
	}
	p.Stall(false)
	h.eventually(t, s, &dev)
}

func (h *Harness) recovers(t *testing.T) {
	p := NewProxy(t, h.Upstream)
	dev := h.device(t, "recovers", p.Addr(), h.Profile)
	s := open(t, h.driver(t), dev)
	h.eventually(t, s, &dev)
	p.Down()
	for range 3 {
		readings, err := s.Read(t.Context(), 0)
		checkFailed(t, &dev, readings, err)
	}
	p.Up(t)
	h.eventually(t, s, &dev)
}

func (h *Harness) cut(t *testing.T) {
	p := NewProxy(t, h.Upstream)
	dev := h.device(t, "cut", p.Addr(), h.Profile)
	s := open(t, h.driver(t), dev)
	h.eventually(t, s, &dev)
	p.Cut()
	time.Sleep(50 * time.Millisecond)
	before := time.Now()
	readings, err := s.Read(t.Context(), 0)
	if err != nil {
		t.Fatalf("the first read after the cut: %v", err)
	}
	checkGood(t, &dev, readings, before)
}

// eventually reads until the device answers, for at most some seconds.
func (h *Harness) eventually(t *testing.T, s drivers.Session, dev *drivers.Device) {
	t.Helper()
	until := time.Now().Add(8 * time.Second)
	for {
		before := time.Now()
		readings, err := s.Read(t.Context(), 0)
		if err == nil {
			checkGood(t, dev, readings, before)
			return
		}
		if time.Now().After(until) {
			t.Fatalf("never recovered: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (h *Harness) sideBySide(t *testing.T) {
	d := h.driver(t)
	var all sync.WaitGroup
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		dev := h.device(t, id, h.Upstream, h.Profile)
		s := open(t, d, dev)
		all.Go(func() {
			for range 20 {
				before := time.Now()
				readings, err := s.Read(t.Context(), 0)
				if err != nil {
					t.Error(err)
					return
				}
				checkGood(t, &dev, readings, before)
			}
		})
	}
	all.Wait()
}

func (h *Harness) closed(t *testing.T) {
	d := h.driver(t)
	dev := h.device(t, "closed", h.Upstream, h.Profile)
	other := open(t, d, h.device(t, "other", h.Upstream, h.Profile))
	s := open(t, d, dev)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	readings, err := s.Read(t.Context(), 0)
	checkFailed(t, &dev, readings, err)
	if !errors.Is(err, drivers.ErrClosed) {
		t.Errorf("the error is %v", err)
	}
	if _, err := other.Read(t.Context(), 0); err != nil {
		t.Errorf("the other session: %v", err)
	}
}

func (h *Harness) unknownOption(t *testing.T) {
	dev := h.device(t, "odd", h.Upstream, h.Profile)
	dev.Options = map[string]string{"no_such_option": "1"}
	for k, v := range h.Options {
		dev.Options[k] = v
	}
	err := h.driver(t).Check(dev)
	if err == nil || !strings.Contains(err.Error(), "no_such_option") || !strings.Contains(err.Error(), "odd") {
		t.Errorf("check said %v", err)
	}
}
