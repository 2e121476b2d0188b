package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world runs minds against a bucket of its own, in a time of its own: writes
// take time on the way there and back or get lost, the view lags, hosts are
// stopped and go on, and their clocks differ in offset and speed.
type world struct {
	t      *rapid.T
	rng    *rand.Rand
	now    time.Duration
	events []event
	nodes  []*node

	revision uint64
	keys     map[string]change
	log      []change
	down     bool // the bucket takes nothing
	calm     bool // nothing is lost or late otherwise

	moves int
}

type event struct {
	at time.Duration
	do func()
}

type node struct {
	w       *world
	name    string
	mind    *mind
	offset  time.Duration
	speed   float64
	stopped bool
	dead    bool
	queue   []func() // what came while it was stopped
	polls   map[int]bool
	runs    int
	// What Valid would answer: published by the loop, read by the poller.
	until time.Duration
}

func (n *node) clock() time.Duration { return n.offset + time.Duration(float64(n.w.now)*n.speed) }

func (w *world) after(d time.Duration, do func()) {
	w.events = append(w.events, event{w.now + d, do})
}

func (w *world) delay() time.Duration {
	if !w.calm && w.rng.IntN(50) == 0 {
		return time.Duration(w.rng.IntN(3000)) * time.Millisecond
	}
	return time.Duration(1+w.rng.IntN(30)) * time.Millisecond
}

func (w *world) start(name string, partitions int) *node {
	n := &node{w: w, name: name, polls: make(map[int]bool), offset: time.Duration(w.rng.IntN(1e6)) * time.Second, speed: .98 + .04*w.rng.Float64()}
	about := heartbeat{identity: identity{name, fmt.Sprint(name, w.now)}, Started: time.Unix(0, 0)}
	n.mind = newMind(timingOf(5*time.Second), about, partitions, func() time.Time { return time.Unix(0, int64(w.now)).UTC() })
	if c, there := w.keys[hostPrefix+name]; there {
		n.mind.revision = c.revision
	}
	w.nodes = append(w.nodes, n)
	n.read()
	n.ticks()
	return n
}

// on runs do on the node's loop: later, where it is stopped.
func (n *node) on(do func()) {
	switch {
	case n.dead:
	case n.stopped:
		n.queue = append(n.queue, do)
	default:
		do()
		n.act(n.mind.step(n.clock()))
		n.until = n.mind.valid()
	}
}

func (n *node) ticks() {
	n.on(func() {})
	if !n.dead {
		n.w.after(200*time.Millisecond, n.ticks)
	}
}

// read follows the log from a snapshot on.
func (n *node) read() {
	n.on(func() { n.mind.rereads(n.clock()) })
	n.runs++
	run := n.runs
	keys := make([]change, 0, len(n.w.keys))
	for _, c := range n.w.keys {
		keys = append(keys, c)
	}
	slices.SortFunc(keys, func(a, b change) int { return int(a.revision) - int(b.revision) })
	from := len(n.w.log)
	n.w.after(n.w.delay(), func() {
		for _, c := range keys {
			n.on(func() { _ = n.mind.changed(&c, n.clock()) })
		}
		n.on(func() { n.mind.complete(n.clock()) })
		n.follow(from, run)
	})
}

func (n *node) follow(from, run int) {
	if n.dead || run != n.runs {
		return
	}
	to := len(n.w.log)
	for _, c := range n.w.log[from:to] {
		n.on(func() { _ = n.mind.changed(&c, n.clock()) })
	}
	n.w.after(n.w.delay(), func() { n.follow(to, run) })
}

// put writes a key and tells the outcome.
func (n *node) put(key string, data []byte, revision uint64, deleted bool, done func(uint64, error)) {
	w := n.w
	answered := false
	answer := func(rev uint64, err error) {
		n.on(func() {
			if !answered {
				answered = true
				done(rev, err)
			}
		})
	}
	w.after(1250*time.Millisecond, func() { answer(0, fmt.Errorf("timeout")) })
	if !w.calm && w.rng.IntN(100) == 0 {
		return // lost on the way there
	}
	w.after(w.delay(), func() {
		if w.down {
			return
		}
		if w.keys[key].revision != revision {
			w.after(w.delay(), func() { answer(0, errMismatch) })
			return
		}
		w.revision++
		c := change{key, w.revision, deleted, data}
		w.keys[key] = c
		w.log = append(w.log, c)
		if w.calm || w.rng.IntN(100) > 0 { // the answer is lost
			w.after(w.delay(), func() { answer(c.revision, nil) })
		}
	})
}

func (n *node) act(list []action) {
	w := n.w
	for _, a := range list {
		switch a.kind {
		case doBeat:
			n.put(hostPrefix+n.name, encode(a.beat), a.revision, false, func(rev uint64, err error) { n.mind.beaten(a.begun, rev, err, n.clock()) })
		case doWrite:
			n.put(keyOf(a.slot, len(n.mind.slots)-1), encode(a.hold), a.revision, false, func(rev uint64, err error) {
				n.mind.written(a.slot, a.number, a.hold, rev, err, n.clock())
			})
		case doAcquire:
			w.moves++
			n.polls[a.slot] = true
			w.after(w.delay(), func() { n.on(func() { n.mind.acquired(a.slot, 1, nil, n.clock()) }) })
		case doRelease:
			w.after(w.delay(), func() {
				n.on(func() { delete(n.polls, a.slot); n.mind.released(a.slot, n.clock()) })
			})
		case doReread:
			n.read()
		case doDepart:
			n.put(hostPrefix+n.name, nil, a.revision, true, func(uint64, error) {})
			n.on(func() {})
			w.after(0, func() { n.dead = true })
		case doCancel:
		}
	}
}

