package poll

import (
	"context"
	"errors"
	"math"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// observedSession tells its condition and shows a clock.
type observedSession struct {
	*starterSession
	down *atomic.Bool
	mum  bool // says nothing of its next probe
}

func (s *observedSession) Condition() drivers.Condition {
	c := drivers.Condition{Connections: 2, Parallel: 5}
	if s.down.Load() && !s.mum {
		c.NextProbe = time.Now().Add(time.Minute)
	}
	return c
}

func (s *observedSession) Start(group int, done func([]meter.Reading, error)) {
	if s.down.Load() {
		err := errors.New("device d: unit 1 is silent; check unit number, wiring and power")
		done(s.dev.Failed(group, time.Now().UTC(), meter.CommFailure, err.Error()), err)
		return
	}
	now := time.Now().UTC()
	var list []meter.Reading
	for _, i := range s.dev.Profile.Groups()[group].Points {
		q := s.dev.Profile.Quantities()[i]
		list = append(list, s.dev.Reading(q, profile.Primary, profile.Value{Number: float64(i) - 2.5, Quality: meter.Good}, now, now, nil))
	}
	if len(list) > 1 {
		list[0].Quality, list[0].Flags, list[0].Detail = meter.Bad, meter.OutOfRange, "too high"
	}
	done(list, nil)
}

type observedDriver struct {
	*starterDriver
	down atomic.Bool
	mum  bool
}

func (f *observedDriver) Session(d drivers.Device) (drivers.Session, error) {
	s, err := f.starterDriver.Session(d)
	if err != nil {
		return nil, err
	}
	return &observedSession{s.(*starterSession), &f.down, f.mum}, nil
}

func TestDetail(t *testing.T) {
	pr, err := profile.Parse("detail.yaml", []byte(`
name: detail
manufacturer: M
model: M
source: this test
status: simulated
protocol: modbus
groups: {energy: 1m}
modbus:
  max_gap: 0
  points:
    - {quantity: voltage_a, table: input, address: 0, encoding: float32}
    - {quantity: clock_offset, table: input, address: 40, encoding: float32}
    - {quantity: active_power, table: input, address: 2, encoding: float32}
    - {quantity: active_energy_import, table: holding, address: 7, encoding: uint32, group: energy}
`))
	if err != nil {
		t.Fatal(err)
	}
	f, c := &observedDriver{starterDriver: newStarterDriver()}, new(collector)
	u, err := url.Parse("starter://user:secret@h")
	if err != nil {
		t.Fatal(err)
	}
	dev := starterDevice("d", 200*time.Millisecond, pr)
	dev.URL, dev.MeterID = u, "M-1"
	p, stop := running(t, Config{Devices: []drivers.Device{dev}, Drivers: drivers.NewRegistry(f), Sink: c.sink})
	time.Sleep(300 * time.Millisecond)
	if _, ok := p.Device("nobody"); ok {
		t.Error("nobody has a detail")
	}
	d, ok := p.Device("d")
	if !ok || d.State != OK || d.URL != "starter://user:xxxxx@h" || d.MeterID != "M-1" || d.Connections != 2 || d.Parallel != 5 || !d.NextProbe.IsZero() {
		t.Errorf("%+v", d.DeviceStatus)
	}
	if !d.ClockKnown || d.ClockOffset != -1500*time.Millisecond {
		t.Errorf("the clock is said to be %v ahead (%v)", d.ClockOffset, d.ClockKnown)
	}
	if d.NextTurn.Before(time.Now().Add(-50*time.Millisecond)) || time.Until(d.NextTurn) > 200*time.Millisecond {
		t.Errorf("the next turn is at %v", d.NextTurn)
	}
	var got []meter.Quantity
	for _, v := range d.Values {
		got = append(got, v.Quantity)
	}
	if !slices.Equal(got, pr.Quantities()) {
		t.Errorf("values of %v", got)
	}
	if v := d.Values[0]; v.Quality != meter.Bad || v.Detail != "too high" || v.Number != -2.5 || v.ReceiveTime.IsZero() || !v.EventTime.IsZero() {
		t.Errorf("%+v", v)
	}
	if v := d.Values[2]; v.Quality != meter.Good || v.Number != -.5 || time.Since(v.EventTime) > time.Second {
		t.Errorf("%+v", v)
	}
	if len(d.Groups) != 2 || d.Groups[1].Name != "energy" || d.Groups[1].Interval != time.Minute || time.Until(d.Groups[1].NextTurn) > time.Minute {
		t.Fatalf("%+v", d.Groups)
	}
	blocks := d.Groups[0].Blocks
	if len(blocks) != 2 || blocks[0].Table != "input" || blocks[0].Address != 0 || blocks[0].Count != 4 ||
		!slices.Equal(blocks[0].Quantities, []meter.Quantity{meter.VoltageA, meter.ActivePower}) || blocks[1].Address != 40 {
		t.Errorf("%+v", blocks)
	}

	f.down.Store(true)
	time.Sleep(300 * time.Millisecond)
	if d, _ = p.Device("d"); d.State != Silent || d.NextProbe.IsZero() || !strings.Contains(d.LastError, "check unit number") || !math.IsNaN(d.Values[2].Number) || d.Values[2].EventTime.IsZero() {
		t.Errorf("%+v", d)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestRoundTripsAreTold compares quantiles with those of the sorted list.
func TestRoundTripsAreTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h roundTrips
		if h.quantile(.5) != 0 {
			t.Fatal("a quantile of nothing")
		}
		var list []time.Duration
		for _, us := range rapid.SliceOfN(rapid.Int64Range(100, 50_000_000), 1, 900).Draw(t, "µs") {
			d := time.Duration(us) * time.Microsecond
			h.add(d)
			list = append(list, d)
		}
		slices.Sort(list)
		for _, q := range []float64{.5, .99} {
			want := list[min(len(list)-1, max(0, int(math.Ceil(q*float64(len(list))))-1))]
			if got := h.quantile(q); float64(got) < .79*float64(want) || float64(got) > 1.26*float64(want) {
				t.Fatalf("quantile %v of %v: got %v, want %v", q, list, got, want)
			}
		}
	})
}

