package opcua

import (
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/drivertest"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// blackHole forwards connections until it swallows them: those that are open
// then stay open for both sides, and nothing passes any more. New ones work.
type blackHole struct {
	addr  string
	epoch atomic.Int64
	work  sync.WaitGroup
}

func newBlackHole(t testing.TB, upstream string) *blackHole {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &blackHole{addr: l.Addr().String()}
	var mu sync.Mutex
	var open []net.Conn
	h.work.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", upstream)
			if err != nil {
				_ = client.Close()
				continue
			}
			mu.Lock()
			open = append(open, client, server)
			mu.Unlock()
			epoch := h.epoch.Load()
			for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
				h.work.Go(func() {
					buf := make([]byte, 64<<10)
					for {
						n, err := pair[0].Read(buf)
						swallowed := h.epoch.Load() != epoch
						if err != nil {
							if !swallowed {
								_ = pair[1].Close()
							}
							return
						}
						if !swallowed {
							if _, err := pair[1].Write(buf[:n]); err != nil {
								return
							}
						}
					}
				})
			}
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		h.work.Wait()
	})
	return h
}

// swallow lets what is open fall silent, without a sign to either side.
func (h *blackHole) swallow() { h.epoch.Add(1) }

const dataPoints = `
    - {quantity: active_power, node: "nsu=urn:gridwarden:data;s=M1.P"}
    - {quantity: voltage_a, node: "nsu=urn:gridwarden:data;s=M1.U1"}`

// recovers lets power change while something breaks. Within 10 s the driver
// must have said that it sees nothing, and must see again.
func recovers(t *testing.T, peer *dataPeer, b *inbox, strike func(), atOnce bool) {
	t.Helper()
	value := 10.0
	step := func() {
		value++
		peer.set(t, map[string]float64{"M1.P": value})
	}
	seen := func(list []meter.Reading) bool {
		return slices.ContainsFunc(list, func(r meter.Reading) bool { return r.Quantity == meter.ActivePower && r.Value == value })
	}
	step()
	b.wait(t, "a change before", 8*time.Second, seen)
	b.clear()
	strike()
	began := time.Now()
	step()
	b.wait(t, "the gap being said", 10*time.Second, atLeast(1, meter.VoltageA, meter.Bad))
	b.wait(t, "the last change", 10*time.Second-time.Since(began), seen)
	step()
	b.wait(t, "a change after", 10*time.Second-time.Since(began), seen)
	t.Logf("recovered after %v", time.Since(began).Round(time.Millisecond))
	b.mu.Lock()
	defer b.mu.Unlock()
	// Between the last value before and the first after stands the gap.
	for _, r := range b.list {
		if r.Quantity != meter.ActivePower {
			continue
		}
		if atOnce && r.Quality != meter.Bad || r.Quality == meter.Bad && !r.Flags.Has(meter.CommFailure) {
			t.Errorf("the first thing heard after the fault is %+v", r)
		}
		break
	}
}

// testHalfOpen swallows packets: no end of the connection is ever seen.
func testHalfOpen(t *testing.T, peer *dataPeer) {
	hole := newBlackHole(t, peer.hostPort())
	b := follow(t, open(t, driver(t, Options{}), testDevice(t, "half", hole.addr, testProfile(t, dataPoints), none)))
	recovers(t, peer, b, hole.swallow, true)
	recovers(t, peer, b, hole.swallow, true)
}

// testCut ends the TCP connection; what changed meanwhile comes afterwards.
func testCut(t *testing.T, peer *dataPeer) {
	proxy := drivertest.NewProxy(t, peer.hostPort())
	b := follow(t, open(t, driver(t, Options{}), testDevice(t, "cut", proxy.Addr(), testProfile(t, dataPoints), none)))
	for range 3 {
		recovers(t, peer, b, proxy.Cut, true)
	}
}

// testNoPublishing leaves connection, session and channel alive, and answers
// every request but Publish.
func testNoPublishing(t *testing.T, peer *dataPeer) {
	d := driver(t, Options{})
	dev := testDevice(t, "mute", peer.hostPort(), testProfile(t, dataPoints), none)
	b := follow(t, open(t, d, dev))
	polled := open(t, d, dev)
	recovers(t, peer, b, func() {
		peer.tell(t, map[string]any{"stop publishing": true})
		if _, err := polled.Read(t.Context(), 0); err != nil {
			t.Errorf("the server answers nothing at all: %v", err)
		}
	}, false) // the requests that it has already it still answers
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.ContainsFunc(b.list, func(r meter.Reading) bool { return strings.Contains(r.Detail, "silent") }) {
		t.Error("nobody says that the subscription was silent")
	}
}

// TestNamespacesMove restarts a server under new namespace indexes: the URI
// still finds the nodes, for reads and for subscriptions.
func TestNamespacesMove(t *testing.T) {
	t.Parallel()
	peer := dataServer(t, dataSettings{})
	d := driver(t, Options{})
	dev := testDevice(t, "moved", peer.hostPort(), testProfile(t, dataPoints), none)
	polled := open(t, d, dev)
	b := follow(t, open(t, d, dev))
	b.wait(t, "values", 8*time.Second, atLeast(1, meter.ActivePower, meter.Good))
	if readings := readSoon(t, polled); readings[0].Value != 10.25 {
		t.Fatalf("%+v", readings)
	}
	peer.stop()
	b.clear()
	again := dataServer(t, dataSettings{Port: peer.Port, Decoys: []string{"urn:one", "urn:two", "urn:three"}})
	if again.Namespace == peer.Namespace {
		t.Fatalf("the namespace still has index %d", again.Namespace)
	}
	b.wait(t, "values after the restart", 20*time.Second, atLeast(1, meter.ActivePower, meter.Good))
	if readings := readSoon(t, polled); readings[0].Value != 10.25 || readings[1].Value != 230.5 {
		t.Errorf("%+v", readings)
	}
}

// readSoon reads until the server answers in time, for at most ten seconds: it
// may have just started, on a busy machine.
func readSoon(t *testing.T, s drivers.Session) []meter.Reading {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		readings, err := s.Read(t.Context(), 0)
		if err == nil {
			return readings
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
