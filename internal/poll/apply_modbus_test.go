package poll

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/modbus"
)

// TestApplyOnGateways changes units behind gateways with the real driver: a
// ratio costs no connection, an option of the gateway costs its own, and what
// is refused costs nothing.
func TestApplyOnGateways(t *testing.T) {
	var dials atomic.Int64
	drv := modbus.New(modbus.Options{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}})
	defer drv.Close()
	devices := meterFleet(t, startGateways(t)[:2], 5)
	for i := range devices {
		devices[i].Interval = 200 * time.Millisecond
	}
	c := new(collector)
	p, stop := running(t, Config{Devices: devices, Drivers: drivers.NewRegistry(drv), Sink: c.sink})
	answering := func(what string, want int) {
		t.Helper()
		deadline := time.Now().Add(time.Minute)
		before := map[string]uint64{}
		for _, st := range p.Status() {
			before[st.ID] = st.Reads
		}
		for {
			n := 0
			for _, st := range p.Status() {
				if st.State == OK && st.Reads > before[st.ID]+2 {
					n++
				}
			}
			if n == want && len(before) == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d of %d devices answer: %+v", what, n, want, p.Status()[0])
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	answering("at the start", 10)
	connected := dials.Load()

	next := append([]drivers.Device{}, devices...)
	for i := range next {
		if i != 3 {
			next[i].Ratios = []drivers.Ratio{{Factor: 10}}
		}
	}
	if change, err := p.Apply(next); err != nil || change != (Change{Changed: 9, Kept: 1}) {
		t.Errorf("%+v, %v", change, err)
	}
	answering("with other ratios", 10)
	if n := dials.Load(); n != connected {
		t.Errorf("%d connections were made for other ratios", n-connected)
	}

	torn := append([]drivers.Device{}, next...)
	torn[2].Options = map[string]string{"connections": "2"}
	if _, err := p.Apply(torn); err == nil || !strings.Contains(err.Error(), "set the same on all of them") {
		t.Errorf("units that disagree about their gateway: %v", err)
	}
	answering("after a refusal", 10)
	if n := dials.Load(); n != connected {
		t.Errorf("%d connections were made for a refused change", n-connected)
	}

	for i := range 5 {
		next[i].Options = map[string]string{"connections": "2"}
	}
	if change, err := p.Apply(next); err != nil || change != (Change{Changed: 5, Kept: 5}) {
		t.Errorf("%+v, %v", change, err)
	}
	answering("with two connections", 10)
	for _, st := range p.Status()[5:] {
		if st.Failures != 0 || st.Missed != 0 {
			t.Errorf("a neighbour noticed: %+v", st)
		}
	}

	next = next[4:]
	next[0].URL, next[0].Options = next[1].URL.JoinPath("/..", "9"), nil
	if change, err := p.Apply(next); err != nil || change != (Change{Removed: 4, Changed: 1, Kept: 5}) {
		t.Errorf("%+v, %v", change, err)
	}
	answering("with fewer", 6)
	if err := stop(); err != nil {
		t.Error(err)
	}
}