func (n *node) stop() { n.stopped = true }

func (n *node) resume() {
	n.stopped = false
	queue := n.queue
	n.queue = nil
	for _, do := range queue {
		n.on(do)
	}
}

// valid is what the poller of a running process would be told now.
func (n *node) valid() bool { return !n.dead && !n.stopped && n.clock() < n.until }

// run lets time pass and checks at every moment that no partition is polled twice.
func (w *world) run(d time.Duration) {
	end := w.now + d
	for {
		next := -1
		for i := range w.events {
			if next < 0 || w.events[i].at < w.events[next].at {
				next = i
			}
		}
		if next < 0 || w.events[next].at > end {
			break
		}
		e := w.events[next]
		w.events[next] = w.events[len(w.events)-1]
		w.events = w.events[:len(w.events)-1]
		w.now = e.at
		e.do()
		w.once()
	}
	w.now = end
}

func (w *world) once() {
	owner := make(map[int]string)
	for _, n := range w.nodes {
		if !n.valid() {
			continue
		}
		for p := range n.polls {
			if other := owner[p]; other != "" {
				w.t.Fatalf("at %v partition %d is polled by %s and %s", w.now, p, other, n.name)
			}
			owner[p] = n.name
		}
	}
}

// settled checks that every partition is polled by one live host, and that all have alike many.
func (w *world) settled(partitions int) {
	w.once()
	total, least, most, hosts := 0, partitions, 0, 0
	for _, n := range w.nodes {
		if n.dead {
			continue
		}
		hosts++
		mine := len(n.polls)
		if n.polls[partitions] {
			mine--
			total++
		}
		if mine > 0 && !n.valid() {
			w.t.Fatalf("%s holds without a valid lease", n.name)
		}
		total += mine
		least, most = min(least, mine), max(most, mine)
	}
	if total != partitions+1 || most-least > 1 {
		w.t.Fatalf("at %v %d of %d are held, %d to %d a host", w.now, total, partitions+1, least, most)
	}
	_ = hosts
}

func newWorld(t *rapid.T) *world {
	return &world{t: t, rng: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), keys: make(map[string]change)}
}

func TestOneMasterWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		partitions := rapid.IntRange(1, 12).Draw(t, "partitions")
		for i := range rapid.IntRange(1, 4).Draw(t, "hosts") {
			w.start("h"+strconv.Itoa(i), partitions)
		}
		for range rapid.IntRange(1, 12).Draw(t, "acts") {
			n := w.nodes[rapid.IntRange(0, len(w.nodes)-1).Draw(t, "host")]
			switch rapid.SampledFrom([]string{"stop", "kill", "leave", "start", "outage", "drop", "wait"}).Draw(t, "act") {
			case "stop":
				if !n.stopped {
					n.stop()
					w.after(time.Duration(rapid.IntRange(1, 20_000).Draw(t, "for"))*time.Millisecond, n.resume)
				}
			case "kill":
				n.dead = true
			case "leave":
				n.on(func() { n.mind.leaving = true })
			case "start":
				if len(w.nodes) < 7 {
					w.start("h"+strconv.Itoa(len(w.nodes)), partitions)
				}
			case "outage":
				w.down = true
				w.after(time.Duration(rapid.IntRange(1, 15_000).Draw(t, "for"))*time.Millisecond, func() { w.down = false })
			case "drop":
				n.on(func() { n.mind.drop(rapid.IntRange(0, partitions-1).Draw(t, "partition"), n.clock()) })
			}
			w.run(time.Duration(rapid.IntRange(1, 9_000).Draw(t, "then")) * time.Millisecond)
		}
		w.start("last", partitions)
		// Whatever was stopped goes on within 20 s; then it must be quiet.
		w.run(60 * time.Second)
		for range 20 { // a write that was lost costs a moment
			if quiet(w, partitions) {
				break
			}
			w.run(2 * time.Second)
		}
		w.settled(partitions)
	})
}

func quiet(w *world, partitions int) bool {
	total := 0
	for _, n := range w.nodes {
		if n.dead {
			continue
		}
		if n.mind.fallen {
			return false
		}
		for i := range n.mind.slots {
			if s := n.mind.slots[i].state; s != slotIdle && s != slotHeld {
				return false
			}
		}
		total += len(n.polls)
	}
	return total == partitions+1
}

// All are silent while the bucket takes nothing; whoever is heard first after
// it must not think the others gone.
func TestAnOutageMovesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.calm = true
		const partitions = 9
		for i := range 3 {
			w.start("h"+strconv.Itoa(i), partitions)
		}
		w.run(40 * time.Second)
		for range 20 {
			if quiet(w, partitions) {
				break
			}
			w.run(2 * time.Second)
		}
		before := w.moves
		w.down = true
		w.run(time.Duration(rapid.IntRange(1, 7_500).Draw(t, "outage")) * time.Millisecond)
		w.down = false
		w.run(30 * time.Second)
		if w.moves != before {
			t.Fatalf("%d partitions were acquired anew after an outage", w.moves-before)
		}
	})
}
