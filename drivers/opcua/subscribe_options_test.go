package opcua

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/drivertest"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func TestDataOptions(t *testing.T) {
	for _, c := range []struct {
		options map[string]string
		want    string // in the error; "" = fine
	}{
		{map[string]string{optSampling: "250ms", optDeadband: "0.5", optQueueSize: "20", optDiscard: "newest", optMaxClockOffset: "1m"}, ""},
		{map[string]string{optDeadband: "2%"}, ""},
		{map[string]string{optDeadband: "2 %"}, ""},
		{map[string]string{optSampling: "fast"}, `sampling is "fast"; write a duration`},
		{map[string]string{optSampling: "-1s"}, "write a duration"},
		{map[string]string{optDeadband: "-1"}, `deadband is "-1"; write the smallest change`},
		{map[string]string{optDeadband: "NaN"}, "write the smallest change"},
		{map[string]string{optDeadband: "101%"}, "write the smallest change"},
		{map[string]string{optQueueSize: "0"}, `queue_size is "0"; write a number from 1 to`},
		{map[string]string{optDiscard: "all"}, `discard is "all"; write oldest or newest`},
		{map[string]string{optMaxClockOffset: "0s"}, "max_clock_offset"},
	} {
		dev := testDevice(t, "d", "127.0.0.1:4840", testProfile(t, dataPoints), map[string]string{optSecurity: "none"})
		maps.Copy(dev.Options, c.options)
		err := New(Options{}).Check(dev)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "device d")) {
			t.Errorf("%v: %v", c.options, err)
		}
	}
}

// with is a session with options of its own.
func with(t *testing.T, peer *dataPeer, id, points string, options map[string]string, set ...func(*drivers.Device)) *session {
	t.Helper()
	all := maps.Clone(none)
	maps.Copy(all, options)
	dev := testDevice(t, id, peer.hostPort(), testProfile(t, points), all)
	for _, f := range set {
		f(&dev)
	}
	return open(t, driver(t, Options{}), dev)
}

const stepPoint = `
    - {quantity: active_power, node: "nsu=urn:gridwarden:data;s=Step"}`

func values(b *inbox, q meter.Quantity) []float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []float64
	for _, r := range b.list {
		if r.Quantity == q {
			out = append(out, r.Value)
		}
	}
	return out
}

// testDeadband: small changes stay at the server.
func testDeadband(t *testing.T, peer *dataPeer) {
	const power = `
    - {quantity: active_power, node: "nsu=urn:gridwarden:data;s=M2.P"}`
	for option, step := range map[string]float64{"5": 5, "10%": 10} { // the range is 0 to 100
		peer.set(t, map[string]float64{"M2.P": 20})
		s := with(t, peer, "deadband", power, map[string]string{optDeadband: option, optSampling: "50ms"})
		b := follow(t, s)
		b.wait(t, "the first value", 8*time.Second, atLeast(1, meter.ActivePower, meter.Good))
		b.clear()
		for i := range 4 {
			peer.set(t, map[string]float64{"M2.P": 20 + step*float64(i+1)/5})
			time.Sleep(120 * time.Millisecond)
		}
		peer.set(t, map[string]float64{"M2.P": 20 + 2*step})
		b.wait(t, "the large change", 8*time.Second, atLeast(1, meter.ActivePower, meter.Good))
		if got := values(b, meter.ActivePower); len(got) != 1 || got[0] != 20+2*step {
			t.Errorf("deadband %s: %v came", option, got)
		}
		if notes := s.Notes(); len(notes) != 0 {
			t.Errorf("%q", notes)
		}
	}
	// A node without a range cannot have a share of it.
	s := with(t, peer, "rangeless", stepPoint, map[string]string{optDeadband: "1%"})
	b := follow(t, s)
	b.wait(t, "a value all the same", 8*time.Second, atLeast(1, meter.ActivePower, meter.Good))
	if notes := strings.Join(s.Notes(), "\n"); !strings.Contains(notes, "does not take the deadband") {
		t.Errorf("%q", notes)
	}
}

