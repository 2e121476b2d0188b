package modbus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// soak names how long the hostile servers are to be borne: make soak sets it.
const soak = "GRIDWARDEN_SOAK"

// hostilePoints lie in several blocks of both tables, some of one length, so
// that their answers look alike.
const hostilePoints = `
    - {quantity: voltage_a, table: holding, address: 10, encoding: uint32}
    - {quantity: voltage_b, table: holding, address: 14, encoding: uint32}
    - {quantity: voltage_c, table: holding, address: 100, encoding: uint32}
    - {quantity: current_a, table: holding, address: 104, encoding: uint32}
    - {quantity: current_b, table: input, address: 10, encoding: uint32}
    - {quantity: current_c, table: input, address: 1000, encoding: uint32}
    - {quantity: alarm, table: coil, address: 20}
    - {quantity: trip, table: discrete, address: 7}`

// hostileDevice is one device behind a villain, and what came of its reads.
type hostileDevice struct {
	villain *villain
	dev     drivers.Device
	unit    byte
	driver  *Driver

	reads, good, failed int
	lastGood            time.Time
	stuck               bool
}

// TestHostile drives devices of every transport against villains: for some
// seconds, or for as long as GRIDWARDEN_SOAK says. No value may be wrong,
// nothing but reading requests may go out, and when the villains turn
// friendly every device must read again soon.
func TestHostile(t *testing.T) {
	last := 6 * time.Second
	if text := os.Getenv(soak); text != "" {
		var err error
		if last, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s=%s: %v; write a duration such as 5m", soak, text, err)
		}
	}
	_ = listen(t).Close() // the runtime opens what it polls with
	before := openFiles(t)
	t.Run("servers", func(t *testing.T) {
		d := New(Options{Timeout: 100 * time.Millisecond, MinBackoff: 10 * time.Millisecond, MaxBackoff: 300 * time.Millisecond})
		defer d.Close()
		p := testProfile(t, hostilePoints)
		ca := newAuthority(t, "utility")
		var villains []*villain
		var devices []*hostileDevice
		add := func(v *villain, units int, url string, options map[string]string) {
			villains = append(villains, v)
			for unit := 1; unit <= units; unit++ {
				dev := testDevice(t, fmt.Sprintf("m%d", len(devices)), fmt.Sprintf("%s/%d", url, unit), p)
				dev.Options = options
				devices = append(devices, &hostileDevice{villain: v, dev: dev, unit: byte(unit), driver: d})
			}
		}
		for i, options := range []map[string]string{nil, {optPipeline: "8"}, {optConnections: "3"}, {optConnections: "2", optPipeline: "4"}} {
			v, l := newVillain(mbap, uint64(i+1)), listen(t)
			v.listener(t, l)
			add(v, 4, "modbus://"+l.Addr().String(), options)
		}
		single, l := newVillain(mbap, 11), listen(t)
		single.listener(t, l)
		add(single, 1, "modbus://"+l.Addr().String(), nil)
		secret, l := newVillain(mbap, 12), listen(t)
		secret.listener(t, tls.NewListener(l, ca.server(t, nil)))
		add(secret, 3, "modbus+tls://"+l.Addr().String(), ca.client(t, nil))
		for i, units := range []int{1, 4} {
			v, l := newVillain(rtu, uint64(20+i)), listen(t)
			v.listener(t, l)
			add(v, units, "modbus+rtu+tcp://"+l.Addr().String(), nil)
		}
		serial := newVillain(rtu, 30)
		line := newPTYFor(t, func(far ptyEnd) { serial.serve(far) })
		add(serial, 3, "modbus+rtu://"+line.name, map[string]string{optBaud: "115200"})

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var work sync.WaitGroup
		var friendly atomic.Pointer[time.Time]
		for i, h := range devices {
			work.Go(func() { h.run(ctx, t, uint64(i), &friendly) })
		}
		time.Sleep(last)
		for _, v := range villains {
			v.friendly.Store(true)
		}
		now := time.Now()
		friendly.Store(&now)
		const soon = 15 * time.Second
		stop := time.AfterFunc(soon, cancel)
		work.Wait()
		stop.Stop()
		report(t, villains, devices, now)
	})
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		after := openFiles(t)
		if len(after) <= len(before) {
			break
		}
		if time.Now().After(until) {
			t.Errorf("open files: %q; before: %q", after, before)
			break
		}
	}
}

