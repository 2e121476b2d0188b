package opcua

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// soakEnv makes the hostile tests last longer than a few seconds.
const soakEnv = "GRIDWARDEN_SOAK"

func soak(t testing.TB, short time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(soakEnv)
	if text == "" {
		return short
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s is %q; write a duration such as 3m", soakEnv, text)
	}
	return d
}

// TestHostile lets a server misbehave in every way that is known, for seconds
// or for as long as GRIDWARDEN_SOAK says: whatever it does, no value is wrong,
// and when it stops every device is read again, with nothing left behind.
func TestHostile(t *testing.T) {
	peer := dataServer(t, dataSettings{})
	t.Run("unsecured", func(t *testing.T) {
		besiege(t, newHostile(t, peer.hostPort(), 20261124, false), hostilePoints, none, hostileWant)
	})
	t.Run("signed", func(t *testing.T) {
		options := map[string]string{optSecurity: "Basic256Sha256", optSecurityMode: "sign", optPin: peer.SHA256}
		besiege(t, newHostile(t, peer.hostPort(), 4840, true), hostilePoints, options, hostileWant)
	})
}

// hostilePoints are nodes of data.js that do not change, and what they hold.
const hostilePoints = `
    - {quantity: active_power, node: "nsu=urn:gridwarden:data;s=M1.P"}
    - {quantity: reactive_power, node: "nsu=urn:gridwarden:data;s=M2.Q"}
    - {quantity: voltage_a, node: "nsu=urn:gridwarden:data;s=M3.U1"}
    - {quantity: active_energy_import, node: "nsu=urn:gridwarden:data;s=M3.E"}`

func hostileWant(i int) float64 { return []float64{10.25, 5, 230.5, 3000}[i] }

// TestEachAttack makes every attack once, while connecting and while reading:
// no value is wrong, and the next reads are whole again.
func TestEachAttack(t *testing.T) {
	t.Parallel()
	peer := dataServer(t, dataSettings{})
	p := testProfile(t, hostilePoints)
	for a := drip; a <= noAcknowledge; a++ {
		if a == flip { // without signatures nobody could tell
			continue
		}
		for _, at := range []int64{1, 2, 4, 7, 9} {
			t.Run(fmt.Sprint(attackNames[a], " at ", at), func(t *testing.T) {
				t.Parallel()
				h := newHostile(t, peer.hostPort(), 1, false)
				h.only, h.at = a, at
				s := open(t, driver(t, Options{Timeout: 500 * time.Millisecond, Connect: time.Second}), testDevice(t, "a", h.addr, p, none))
				whole := 0
				for end := time.Now().Add(20 * time.Second); whole < 3 || h.attacks[a].Load() == 0; time.Sleep(5 * time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("%d whole reads after the attack", whole)
					}
					list, err := s.Read(t.Context(), 0)
					whole++
					for i, r := range list {
						if r.Quality == meter.Bad && math.IsNaN(r.Value) {
							whole = 0
						} else if r.Value != hostileWant(i) {
							t.Fatalf("wrong value %+v (%v)", r, err)
						}
					}
				}
			})
		}
	}
}

// besiege reads and subscribes through the hostile proxy.
func besiege(t *testing.T, h *hostile, points string, options map[string]string, want func(int) float64) {
	goroutines, sockets := runtime.NumGoroutine(), openSockets()
	var list []*Driver // several, for connections of their own
	for range 4 {
		list = append(list, New(Options{Timeout: 150 * time.Millisecond, Connect: 400 * time.Millisecond, Watchdog: 500 * time.Millisecond, MinBackoff: 2 * time.Millisecond, MaxBackoff: 20 * time.Millisecond}))
	}
	p := testProfile(t, points)
	place := make(map[meter.Quantity]int)
	for i := range p.OPCUA.Points {
		place[p.OPCUA.Points[i].Quantity] = i
	}
	var good, bad, wrong atomic.Int64
	judge := func(list []meter.Reading) {
		for _, r := range list {
			switch {
			case r.Quality == meter.Bad && math.IsNaN(r.Value):
				bad.Add(1)
			case r.Value == want(place[r.Quantity]):
				good.Add(1)
			default:
				if wrong.Add(1) < 10 {
					t.Errorf("wrong value: %+v, want %v", r, want(place[r.Quantity]))
				}
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var sessions []drivers.Session
	var last []*sync.Map // of each session: the quality of every point's last reading
	for n := range 6 * len(list) {
		dev := testDevice(t, fmt.Sprint("h", n), h.addr, p, options)
		s, err := list[n%len(list)].Session(dev)
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, s)
		state := new(sync.Map)
		last = append(last, state)
		take := func(list []meter.Reading) {
			judge(list)
			for _, r := range list {
				state.Store(r.Quantity, r.Quality)
			}
		}
		if n >= 4*len(list) {
			all.Go(func() { _ = s.(drivers.Subscriber).Subscribe(ctx, take) })
			continue
		}
		all.Go(func() {
			for ctx.Err() == nil {
				list, _ := s.Read(ctx, 0)
				take(list)
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	var heap uint64
	for end := time.Now().Add(soak(t, 5*time.Second)); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heap = max(heap, m.HeapAlloc)
		if n := runtime.NumGoroutine(); n > goroutines+500 {
			t.Fatalf("%d goroutines", n)
		}
	}
	if heap > 128<<20 {
		t.Errorf("%d MiB of memory were held", heap>>20)
	}
	h.peaceful.Store(true)
	end := time.Now().Add(10 * time.Second)
	for i, state := range last {
		for q := range place {
			for v, _ := state.Load(q); v != meter.Good; v, _ = state.Load(q) {
				if time.Now().After(end) {
					t.Errorf("device %d: %s is stuck 10 s after the end of the attacks", i, q)
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
	}
	cancel()
	all.Wait()
	for _, s := range sessions {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, d := range list {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	var done string
	for i := range h.attacks {
		if i == int(flip) && !h.signed || i == int(poison) && h.signed {
			continue
		}
		n := h.attacks[i].Load()
		done += fmt.Sprintf("%s %d, ", attackNames[i], n)
		if n == 0 && os.Getenv(soakEnv) != "" {
			t.Errorf("attack %q never happened", attackNames[i])
		}
	}
	t.Logf("%d good, %d bad, %d wrong; %sheap at most %d MiB", good.Load(), bad.Load(), wrong.Load(), done, heap>>20)
	if good.Load() == 0 {
		t.Error("nothing got through at all")
	}
	debug.FreeOSMemory()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines+5 || openSockets() > sockets+5; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("left behind: %d goroutines became %d, %d sockets %d", goroutines, runtime.NumGoroutine(), sockets, openSockets())
			break
		}
	}
}

// openSockets counts the process's sockets. Pipes are not counted: the
// runtime keeps those of its own copying for later.
func openSockets() int {
	list, _ := os.ReadDir("/proc/self/fd")
	n := 0
	for _, f := range list {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}
