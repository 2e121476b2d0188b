package stream

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// substation is a leaf that publishes numbered readings, each batch of ten
// acknowledged within a moment whatever the link is like.
type substation struct {
	s       *Stream
	name    string
	next    int
	slowest time.Duration
}

const perBatch = 10

func (b *substation) publish(t *testing.T, batches int) {
	t.Helper()
	for range batches {
		readings := make([]meter.Reading, perBatch)
		for i := range readings {
			at := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC).Add(time.Duration(b.next) * time.Second)
			readings[i] = meter.Reading{
				DeviceID: b.name, MeterID: b.name, Quantity: meter.Quantities()[0], Value: float64(b.next),
				EventTime: at, ReceiveTime: at, Quality: meter.Good,
			}
			b.next++
		}
		begin := time.Now()
		publish(t, b.s, readings)
		b.slowest = max(b.slowest, time.Since(begin))
	}
}

// follower reads the hub's stream and knows what came of each device.
type follower struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu   sync.Mutex
	next map[string]int
	odd  []string
}

func follow(t *testing.T, hub *Stream) *follower {
	t.Helper()
	f := &follower{next: make(map[string]int)}
	f.again(t, hub)
	t.Cleanup(f.stop)
	return f
}

// again reads on, from a hub that was started again.
func (f *follower) again(t *testing.T, hub *Stream) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f.cancel = cancel
	f.wg.Go(func() {
		if err := hub.ConsumeReadings(ctx, "test", f.take); err != nil {
			t.Error(err)
		}
	})
}

func (f *follower) take(_ context.Context, rs []meter.Reading) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range rs {
		if int(r.Value) != f.next[r.DeviceID] {
			f.odd = append(f.odd, fmt.Sprintf("%s: %v where %d was next", r.DeviceID, r.Value, f.next[r.DeviceID]))
		}
		f.next[r.DeviceID] = int(r.Value) + 1
	}
	return nil
}

func (f *follower) stop() {
	f.cancel()
	f.wg.Wait()
}

func (f *follower) has(name string, n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next[name] >= n
}

// exact checks that each device's readings came in order, each once.
func (f *follower) exact(t *testing.T) {
	t.Helper()
	f.stop()
	if len(f.odd) > 0 {
		t.Errorf("%d readings out of order, lost or twice: %s", len(f.odd), f.odd[:min(len(f.odd), 5)])
	}
}

func openHub(t *testing.T, at string, cfg Config) *Stream {
	t.Helper()
	cfg.Source = "hub"
	if cfg.Listen == nil {
		cfg.Listen = &Listen{}
	}
	cfg.Listen.Leaf = at
	return open(t, cfg)
}

func openLeaf(t *testing.T, name, hub string) *substation {
	t.Helper()
	return &substation{name: name, s: open(t, Config{Source: name, MessageBytes: 1, Leaf: &Leaf{Hub: []string{"nats-leaf://" + hub}}})}
}

// stored is the number of messages that the hub has, whoever sent them.
func stored(t *testing.T, s *Stream) int {
	t.Helper()
	str, err := s.js.Stream(t.Context(), string(Readings))
	if err != nil {
		t.Fatal(err)
	}
	return int(str.CachedInfo().State.Msgs)
}

// TestLeafCatchesUp cuts and stalls the link of a substation, which works on;
// the hub gets every reading once and in order.
func TestLeafCatchesUp(t *testing.T) {
	t.Parallel()
	at := freePort(t)
	hub := openHub(t, at, Config{Leaves: []string{"north"}})
	wire := newLink(t, at)
	north := openLeaf(t, "north", wire.Addr())
	seen := follow(t, hub)

	north.publish(t, 50)
	waitFor(t, "readings over the link", func() bool { return seen.has("north", north.next) })

	for _, trouble := range []struct {
		name string
		set  func(bool)
	}{{"cut", wire.Cut}, {"stalled", wire.Stall}} {
		trouble.set(true)
		north.publish(t, 100)
		trouble.set(false)
		north.publish(t, 50)
		begin := time.Now()
		waitFor(t, "caught up after the link was "+trouble.name, func() bool { return seen.has("north", north.next) })
		t.Logf("caught up %v after the link, %s before, was back", time.Since(begin).Round(time.Millisecond), trouble.name)
	}
	seen.exact(t)
	// What passed the link as it was would be stored a second time.
	if at, there := stored(t, north.s), stored(t, hub); at != there {
		t.Errorf("%d messages at the substation, %d at the hub", at, there)
	}
	if north.slowest > 2*time.Second {
		t.Errorf("an acknowledgement at the substation took %v", north.slowest)
	}
	t.Logf("slowest acknowledgement at the substation %v", north.slowest)
}