// testQueue: while the network stalls, the server's queue of a node fills up.
// What did not fit is said at the value next to the gap.
func testQueue(t *testing.T, peer *dataPeer) {
	for _, discard := range []string{"oldest", "newest"} {
		peer.set(t, map[string]float64{"Step": 0})
		proxy := drivertest.NewProxy(t, peer.hostPort())
		options := map[string]string{optNode: "T1", optSecurity: "none", optQueueSize: "3", optDiscard: discard, optSampling: "0"}
		b := follow(t, open(t, driver(t, Options{}), testDevice(t, "queue", proxy.Addr(), testProfile(t, stepPoint), options)))
		b.wait(t, "the first value", 8*time.Second, atLeast(1, meter.ActivePower, meter.Good))
		b.clear()
		proxy.Stall(true)
		const steps = 60 // far more than the publish requests that wait there, and the queue, can hold
		for i := range steps {
			peer.set(t, map[string]float64{"Step": float64(i + 1)})
			time.Sleep(25 * time.Millisecond)
		}
		proxy.Stall(false)
		b.wait(t, "what was kept", 8*time.Second, atLeast(1, meter.ActivePower, meter.Uncertain))
		b.mu.Lock()
		for _, r := range b.list {
			if r.Flags.Has(meter.Missing) && (r.Quality != meter.Uncertain || !strings.Contains(r.Detail, "lost in the server's full queue; raise the option queue_size")) {
				t.Errorf("%+v", r)
			}
		}
		if len(b.list) >= steps {
			t.Errorf("discard %s: nothing was lost", discard)
		}
		b.mu.Unlock()
	}
}

// testGroups: the groups' intervals are the sampling intervals.
func testGroups(t *testing.T, peer *dataPeer) {
	const points = `
    - {quantity: active_power, node: "nsu=urn:gridwarden:data;s=M3.P", group: fast}
    - {quantity: active_energy_import, node: "nsu=urn:gridwarden:data;s=M3.E", group: slow}`
	p := testProfile(t, points+"\ngroups: {fast: 10s, slow: 10s}")
	dev := testDevice(t, "groups", peer.hostPort(), p, none)
	dev.Groups = map[string]time.Duration{"fast": 200 * time.Millisecond, "slow": 3 * time.Second}
	s := open(t, driver(t, Options{}), dev)
	for g, want := range map[int]time.Duration{0: 200 * time.Millisecond, 1: 3 * time.Second} {
		if got := s.sampling(g); got != want {
			t.Errorf("group %d is sampled every %v", g, got)
		}
	}
	b := follow(t, s)
	b.wait(t, "first values", 8*time.Second, atLeast(1, meter.ActiveEnergyImport, meter.Good))
	b.clear()
	for i := range 12 {
		peer.set(t, map[string]float64{"M3.P": float64(i), "M3.E": float64(4000 + i)})
		time.Sleep(250 * time.Millisecond)
	}
	if fast := len(values(b, meter.ActivePower)); fast < 8 {
		t.Errorf("%d of 12 changes of the fast group came", fast)
	}
}

// testComeAndGo: sessions that subscribe or leave do not disturb the others.
func testComeAndGo(t *testing.T, peer *dataPeer) {
	d := driver(t, Options{})
	dev := testDevice(t, "stays", peer.hostPort(), testProfile(t, dataPoints), none)
	stays := follow(t, open(t, d, dev))
	stays.wait(t, "first values", 8*time.Second, atLeast(1, meter.VoltageA, meter.Good))
	for n := range 3 {
		t.Run(fmt.Sprint("guest ", n), func(t *testing.T) {
			guest := dev
			guest.ID = fmt.Sprint("guest", n)
			guest.Interval = 200*time.Millisecond - time.Duration(n)*50*time.Millisecond // each in more of a hurry
			b := follow(t, open(t, d, guest))
			b.wait(t, "the guest's values", 8*time.Second, atLeast(1, meter.VoltageA, meter.Good))
		})
	}
	time.Sleep(3 * settle)
	peer.set(t, map[string]float64{"M1.P": 77})
	stays.wait(t, "a change", 8*time.Second, func(list []meter.Reading) bool { return list[len(list)-1].Value == 77 })
	stays.mu.Lock()
	defer stays.mu.Unlock()
	if n := count(meter.VoltageA, meter.Good)(stays.list); n != 1 {
		t.Errorf("an unchanged value came %d times: the subscription was set up anew", n)
	}
	if n := count(meter.VoltageA, meter.Bad)(stays.list); n != 0 {
		t.Errorf("%d gaps", n)
	}
}
