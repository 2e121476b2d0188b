package poll

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// grouped is a profile of one point in no group and one in the group "slow".
func grouped(t testing.TB) *profile.Profile {
	t.Helper()
	p, err := profile.Parse("grouped.yaml", []byte(`
name: grouped
manufacturer: M
model: M
source: this test
status: simulated
protocol: modbus
groups: {slow: 600ms}
modbus:
  points:
    - {quantity: active_power, table: input, address: 0, encoding: float32}
    - {quantity: active_energy_import, table: input, address: 2, encoding: float32, group: slow}
`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// starterDriver has sessions that answer on goroutines of their own, or at
// once, and count.
type starterDriver struct {
	mu       sync.Mutex
	delay    map[string]time.Duration
	mute     map[string]bool // never answers until closed
	reads    map[string]int  // by device and group
	doubled  int             // reads of one session at once
	sessions int
	refuse   bool // no further session
	parallel int
	shared   string
}

func newStarterDriver() *starterDriver {
	return &starterDriver{delay: map[string]time.Duration{}, mute: map[string]bool{}, reads: map[string]int{}}
}

func (f *starterDriver) Name() string               { return "starter" }
func (f *starterDriver) Schemes() []string          { return []string{"starter"} }
func (f *starterDriver) Check(drivers.Device) error { return nil }
func (f *starterDriver) Close() error               { return nil }
func (f *starterDriver) Share(d drivers.Device) drivers.Sharing {
	if f.shared != "" {
		return drivers.Sharing{Connection: f.shared, Parallel: f.parallel}
	}
	return drivers.Sharing{Connection: d.ID, Parallel: 4}
}

func (f *starterDriver) Session(d drivers.Device) (drivers.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.URL.Host == "broken" || f.refuse {
		return nil, errBroken
	}
	f.sessions++
	return &starterSession{f: f, dev: d, closed: make(chan struct{})}, nil
}

type starterSession struct {
	f      *starterDriver
	dev    drivers.Device
	busy   atomic.Bool
	closed chan struct{}
}

func (s *starterSession) Read(context.Context, int) ([]meter.Reading, error) {
	return nil, fmt.Errorf("device %s: Start is there", s.dev.ID)
}

func (s *starterSession) Close() error {
	close(s.closed)
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.sessions--
	return nil
}

func (s *starterSession) Start(group int, done func([]meter.Reading, error)) {
	s.f.mu.Lock()
	if s.busy.Swap(true) {
		s.f.doubled++
	}
	key := fmt.Sprint(s.dev.ID, group)
	s.f.reads[key]++
	n := s.f.reads[key]
	delay, mute := s.f.delay[s.dev.ID], s.f.mute[s.dev.ID]
	s.f.mu.Unlock()
	answer := func() {
		now := time.Now().UTC()
		var list []meter.Reading
		for _, i := range s.dev.Profile.Groups()[group].Points {
			q := s.dev.Profile.Quantities()[i]
			list = append(list, s.dev.Reading(q, profile.Primary, profile.Value{Number: float64(n), Quality: meter.Good}, now, now, nil))
		}
		s.busy.Store(false)
		done(list, nil)
	}
	fail := func() {
		err := fmt.Errorf("device %s: %w", s.dev.ID, drivers.ErrClosed)
		done(s.dev.Failed(group, time.Now().UTC(), meter.CommFailure, err.Error()), err)
	}
	switch {
	case mute:
		go func() { <-s.closed; fail() }()
	case delay > 0:
		go func() {
			select {
			case <-time.After(delay):
				answer()
			case <-s.closed:
				fail()
			}
		}()
	default:
		answer()
	}
}

func starterDevice(id string, interval time.Duration, p *profile.Profile) drivers.Device {
	return drivers.Device{ID: id, URL: &url.URL{Scheme: "starter", Host: "h"}, Interval: interval, Profile: p}
}

// TestGroupsHaveTheirOwnTurns reads two groups of each device at two
// intervals, never both at once, though each takes long.
func TestGroupsHaveTheirOwnTurns(t *testing.T) {
	f, c := newStarterDriver(), new(collector)
	var list []drivers.Device
	for i := range 10 {
		list = append(list, starterDevice(fmt.Sprint("d", i), 200*time.Millisecond, grouped(t)))
	}
	list[9].Groups = map[string]time.Duration{"slow": 300 * time.Millisecond}
	f.delay["d1"] = 60 * time.Millisecond
	p, took, err := run(t, Config{Devices: list, Drivers: drivers.NewRegistry(f), Sink: c.sink}, 1900*time.Millisecond)
	if err != nil || took > time.Second {
		t.Errorf("ended after %v: %v", took, err)
	}
	if f.doubled != 0 || f.sessions != 0 {
		t.Errorf("%d reads of a device at once, %d sessions left", f.doubled, f.sessions)
	}
	for id, readings := range c.byDevice() {
		n := map[meter.Quantity]int{}
		for _, r := range readings {
			if n[r.Quantity]++; r.Value != float64(n[r.Quantity]) {
				t.Errorf("%s %s: reading %d is %v", id, r.Quantity, n[r.Quantity], r.Value)
			}
		}
		fast, slow := n[meter.ActivePower], n[meter.ActiveEnergyImport]
		wantSlow := 3
		if id == "d9" {
			wantSlow = 6
		}
		if fast < 8 || fast > 10 || slow < wantSlow || slow > wantSlow+1 {
			t.Errorf("%s: %d of the fast group, %d of the slow", id, fast, slow)
		}
		if fast != f.reads[id+"0"] || slow != f.reads[id+"1"] {
			t.Errorf("%s: %d and %d readings of %v reads", id, fast, slow, f.reads)
		}
	}
	tot := p.Totals()["starter"]
	if tot.Missed != 0 || tot.Failed != 0 || tot.OK < 110 {
		t.Errorf("%+v", tot)
	}
	if st := p.Status()[1]; st.P50 < 50*time.Millisecond || st.P99 < st.P50 || st.P99 > 500*time.Millisecond {
		t.Errorf("round trips of 60 ms: p50 %v, p99 %v", st.P50, st.P99)
	}
}

// TestStartersEnd ends in time though a device never answers, and delivers
// what was read while the end came.
func TestStartersEnd(t *testing.T) {
	f, c := newStarterDriver(), new(collector)
	f.mute["mute"] = true
	f.delay["late"] = 150 * time.Millisecond
	p := grouped(t)
	poller, took, err := run(t, Config{
		Devices: []drivers.Device{starterDevice("mute", time.Second, p), starterDevice("late", 200*time.Millisecond, p), starterDevice("fine", 200*time.Millisecond, p)},
		Drivers: drivers.NewRegistry(f), Sink: c.sink,
	}, 1100*time.Millisecond)
	if err != nil || took > time.Second {
		t.Errorf("ended after %v: %v", took, err)
	}
	got := c.byDevice()
	if len(got["mute"]) != 0 {
		t.Errorf("the end made %d readings of a device of which nothing is known", len(got["mute"]))
	}
	for _, id := range []string{"late", "fine"} {
		if want := f.reads[id+"0"] + f.reads[id+"1"]; len(got[id]) != want {
			t.Errorf("%s: %d readings of %d reads", id, len(got[id]), want)
		}
	}
	if tot := poller.Totals()["starter"]; tot.Failed != 0 {
		t.Errorf("%+v", tot)
	}
}

// TestGatewayIsShared overloads a gateway that takes one request at a time:
// every unit is served in turn, the quick as often as the slow.
func TestGatewayIsShared(t *testing.T) {
	f, c := newStarterDriver(), new(collector)
	f.shared, f.parallel = "gateway", 1
	p := fakeDevice("", "", 0).Profile
	var list []drivers.Device
	for i := range 20 {
		id := fmt.Sprint("u", i)
		list = append(list, starterDevice(id, 200*time.Millisecond, p))
		f.delay[id] = 15 * time.Millisecond
	}
	f.delay["u3"] = 60 * time.Millisecond
	poller, _, err := run(t, Config{Devices: list, Drivers: drivers.NewRegistry(f), Sink: c.sink}, 3*time.Second)
	if err != nil {
		t.Error(err)
	}
	fewest, most := 1000, 0
	for _, readings := range c.byDevice() {
		fewest, most = min(fewest, len(readings)), max(most, len(readings))
	}
	if fewest == 0 || most > fewest+2 {
		t.Errorf("units were read from %d to %d times", fewest, most)
	}
	tot := poller.Totals()["starter"]
	if tot.Due < 270 || tot.Missed < 90 || poller.Status()[5].Missed == 0 {
		t.Errorf("%+v", tot)
	}
	if o := poller.overruns(); o.turns != tot.Missed || o.devices != 20 || o.most < 4 || o.worst == "" {
		t.Errorf("reported %+v of %+v", o, tot)
	}
	if o := poller.overruns(); o.turns != 0 {
		t.Errorf("reported twice: %+v", o)
	}
}

// TestRampLimitsFirstConnections starts 100 devices, five a slot.
func TestRampLimitsFirstConnections(t *testing.T) {
	f, c := newStarterDriver(), new(collector)
	p := fakeDevice("", "", 0).Profile
	var list []drivers.Device
	for i := range 100 {
		list = append(list, starterDevice(fmt.Sprint("d", i), 200*time.Millisecond, p))
	}
	cfg := Config{Devices: list, Drivers: drivers.NewRegistry(f), Sink: c.sink, Logger: quiet(), Ramp: 2, Slot: 20 * time.Millisecond}
	poller, _, err := run(t, cfg, 1500*time.Millisecond)
	if err != nil {
		t.Error(err)
	}
	first := map[string]time.Time{}
	var begun time.Time
	for id, readings := range c.byDevice() {
		first[id] = readings[0].ReceiveTime
		if begun.IsZero() || first[id].Before(begun) {
			begun = first[id]
		}
	}
	early := 0
	for _, at := range first {
		if at.Sub(begun) < 500*time.Millisecond {
			early++
		}
	}
	if len(first) != 100 || early < 40 || early > 54 {
		t.Errorf("%d devices were read, %d of them first within 500 ms", len(first), early)
	}
	if tot := poller.Totals()["starter"]; tot.Due != tot.OK+tot.Missed || tot.Missed < 100 {
		t.Errorf("%+v", tot)
	}
}

// TestRampAfterAnOutage takes the network from 100 devices: they are tried two
// in a slot until they answer, then read as before.
func TestRampAfterAnOutage(t *testing.T) {
	f, c := &observedDriver{starterDriver: newStarterDriver(), mum: true}, new(collector)
	p := fakeDevice("", "", 0).Profile
	var list []drivers.Device
	for i := range 100 {
		list = append(list, starterDevice(fmt.Sprint("d", i), 200*time.Millisecond, p))
	}
	poller, stop := running(t, Config{Devices: list, Drivers: drivers.NewRegistry(f), Sink: c.sink, Ramp: 2, Slot: 20 * time.Millisecond})
	taken := func(d time.Duration) (turns float64, w Totals) {
		m := poller.Mark()
		time.Sleep(d)
		window, took := poller.Since(m)
		w = window["starter"]
		return float64(w.OK+w.Failed) / took.Seconds(), w
	}
	time.Sleep(1300 * time.Millisecond)
	if rate, w := taken(time.Second); rate < 400 || w.Failed > 0 {
		t.Errorf("%v reads a second before: %+v", rate, w)
	}
	f.down.Store(true)
	time.Sleep(300 * time.Millisecond)
	if rate, w := taken(time.Second); rate > 110 || rate < 50 || w.OK > 0 {
		t.Errorf("%v reads a second while the network is down: %+v", rate, w)
	}
	f.down.Store(false)
	time.Sleep(1300 * time.Millisecond)
	if rate, w := taken(time.Second); rate < 400 || w.Failed > 0 {
		t.Errorf("%v reads a second after: %+v", rate, w)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// BenchmarkPath is what a poll of ten points costs beside the driver: turn,
// status, quality and the way to the sink.
func BenchmarkPath(b *testing.B) {
	devices := meterFleet(b, []string{"127.0.0.1:1"}, 200)
	f := &instantDriver{}
	for i := range devices {
		devices[i].URL = &url.URL{Scheme: "instant", Host: "h"}
	}
	var taken atomic.Int64
	p, err := New(Config{Devices: devices, Drivers: drivers.NewRegistry(f), Logger: quiet(), MaxBuffered: 1 << 30, Sink: func(_ context.Context, list []meter.Reading) error {
		taken.Add(int64(len(list)))
		return nil
	}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	sent := make(chan struct{})
	go func() { defer close(sent); p.out.run(ctx) }()
	now := time.Unix(1_700_000_000, 0)
	p.cfg.Now = func() time.Time { return now }
	p.begun(ctx)
	p.cfg.Now = time.Now
	var list []due
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += len(list) {
		now = now.Add(20 * time.Millisecond)
		list = p.schedule.take(now, list[:0])
		p.give(list)
	}
	b.StopTimer()
	cancel()
	<-sent
	if err := closeAll(p.devices()); err != nil {
		b.Error(err)
	}
	if done := p.Totals()["instant"].OK; done < uint64(b.N) {
		b.Errorf("%d polls of %d", done, b.N)
	}
}

// instantDriver answers at once, with the same readings every time but for
// their time and number.
type instantDriver struct{}

func (*instantDriver) Name() string               { return "instant" }
func (*instantDriver) Schemes() []string          { return []string{"instant"} }
func (*instantDriver) Check(drivers.Device) error { return nil }
func (*instantDriver) Close() error               { return nil }
func (*instantDriver) Session(d drivers.Device) (drivers.Session, error) {
	s := &instantSession{}
	for i, q := range d.Profile.Quantities() {
		s.list = append(s.list, d.Reading(q, profile.Primary, profile.Value{Number: float64(i), Quality: meter.Good}, time.Time{}, time.Time{}, nil))
	}
	return s, nil
}

type instantSession struct{ list []meter.Reading }

func (*instantSession) Read(context.Context, int) ([]meter.Reading, error) { return nil, nil }
func (*instantSession) Close() error                                       { return nil }
func (s *instantSession) Start(_ int, done func([]meter.Reading, error)) {
	now := time.Now()
	for i := range s.list {
		r := &s.list[i]
		r.EventTime, r.ReceiveTime = now, now
		r.Value++
	}
	done(s.list, nil)
}
