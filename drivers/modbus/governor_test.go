package modbus

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// gatewayModel answers so many requests a second: each request under way adds
// its rate until the gateway is at its most.
type gatewayModel struct{ each, most float64 }

// drive runs a governor against a model for so many seconds, with units that
// want demand answers a second.
func drive(g *governor, m gatewayModel, demand float64, from time.Time, seconds int) time.Time {
	now := from
	for range seconds {
		rate := min(float64(g.limit)*m.each, m.most)
		waiting := demand > rate
		rate = min(rate, demand)
		n := int(rate)
		for i := range n {
			at := now.Add(time.Duration(float64(i) / float64(n) * float64(time.Second)))
			g.answered(at, waiting)
		}
		now = now.Add(time.Second)
		g.answered(now, waiting)
	}
	return now
}

func TestGovernor(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	for name, c := range map[string]struct {
		floor, ceiling int
		model          gatewayModel
		demand         float64
		want           int
	}{
		"nobody waits":              {1, 4, gatewayModel{100, 1000}, 80, 1},
		"two are enough":            {1, 4, gatewayModel{100, 1000}, 180, 2},
		"as many as may be":         {1, 4, gatewayModel{100, 1000}, 900, 4},
		"a bus gains nothing":       {1, 4, gatewayModel{100, 100}, 200, 1},
		"a bus gains a little":      {1, 4, gatewayModel{100, 110}, 200, 2},
		"configured from the start": {3, 3, gatewayModel{100, 100}, 200, 3},
	} {
		g := newGovernor(c.floor, c.ceiling)
		drive(&g, c.model, c.demand, start, 20)
		if g.limit != c.want {
			t.Errorf("%s: %d requests at once, want %d", name, g.limit, c.want)
		}
	}
}

// TestGovernorTriesAgainRarely: what failed is tried again, at growing intervals.
func TestGovernorTriesAgainRarely(t *testing.T) {
	g := newGovernor(1, 4)
	now := time.Unix(1_800_000_000, 0)
	trials, before := 0, false
	for range 3600 {
		now = drive(&g, gatewayModel{100, 100}, 200, now, 1)
		if g.trial && !before {
			trials++
		}
		before = g.trial
	}
	if trials < 4 || trials > 9 {
		t.Errorf("%d trials in an hour", trials)
	}
}

func TestGovernorTrouble(t *testing.T) {
	g := newGovernor(8, 8)
	now := time.Unix(1_800_000_000, 0)
	for _, want := range []int{4, 2, 1, 1} {
		if g.trouble(now); g.limit != want {
			t.Errorf("%d requests at once, want %d", g.limit, want)
		}
	}
	now = drive(&g, gatewayModel{10, 1000}, 500, now, 20)
	if g.limit != 1 {
		t.Errorf("back at %d right after the trouble", g.limit)
	}
	drive(&g, gatewayModel{10, 1000}, 500, now.Add(longestPause), 20)
	if g.limit != 8 {
		t.Errorf("%d requests at once when it behaves again, want 8", g.limit)
	}
}

// TestGovernorBounds: whatever happens, at least one and at most the ceiling.
func TestGovernorBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		floor := rapid.IntRange(1, 6).Draw(t, "floor")
		g := newGovernor(floor, rapid.IntRange(floor, 8).Draw(t, "ceiling"))
		now := time.Unix(1_800_000_000, 0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90_000).Draw(t, "ms")) * time.Millisecond)
			if rapid.IntRange(0, 9).Draw(t, "event") == 0 {
				g.trouble(now)
			} else {
				g.answered(now, rapid.Bool().Draw(t, "waiting"))
			}
			if g.limit < 1 || g.limit > g.ceiling {
				t.Fatalf("limit %d", g.limit)
			}
		}
	})
}

// TestFIFO compares the queue with a plain list.
func TestFIFO(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q fifo
		var model []*call
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "do") {
			case 0, 1:
				cl := new(call)
				q.push(cl)
				model = append(model, cl)
			case 2:
				if len(model) > 0 {
					if q.pop() != model[0] {
						t.Fatal("out of order")
					}
					model = model[1:]
				}
			case 3:
				cl := new(call)
				q.pushFront(cl)
				model = append([]*call{cl}, model...)
			case 4:
				if len(model) > 0 {
					i := rapid.IntRange(0, len(model)-1).Draw(t, "i")
					if !q.remove(model[i]) || q.remove(model[i]) {
						t.Fatal("removed not once")
					}
					model = append(model[:i:i], model[i+1:]...)
				}
			}
			if q.empty() != (len(model) == 0) {
				t.Fatal("empty is wrong")
			}
		}
		rest := q.drain()
		if len(rest) != len(model) || !q.empty() {
			t.Fatalf("%d left, want %d", len(rest), len(model))
		}
		for i := range rest {
			if rest[i] != model[i] {
				t.Fatal("out of order at the end")
			}
		}
	})
}

func TestPatience(t *testing.T) {
	var r roundTrip
	if got := r.patience(shortestProbe, time.Second); got != time.Second {
		t.Errorf("before the first answer %v", got)
	}
	for range 50 {
		r.add(2 * time.Millisecond)
	}
	if got := r.patience(shortestPatience, time.Second); got != shortestPatience {
		t.Errorf("at a fast gateway %v", got)
	}
	for range 50 {
		r.add(300 * time.Millisecond)
	}
	if got := r.patience(shortestPatience, time.Second); got < 300*time.Millisecond || got > 700*time.Millisecond {
		t.Errorf("at a slow gateway %v", got)
	}
	if got := r.patience(shortestPatience, 200*time.Millisecond); got != 200*time.Millisecond {
		t.Errorf("beyond the timeout: %v", got)
	}
}
