package opcua

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers/drivertest"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// inbox collects what a subscription delivers.
type inbox struct {
	mu   sync.Mutex
	list []meter.Reading
}

func (b *inbox) take(list []meter.Reading) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, list...)
}

func (b *inbox) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = nil
}

// wait returns once ok holds of what has come since clear, or fails.
func (b *inbox) wait(t *testing.T, what string, most time.Duration, ok func([]meter.Reading) bool) time.Duration {
	t.Helper()
	began := time.Now()
	for time.Since(began) < most {
		b.mu.Lock()
		done := ok(b.list)
		b.mu.Unlock()
		if done {
			return time.Since(began)
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t.Fatalf("%s: not within %v; %d readings: %+v", what, most, len(b.list), b.list[max(0, len(b.list)-3):])
	return 0
}

func count(q meter.Quantity, quality meter.Quality) func([]meter.Reading) int {
	return func(list []meter.Reading) int {
		n := 0
		for _, r := range list {
			if r.Quantity == q && r.Quality == quality {
				n++
			}
		}
		return n
	}
}

func atLeast(n int, q meter.Quantity, quality meter.Quality) func([]meter.Reading) bool {
	return func(list []meter.Reading) bool { return count(q, quality)(list) >= n }
}

// follow subscribes a session until the test ends.
func follow(t *testing.T, s *session) *inbox {
	t.Helper()
	b := new(inbox)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Subscribe(ctx, b.take) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

func testSubscription(t *testing.T, peer *nodeServer) {
	p := testProfile(t, peerPoints)
	d := driver(t, Options{})
	var boxes []*inbox
	for n := 1; n <= 5; n++ {
		dev := testDevice(t, fmt.Sprint("t", n), peer.hostPort(), p, map[string]string{optNode: fmt.Sprint("T", n), optSecurity: "none"})
		boxes = append(boxes, follow(t, open(t, d, dev)))
	}
	for i, b := range boxes {
		b.wait(t, "energy changes", 8*time.Second, atLeast(5, meter.ActiveEnergyImport, meter.Good))
		b.mu.Lock()
		last := 0.0
		for _, r := range b.list {
			if r.DeviceID != fmt.Sprint("t", i+1) || r.Quality != meter.Good {
				t.Errorf("%+v", r)
			}
			if r.Quantity == meter.ActivePower && r.Value != (1000*float64(i+1)+0.5)/1000 {
				t.Errorf("T%d has %v kW", i+1, r.Value)
			}
			if r.Quantity == meter.ActiveEnergyImport {
				if r.Value < last {
					t.Errorf("energy falls from %v to %v", last, r.Value)
				}
				last = r.Value
			}
		}
		// A value that does not change comes once for each time that the
		// subscription was set up, not with every publishing.
		if n := count(meter.VoltageA, meter.Good)(b.list); n < 1 || n > 3 {
			t.Errorf("an unchanged voltage was delivered %d times", n)
		}
		b.mu.Unlock()
	}
}

// testSubscriptionCut cuts TCP: changes must flow again.
func testSubscriptionCut(t *testing.T, peer *nodeServer) {
	proxy := drivertest.NewProxy(t, peer.hostPort())
	b := follow(t, open(t, driver(t, Options{}), testDevice(t, "cut", proxy.Addr(), testProfile(t, peerPoints), none)))
	b.wait(t, "first changes", 8*time.Second, atLeast(3, meter.ActiveEnergyImport, meter.Good))
	for range 3 {
		proxy.Cut()
		b.clear()
		took := b.wait(t, "changes after the cut", 10*time.Second, atLeast(3, meter.ActiveEnergyImport, meter.Good))
		t.Logf("recovered after %v", took)
	}
	proxy.Down()
	b.clear()
	b.wait(t, "bad quality while the server is away", 8*time.Second, atLeast(1, meter.ActivePower, meter.Bad))
	b.mu.Lock()
	if r := b.list[len(b.list)-1]; !r.Flags.Has(meter.CommFailure) || !strings.Contains(r.Detail, "cut") {
		t.Errorf("%+v", r)
	}
	b.mu.Unlock()
	proxy.Up(t)
	b.clear()
	b.wait(t, "changes after the return", 10*time.Second, atLeast(3, meter.ActiveEnergyImport, meter.Good))
}

// testSubscriptionSilent stalls the network with its connections open, the
// fault that leaves gopcua connected and silent.
func testSubscriptionSilent(t *testing.T, peer *nodeServer) {
	proxy := drivertest.NewProxy(t, peer.hostPort())
	d := driver(t, Options{Watchdog: 1500 * time.Millisecond, Connect: time.Second})
	b := follow(t, open(t, d, testDevice(t, "silent", proxy.Addr(), testProfile(t, peerPoints), none)))
	b.wait(t, "first changes", 8*time.Second, atLeast(3, meter.ActiveEnergyImport, meter.Good))
	proxy.Stall(true)
	b.clear()
	b.wait(t, "bad quality in the silence", 5*time.Second, atLeast(1, meter.ActivePower, meter.Bad))
	proxy.Stall(false)
	b.clear()
	b.wait(t, "changes after the silence", 10*time.Second, atLeast(3, meter.ActiveEnergyImport, meter.Good))
}

func testSubscriptionRefused(t *testing.T, peer *nodeServer) {
	p := testProfile(t, `
    - {quantity: active_energy_import, node: "nsu=urn:gridwarden:peer;s={node}.Energy"}
    - {quantity: current_a, node: "nsu=urn:gridwarden:peer;s={node}.NoSuchNode"}
    - {quantity: current_b, node: "nsu=urn:nobody;s={node}.Energy"}`)
	b := follow(t, open(t, driver(t, Options{}), testDevice(t, "odd", peer.hostPort(), p, none)))
	b.wait(t, "the point that is there", 8*time.Second, atLeast(2, meter.ActiveEnergyImport, meter.Good))
	b.wait(t, "a node that is not there", time.Second, atLeast(1, meter.CurrentA, meter.Bad))
	b.wait(t, "a namespace that is not there", time.Second, atLeast(1, meter.CurrentB, meter.Bad))
}
