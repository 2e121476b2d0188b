package poll

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

const testSlot = 15 * time.Millisecond

// scheduled makes a device with one reader, alone on its connection where c is nil.
func scheduled(interval time.Duration, number int, c *connection) *reader {
	if c == nil {
		c = &connection{number: number}
	}
	d := &device{conn: c, seat: c.seats}
	c.seats++
	d.readers = make([]reader, 1)
	d.readers[0].device, d.readers[0].interval = d, interval
	return &d.readers[0]
}

// TestScheduleGivesEveryTurn walks a clock in arbitrary steps and counts the
// turns of every reader: none is lost, none comes early or twice.
func TestScheduleGivesEveryTurn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(1_700_000_000, rapid.Int64Range(0, 1e9).Draw(t, "start"))
		var readers []*reader
		added := map[*reader]time.Time{}
		shared := &connection{together: true}
		s := newSchedule(start, testSlot)
		now := start
		add := func(n int) {
			var list []*reader
			for i := range n {
				interval := time.Duration(rapid.IntRange(200, 5000).Draw(t, "interval ms")) * time.Millisecond
				r := scheduled(interval, len(readers)+i, nil)
				if i%3 == 2 {
					r = scheduled(time.Second, 0, shared)
				}
				added[r] = now
				list = append(list, r)
			}
			s.add(now, list)
			readers = append(readers, list...)
		}
		add(rapid.IntRange(1, 20).Draw(t, "readers"))
		turns := map[*reader]int{}
		last := map[*reader]time.Time{}
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "step ms")) * time.Millisecond)
			for _, d := range s.take(now, nil) {
				if d.at.After(now) || d.at.Before(added[d.reader]) {
					t.Fatalf("a turn of %v was given at %v", d.at, now)
				}
				if now.Sub(d.at) >= d.reader.interval {
					t.Fatalf("a turn is %v late at an interval of %v", now.Sub(d.at), d.reader.interval)
				}
				if before, ok := last[d.reader]; ok && d.at.Sub(before) != time.Duration(d.slept+1)*d.reader.interval {
					t.Fatalf("turns at %v and %v, %d slept through, interval %v", before, d.at, d.slept, d.reader.interval)
				}
				last[d.reader] = d.at
				turns[d.reader] += 1 + d.slept
				if next := d.reader.nextTurn(); !next.After(now) || next.Sub(now) > d.reader.interval {
					t.Fatalf("the next turn after %v is said to be at %v", now, next)
				}
			}
			if rapid.IntRange(0, 9).Draw(t, "more") == 0 {
				add(rapid.IntRange(1, 5).Draw(t, "readers"))
			}
		}
		for _, r := range readers {
			// The first turn falls within the first interval.
			whole := int(now.Sub(added[r]) / r.interval)
			if n := turns[r]; n < whole || n > whole+1 {
				t.Fatalf("%d turns in %v at an interval of %v", n, now.Sub(added[r]), r.interval)
			}
		}
	})
}

// TestScheduleIsLevel spreads 1,000 devices evenly over their second, and
// keeps those together that are read together.
func TestScheduleIsLevel(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	shared := &connection{together: true, number: 5000}
	var readers []*reader
	for i := range 1040 {
		r := scheduled(time.Second, i, nil)
		if i%26 == 0 {
			r = scheduled(time.Second, 0, shared)
		}
		readers = append(readers, r)
	}
	s := newSchedule(start, testSlot)
	s.add(start, readers)
	var together []time.Time
	for at := start; at.Before(start.Add(985 * time.Millisecond)); {
		at = at.Add(testSlot)
		alone := 0
		for _, d := range s.take(at, nil) {
			if d.reader.device.conn == shared {
				together = append(together, d.at)
			} else {
				alone++
			}
		}
		if alone < 12 || alone > 18 {
			t.Errorf("%d devices wake in the slot of %v", alone, at.Sub(start))
		}
	}
	if len(together) != 40 {
		t.Fatalf("%d devices that are read together", len(together))
	}
	for _, at := range together {
		if !at.Equal(together[0]) {
			t.Errorf("read together but at %v and %v", together[0], at)
		}
	}
}

// TestScheduleSpreadsEachGateway holds the turns of the units behind one
// gateway apart: a bus that takes 4 ms a unit is never far behind.
func TestScheduleSpreadsEachGateway(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	s := newSchedule(start, 20*time.Millisecond)
	for g := range 5 {
		c := &connection{number: g}
		var list []*reader
		for range 200 {
			list = append(list, scheduled(time.Second, 0, c))
		}
		s.add(start, list)
	}
	backlog := map[*connection]time.Duration{}
	for at := start; at.Before(start.Add(2 * time.Second)); {
		at = at.Add(20 * time.Millisecond)
		for _, d := range s.take(at, nil) {
			backlog[d.reader.device.conn] += 4 * time.Millisecond
		}
		for c := range backlog {
			if backlog[c] > 40*time.Millisecond {
				t.Errorf("gateway %d: %v of work wait at %v", c.number, backlog[c], at.Sub(start))
			}
			backlog[c] = max(0, backlog[c]-20*time.Millisecond)
		}
	}
}

// TestScheduleReadsSoon gives a device of a long interval an early first turn.
func TestScheduleReadsSoon(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	r := scheduled(time.Hour, 1, nil)
	s := newSchedule(start, testSlot)
	s.add(start, []*reader{r})
	var at []time.Duration
	for now := start; now.Before(start.Add(3 * time.Hour)); now = now.Add(time.Second) {
		for _, d := range s.take(now, nil) {
			at = append(at, d.at.Sub(start))
		}
	}
	if len(at) != 4 || at[0] > soon || at[1] <= soon || at[2]-at[1] != time.Hour || at[3]-at[2] != time.Hour {
		t.Errorf("turns at %v", at)
	}
}

func TestScheduleMoves(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	s := newSchedule(start, testSlot)
	var list []*reader
	for i := range 9 {
		list = append(list, scheduled(time.Second, i, nil))
	}
	s.add(start, list)
	follower := scheduled(time.Second, 99, nil)
	s.move(map[*reader]*reader{list[3]: follower, list[5]: nil})
	got := map[*reader]time.Duration{}
	for _, d := range s.take(start.Add(time.Second-1), nil) {
		got[d.reader] = d.at.Sub(start)
	}
	if len(got) != 8 || got[list[3]] != 0 || got[list[5]] != 0 {
		t.Errorf("turns %v", got)
	}
	if want := time.Duration(list[3].phase() * float64(time.Second)); got[follower] != want {
		t.Errorf("the follower's turn is at %v, want %v", got[follower], want)
	}
}

func TestScheduleWakesAtSlots(t *testing.T) {
	start := time.Unix(1_700_000_000, 1)
	s := newSchedule(start, testSlot)
	if _, ok := s.next(); ok {
		t.Error("an empty schedule wakes")
	}
	s.add(start, []*reader{scheduled(time.Second, 1, nil)})
	at, ok := s.next()
	if !ok || at.Before(start) || at.Sub(start)%testSlot != 0 {
		t.Errorf("next is %v", at)
	}
	if list := s.take(at, nil); len(list) != 1 {
		t.Errorf("%d devices due at the slot", len(list))
	}
}