// run reads until it has read well after the villain turned friendly.
func (h *hostileDevice) run(ctx context.Context, t *testing.T, seed uint64, friendly *atomic.Pointer[time.Time]) {
	dice := newVillain(mbap, 1000+seed)
	s, err := h.driver.Session(h.dev)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = s.Close() }()
	for ctx.Err() == nil && !h.stuck {
		since := friendly.Load()
		began := time.Now()
		readings, err := h.read(ctx, s, dice)
		if h.judge(t, readings, err, began, time.Now()) && since != nil && h.good > 0 {
			return
		}
		if since == nil && dice.roll(200) == 0 {
			_ = s.Close()
			if s, err = h.driver.Session(h.dev); err != nil {
				t.Error(err)
				return
			}
		}
		time.Sleep(time.Duration(dice.roll(10)) * time.Millisecond)
	}
}

// outcome is what a read came to.
type outcome struct {
	readings []meter.Reading
	err      error
}

// errStuck says that a read never ended.
var errStuck = errors.New("the read never ended")

// read reads in one of the ways there are.
func (h *hostileDevice) read(ctx context.Context, s drivers.Session, dice *villain) ([]meter.Reading, error) {
	done := make(chan outcome, 1)
	way, patience := dice.roll(10), time.Duration(dice.roll(40))*time.Millisecond
	switch way {
	case 1, 2, 3:
		s.(drivers.Starter).Start(0, func(r []meter.Reading, err error) { done <- outcome{slices.Clone(r), err} })
	default:
		go func() {
			if way == 0 { // somebody loses patience
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, patience)
				defer cancel()
			}
			r, err := s.Read(ctx, 0)
			done <- outcome{r, err}
		}()
	}
	select {
	case o := <-done:
		return o.readings, o.err
	case <-time.After(20 * time.Second):
		return nil, errStuck
	}
}

// judge holds the readings to what can have been served; it reports whether
// all are good.
func (h *hostileDevice) judge(t *testing.T, readings []meter.Reading, err error, from, to time.Time) bool {
	h.reads++
	if errors.Is(err, errStuck) {
		t.Errorf("%s (%s): %v", h.dev.ID, h.dev.URL, err)
		h.stuck = true
		return false
	}
	points := h.dev.Profile.Modbus.Points
	if len(readings) != len(points) {
		t.Errorf("%s: %d readings for %d points", h.dev.ID, len(readings), len(points))
		return false
	}
	all := true
	for i, r := range readings {
		function, address := points[i].Table.Function(), int(points[i].Address)
		genuine := h.villain.genuine(r.Value, h.unit, function, address, from, to)
		if points[i].Table.Bits() {
			genuine = (r.Value == 1) == truthBit(h.unit, function, address)
		}
		switch {
		case r.Quality == meter.Good && !genuine:
			t.Errorf("%s (%s): WRONG VALUE %v (%#x) of %s, read from %v to %v", h.dev.ID, h.dev.URL, r.Value, uint32(r.Value), r.Quantity,
				h.villain.tick(from), h.villain.tick(to))
		case r.Quality != meter.Good && (!math.IsNaN(r.Value) || r.Detail == "" || r.Flags == 0):
			t.Errorf("%s: %+v", h.dev.ID, r)
		}
		all = all && r.Quality == meter.Good
	}
	if all != (err == nil) {
		t.Errorf("%s: all good: %v, and %v", h.dev.ID, all, err)
	}
	if all {
		h.good++
		h.lastGood = to
		return true
	}
	h.failed++
	if !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), h.dev.ID) {
		t.Errorf("the error does not name the device: %v", err)
	}
	return false
}

// report holds the outcome to what must not be.
func report(t *testing.T, villains []*villain, devices []*hostileDevice, friendly time.Time) {
	longest := time.Duration(0)
	for _, h := range devices {
		if h.lastGood.Before(friendly) {
			t.Errorf("%s (%s) is stuck: no good read in %v of friendliness; %d reads before, %d good", h.dev.ID, h.dev.URL, time.Since(friendly), h.reads, h.good)
			continue
		}
		longest = max(longest, h.lastGood.Sub(friendly))
	}
	reads, good, requests := 0, 0, 0
	did := map[string]int{}
	for _, h := range devices {
		reads, good = reads+h.reads, good+h.good
	}
	for _, v := range villains {
		v.mu.Lock()
		requests += v.requests
		for name, n := range v.did {
			did[name] += n
		}
		for _, b := range v.breaches {
			t.Errorf("on the wire, and no reading request: % x", b)
		}
		v.mu.Unlock()
	}
	for _, c := range crimes() {
		if did[c.name] == 0 {
			t.Errorf("the villains never tried: %s", c.name)
		}
	}
	if good == 0 || good == reads {
		t.Errorf("%d of %d reads were good: nothing was shown", good, reads)
	}
	t.Logf("%d requests, %d reads, %d good; the last device was back after %v", requests, reads, good, longest.Round(time.Millisecond))
}

// openFiles lists what the process has open.
func openFiles(t testing.TB) []string {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, fd := range list {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil {
			out = append(out, to)
		}
	}
	return out
}