// TestLeavesOfAGuardedHub starts a substation before its hub, which has TLS
// and users; a second joins, the hub restarts with its data, and a leaf can
// neither do harm to others nor the hub to it.
func TestLeavesOfAGuardedHub(t *testing.T) {
	t.Parallel()
	ca, at := newAuthority(t), freePort(t)
	join := func(name string) Config {
		return Config{Source: name, MessageBytes: 1, Leaf: &Leaf{
			Hub: []string{"tls://" + at}, TLS: TLS{CA: ca.file}, Credentials: secret(t, name+":"+passwordOf(name)+"\n"),
		}}
	}
	north := &substation{name: "north", s: open(t, join("north"))}
	north.publish(t, 20)
	waitFor(t, "the missing hub is seen", func() bool {
		l := links(t, north.s)[0]
		return !l.Connected && l.Waiting == 20*perBatch && strings.Contains(l.Problem, "no connection")
	})

	cert := ca.issue("hub")
	cfg := Config{
		Dir: t.TempDir(), Leaves: []string{"north", "south"},
		Listen: &Listen{TLS: TLS{Cert: cert.Cert, Key: cert.Key}, UsersFile: usersFile(t, "north", "south", "east")},
	}
	hub := openHub(t, at, cfg)
	seen := follow(t, hub)
	south := &substation{name: "south", s: open(t, join("south"))}
	south.publish(t, 30)
	begin := time.Now()
	waitFor(t, "both leaves' readings", func() bool {
		return seen.has("north", north.next) && seen.has("south", south.next)
	})
	t.Logf("both leaves taken over %v after the second came", time.Since(begin).Round(time.Millisecond))

	seen.stop()
	hub.Close()
	north.publish(t, 20)
	hub = openHub(t, at, cfg)
	seen.again(t, hub)
	north.publish(t, 20)
	begin = time.Now()
	waitFor(t, "readings after the hub's restart", func() bool { return seen.has("north", north.next) })
	t.Logf("taken over %v after the hub's restart", time.Since(begin).Round(time.Millisecond))
	waitFor(t, "links are well", func() bool {
		for _, l := range append(links(t, hub), links(t, north.s)...) {
			if !l.Connected || l.Waiting != 0 || l.Problem != "" {
				return false
			}
		}
		return true
	})
	seen.exact(t)

	// The hub asks the leaf for readings, and for nothing else.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	far, err := jetstream.NewWithDomain(hub.conn, "north")
	if err != nil {
		t.Fatal(err)
	}
	if err := far.DeleteStream(ctx, string(Readings)); err == nil {
		t.Error("the hub deleted the leaf's stream")
	}
	if n := stored(t, north.s); n != north.next {
		t.Errorf("%d messages at the leaf, want %d", n, north.next)
	}
	// A leaf cannot ask another for anything, nor the hub.
	for _, domain := range []string{"north", "hub"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		far, err := jetstream.NewWithDomain(south.s.conn, domain)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := far.Stream(ctx, string(Readings)); err == nil {
			t.Errorf("a leaf reads the stream of %s", domain)
		}
	}
}

// TestLeavesComeAndGo takes a leaf off the hub's list and puts it back: the
// hub goes on where it was.
func TestLeavesComeAndGo(t *testing.T) {
	t.Parallel()
	at := freePort(t)
	cfg := Config{Dir: t.TempDir(), Leaves: []string{"north"}}
	hub := openHub(t, at, cfg)
	north := openLeaf(t, "north", at)
	seen := follow(t, hub)
	for _, leaves := range [][]string{{"north"}, {"north", "south"}, {"south", "north"}} {
		north.publish(t, 20)
		waitFor(t, "readings while the leaf is on the list", func() bool { return seen.has("north", north.next) })
		seen.stop()
		hub.Close()
		cfg.Leaves = nil
		hub = openHub(t, at, cfg)
		north.publish(t, 20)
		hub.Close()
		cfg.Leaves = leaves
		hub = openHub(t, at, cfg)
		seen.again(t, hub)
	}
	waitFor(t, "all readings", func() bool { return seen.has("north", north.next) })
	seen.exact(t)
}

// TestLeafWithAWrongPassword says so at the leaf, in its state and its log,
// and keeps the password out of both.
func TestLeafWithAWrongPassword(t *testing.T) {
	t.Parallel()
	at := freePort(t)
	openHub(t, at, Config{Leaves: []string{"north"}, Listen: &Listen{UsersFile: usersFile(t, "north", "east")}})
	for name, login := range map[string]string{
		"password": "north:of-somebody-else", "a client's name": "east:" + passwordOf("east"), "unknown": "west:of-nobody",
	} {
		t.Run(name, func(t *testing.T) {
			var log kept
			s := open(t, Config{Source: "north", Logger: log.logger(), Leaf: &Leaf{Hub: []string{"nats-leaf://" + at}, Credentials: secret(t, login)}})
			waitFor(t, "the leaf says what is wrong", func() bool {
				l := links(t, s)[0]
				return !l.Connected && strings.Contains(l.Problem, "Authorization Violation") && strings.Contains(l.Problem, "check stream.leaf")
			})
			_, password, _ := strings.Cut(login, ":")
			if !strings.Contains(log.String(), "Authorization Violation") || strings.Contains(log.String(), password) {
				t.Errorf("log:\n%s", log.String())
			}
		})
	}
}

// TestLeafMadeAnew has a substation lose its disk: the hub notices that the
// stream is another one and takes all of it over.
func TestLeafMadeAnew(t *testing.T) {
	t.Parallel()
	at := freePort(t)
	hub := openHub(t, at, Config{Leaves: []string{"north"}})
	north := openLeaf(t, "north", at)
	seen := follow(t, hub)
	north.publish(t, 50)
	waitFor(t, "the first readings", func() bool { return seen.has("north", north.next) })
	north.s.Close()

	again := openLeaf(t, "north", at)
	again.next = north.next
	again.publish(t, 10) // fewer than there were
	begin := time.Now()
	waitFor(t, "the readings of the new disk", func() bool { return seen.has("north", again.next) })
	t.Logf("taken over %v after the leaf came back empty", time.Since(begin).Round(time.Millisecond))
	seen.exact(t)
}

// TestTwoLeavesOfOneName push each other from the link, and say so.
func TestTwoLeavesOfOneName(t *testing.T) {
	t.Parallel()
	at := freePort(t)
	openHub(t, at, Config{Leaves: []string{"north"}})
	for _, leaf := range []*substation{openLeaf(t, "north", at), openLeaf(t, "north", at)} {
		waitFor(t, "the leaf sees the other", func() bool {
			return strings.Contains(links(t, leaf.s)[0].Problem, "another program calls itself north at the hub")
		})
	}
}

func links(t *testing.T, s *Stream) []Link {
	t.Helper()
	out, err := s.Links(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out
}