// TestRoundTripsForget lets old ones fade.
func TestRoundTripsForget(t *testing.T) {
	var h roundTrips
	for range 100_000 {
		h.add(10 * time.Millisecond)
	}
	for range 3000 {
		h.add(time.Hour)
	}
	if got := h.quantile(.5); got < time.Minute {
		t.Errorf("after 3,000 long round trips the median is %v", got)
	}
	h = roundTrips{}
	h.add(-1)
	if got := h.quantile(.99); got > 100*time.Microsecond {
		t.Errorf("a clock that went back gives %v", got)
	}
}

// historySession is one whose device keeps a history.
type historySession struct{ *fakeSession }

func (s *historySession) Backfill(ctx context.Context, from, to time.Time, fn func([]meter.Reading)) error {
	s.f.mu.Lock()
	s.f.asked = append(s.f.asked, [2]time.Time{from, to})
	s.f.filling++
	s.f.mostFilling = max(s.f.mostFilling, s.f.filling)
	fail := s.f.failHistory
	s.f.mu.Unlock()
	defer func() {
		s.f.mu.Lock()
		s.f.filling--
		s.f.mu.Unlock()
	}()
	if fail {
		return errors.New("device d: the server keeps no history; switch it on")
	}
	for at := from; !at.After(to); at = at.Add(100 * time.Millisecond) {
		r := s.dev.Reading(meter.ActivePower, profile.Primary, profile.Value{Number: -1, Quality: meter.Good}, at, time.Now(), nil)
		fn([]meter.Reading{r})
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// TestBackfill takes two devices of one connection out of reach: each gap is
// asked for once, one after the other, and again only where that failed and
// the next outage came.
func TestBackfill(t *testing.T) {
	f, c := newFakeDriver(), new(collector)
	f.sharing = func(drivers.Device) drivers.Sharing { return drivers.Sharing{Connection: "server", Parallel: 4} }
	var down atomic.Bool
	for _, id := range []string{"a", "b"} {
		f.read[id] = func(context.Context) error {
			if down.Load() {
				return errors.New("no answer; look at the cable")
			}
			return nil
		}
	}
	devices := []drivers.Device{fakeDevice("a", "history", 200*time.Millisecond), fakeDevice("b", "history", 200*time.Millisecond)}
	p, stop := running(t, Config{
		Devices: devices, Drivers: drivers.NewRegistry(f), Sink: c.sink,
		Backfill: Backfill{After: 300 * time.Millisecond, Rate: 500},
	})
	outage := func() {
		down.Store(true)
		time.Sleep(700 * time.Millisecond)
		down.Store(false)
		time.Sleep(500 * time.Millisecond)
	}
	time.Sleep(250 * time.Millisecond)
	before := time.Now()
	outage()
	f.mu.Lock()
	if len(f.asked) != 2 || f.mostFilling != 1 {
		t.Errorf("asked for %v, %d at once", f.asked, f.mostFilling)
	}
	for _, gap := range f.asked {
		if gap[0].After(before) || gap[1].Sub(gap[0]) < 600*time.Millisecond {
			t.Errorf("a gap of %v from %v before the outage", gap[1].Sub(gap[0]), before.Sub(gap[0]))
		}
	}
	f.failHistory, f.asked = true, nil
	f.mu.Unlock()
	outage()
	f.mu.Lock()
	if len(f.asked) != 2 {
		t.Errorf("a history that fails was asked %d times", len(f.asked))
	}
	first := f.asked
	f.failHistory, f.asked = false, nil
	f.mu.Unlock()
	outage()
	f.mu.Lock()
	if len(f.asked) != 2 || f.asked[0][0].After(first[1][0]) && f.asked[0][0].After(first[0][0]) {
		t.Errorf("after a failure %v was asked for, after that %v", first, f.asked)
	}
	f.mu.Unlock()
	if err := stop(); err != nil {
		t.Error(err)
	}
	counts := p.counters.byDriver["fake"]
	filled := 0
	for _, list := range c.byDevice() {
		for _, r := range list {
			if r.Value == -1 {
				filled++
			}
		}
	}
	if counts.backfills.Load() != 4 || counts.failedBackfills.Load() != 2 || uint64(filled) != counts.backfilled.Load() || filled < 4*7 {
		t.Errorf("%d gaps filled, %d not, %d readings counted, %d delivered", counts.backfills.Load(), counts.failedBackfills.Load(), counts.backfilled.Load(), filled)
	}
	if f.sessions != 0 {
		t.Errorf("%d sessions left", f.sessions)
	}
}
