package poll

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func TestPollsAtItsInterval(t *testing.T) {
	f, c := newFakeDriver(), new(collector)
	reg := prometheus.NewRegistry()
	p, took, err := run(t, Config{
		Devices: []drivers.Device{fakeDevice("fast", "h", 200*time.Millisecond), fakeDevice("slow", "h", time.Second)},
		Drivers: drivers.NewRegistry(f), Sink: c.sink, Metrics: reg,
	}, 1500*time.Millisecond)
	if err != nil || took > 900*time.Millisecond {
		t.Errorf("Run ended after %v with %v", took, err)
	}
	got := c.byDevice()
	if n := len(got["fast"]); n < 7 || n > 8 {
		t.Errorf("%d readings at 200 ms in 1.5 s", n)
	}
	if n := len(got["slow"]); n < 1 || n > 2 {
		t.Errorf("%d readings at 1 s in 1.5 s", n)
	}
	checkSequence(t, "fast", got["fast"], f.reads["fast"])
	tot := p.Totals()["fake"]
	if tot.Due != tot.OK || tot.OK != uint64(f.reads["fast"]+f.reads["slow"]) || tot.Readings != tot.OK || tot.Missed+tot.Failed != 0 {
		t.Errorf("totals %+v after %v reads", tot, f.reads)
	}
	if v := testutil.CollectAndCount(reg, "gridwarden_poll_lateness_seconds"); v != 1 {
		t.Errorf("%d lateness histograms", v)
	}
	if f.sessions != 0 {
		t.Errorf("%d sessions left open", f.sessions)
	}
	for _, st := range p.Status() {
		if st.State != OK || st.LastOK.IsZero() || st.LastError != "" || st.Driver != "fake" || st.Reads == 0 || st.MeterID != st.ID {
			t.Errorf("%+v", st)
		}
	}
}

func TestFailuresAreReadings(t *testing.T) {
	f, c := newFakeDriver(), new(collector)
	var down atomic.Bool
	down.Store(true)
	f.read["bad"] = func(context.Context) error {
		if down.Load() {
			return errors.New("device bad: unplugged; plug it in")
		}
		return nil
	}
	f.read["mute"] = func(context.Context) error { return errNoReadings }
	reg := prometheus.NewRegistry()
	p, err := New(Config{
		Devices: []drivers.Device{fakeDevice("bad", "h", 200*time.Millisecond), fakeDevice("mute", "h", 200*time.Millisecond), fakeDevice("fine", "h", 200*time.Millisecond)},
		Drivers: drivers.NewRegistry(f), Sink: c.sink, Logger: quiet(), Metrics: reg,
	})
	if err != nil {
		t.Fatal(err)
	}
	if st := p.Status()[0]; st.State != Waiting {
		t.Errorf("before the first read: %+v", st)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	time.Sleep(700 * time.Millisecond)
	st := p.Status()[0]
	if st.State != Failing || st.ConsecutiveFailures < 3 || !strings.Contains(st.LastError, "plug it in") || !st.LastOK.IsZero() || st.Failures < 3 {
		t.Errorf("%+v", st)
	}
	mark := p.Mark()
	down.Store(false)
	time.Sleep(500 * time.Millisecond)
	window, took := p.Since(mark)
	if w := window["fake"]; w.Due != w.OK+w.Failed+w.Missed || w.OK < 4 || w.Failed < 2 || w.Failed > 4 || took < 500*time.Millisecond {
		t.Errorf("window %+v of %v", w, took)
	}
	st = p.Status()[0]
	if st.State != OK || st.ConsecutiveFailures != 0 || st.LastError == "" || st.Since.Before(st.LastErrorAt) {
		t.Errorf("recovered: %+v", st)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	got := c.byDevice()
	for _, id := range []string{"bad", "mute"} {
		r := got[id][0]
		if r.Quality != meter.Bad || !nan(r.Value) || r.Detail == "" || r.Quantity != meter.ActivePower {
			t.Errorf("a failed read is %+v", r)
		}
		if len(got[id]) != f.reads[id] {
			t.Errorf("%s: %d readings for %d reads", id, len(got[id]), f.reads[id])
		}
	}
	checkSequence(t, "fine", got["fine"], f.reads["fine"])
	want := map[string]float64{"bad": 0, "good": 0}
	for _, list := range got {
		for _, r := range list {
			want[r.Quality.String()]++
		}
	}
	for q, n := range want {
		if v := metric(t, reg, "gridwarden_readings_total", q); v != n {
			t.Errorf("gridwarden_readings_total{quality=%q} is %v, want %v", q, v, n)
		}
	}
}

func metric(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetValue() == label {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	t.Fatalf("no %s{%s}", name, label)
	return 0
}

func TestSlowDeviceMissesItsOwnTurnsOnly(t *testing.T) {
	f, c := newFakeDriver(), new(collector)
	f.read["slow"] = func(ctx context.Context) error {
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
		}
		return nil
	}
	f.sharing = func(d drivers.Device) drivers.Sharing { return drivers.Sharing{Connection: d.URL.Host, Parallel: 2} }
	began := time.Now()
	p, _, err := run(t, Config{
		Devices: []drivers.Device{fakeDevice("slow", "gw", 200*time.Millisecond), fakeDevice("a", "gw", 200*time.Millisecond), fakeDevice("b", "gw", 200*time.Millisecond)},
		Drivers: drivers.NewRegistry(f), Sink: c.sink,
	}, 2*time.Second)
	if err != nil {
		t.Error(err)
	}
	got := c.byDevice()
	for _, id := range []string{"a", "b"} {
		if n := len(got[id]); n < 9 {
			t.Errorf("%s was read %d times beside a slow neighbour, want 10", id, n)
		}
	}
	// 500 ms at turns of 200 ms: every third turn is taken, or, where turns come
	// late, the next after the read at the earliest.
	if n, took := f.reads["slow"], time.Since(began); n < 3 || n > int(took/(500*time.Millisecond))+1 {
		t.Errorf("the slow device was read %d times in %v: turns pile up", n, took)
	}
	if f.most["gw"] != 2 {
		t.Errorf("%d reads at once on a connection for 2", f.most["gw"])
	}
	tot := p.Totals()["fake"]
	if tot.Missed < 5 || tot.Due != tot.OK+tot.Failed+tot.Missed {
		t.Errorf("%+v", tot)
	}
	if st := p.Status()[0]; st.Missed != tot.Missed {
		t.Errorf("%+v", st)
	}
}

func TestSubscription(t *testing.T) {
	f, c := newFakeDriver(), new(collector)
	dev := fakeDevice("sub", "subscribed", 200*time.Millisecond)
	dev.Mode = drivers.Subscribe
	var broken atomic.Bool
	f.read["sub"] = func(context.Context) error {
		if broken.Swap(false) {
			return errors.New("device sub: the subscription broke")
		}
		return nil
	}
	cfg := Config{Devices: []drivers.Device{dev}, Drivers: drivers.NewRegistry(f), Sink: c.sink, Logger: quiet()}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	time.Sleep(200 * time.Millisecond)
	if st := p.Status()[0]; st.State != OK || st.Mode != drivers.Subscribe {
		t.Errorf("%+v", st)
	}
	broken.Store(true)
	time.Sleep(200 * time.Millisecond)
	if st := p.Status()[0]; st.State != Failing || !strings.Contains(st.LastError, "broke") {
		t.Errorf("%+v", st)
	}
	time.Sleep(1200 * time.Millisecond)
	if st := p.Status()[0]; st.State != OK {
		t.Errorf("not subscribed again: %+v", st)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	bad := 0
	list := c.byDevice()["sub"]
	for _, r := range list {
		if r.Quality == meter.Bad {
			bad++
		}
	}
	if bad != 1 || len(list) < 20 {
		t.Errorf("%d readings, %d bad", len(list), bad)
	}
	if tot := p.Totals()["fake"]; tot.Due != 0 || tot.Readings != uint64(len(list)) {
		t.Errorf("%+v", tot)
	}
}

func TestNewRefuses(t *testing.T) {
	fine := fakeDevice("fine", "h", time.Second)
	f := newFakeDriver()
	change := func(change func(*drivers.Device)) drivers.Device {
		d := fine
		change(&d)
		return d
	}
	for name, c := range map[string]struct {
		devices []drivers.Device
		want    string
	}{
		"twice":         {[]drivers.Device{fine, fine}, "device fine is listed twice"},
		"no id":         {[]drivers.Device{change(func(d *drivers.Device) { d.ID = "" })}, "device 1 of 1 has no id"},
		"too often":     {[]drivers.Device{change(func(d *drivers.Device) { d.Interval = time.Millisecond })}, "must be from 200ms to 1h"},
		"never":         {[]drivers.Device{change(func(d *drivers.Device) { d.Interval = 0 })}, "interval 0s"},
		"no URL":        {[]drivers.Device{change(func(d *drivers.Device) { d.URL = nil })}, "has no URL"},
		"no driver":     {[]drivers.Device{change(func(d *drivers.Device) { d.URL = &url.URL{Scheme: "dnp3"} })}, "no driver for dnp3://; use one of fake://"},
		"no session":    {[]drivers.Device{fine, change(func(d *drivers.Device) { d.ID = "b"; d.URL = &url.URL{Scheme: "fake", Host: "broken"} })}, "no session"},
		"no subscriber": {[]drivers.Device{change(func(d *drivers.Device) { d.Mode = drivers.Subscribe })}, "has no subscriptions"},
	} {
		_, err := New(Config{Devices: c.devices, Drivers: drivers.NewRegistry(f), Sink: new(collector).sink})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	if f.sessions != 0 {
		t.Errorf("%d sessions left open by refused configurations", f.sessions)
	}
	if _, err := New(Config{Devices: []drivers.Device{fine}}); err == nil {
		t.Error("no sink, no drivers, no error")
	}
}
