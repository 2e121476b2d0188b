package poll

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/drivers"
)

// TestScheduleGivesEveryTurn walks a clock in arbitrary steps and counts the
// turns of every device: none is lost, none comes early or twice.
func TestScheduleGivesEveryTurn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(1_700_000_000, rapid.Int64Range(0, 1e9).Draw(t, "start"))
		var devices []*device
		shared := &group{together: true}
		for i := range rapid.IntRange(1, 20).Draw(t, "devices") {
			interval := time.Duration(rapid.IntRange(200, 5000).Draw(t, "interval ms")) * time.Millisecond
			g := &group{}
			if i%3 == 2 {
				g, interval = shared, time.Second
			}
			devices = append(devices, &device{dev: drivers.Device{Interval: interval}, group: g})
		}
		s := newSchedule(start, 15*time.Millisecond, devices)
		turns := map[*device]int{}
		last := map[*device]time.Time{}
		now := start
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "step ms")) * time.Millisecond)
			for _, d := range s.take(now, nil) {
				if d.at.After(now) {
					t.Fatalf("a turn of %v was given at %v", d.at, now)
				}
				if now.Sub(d.at) >= d.device.dev.Interval {
					t.Fatalf("a turn is %v late at an interval of %v", now.Sub(d.at), d.device.dev.Interval)
				}
				if before, ok := last[d.device]; ok && d.at.Sub(before) != time.Duration(d.slept+1)*d.device.dev.Interval {
					t.Fatalf("turns at %v and %v, %d slept through, interval %v", before, d.at, d.slept, d.device.dev.Interval)
				}
				last[d.device] = d.at
				turns[d.device] += 1 + d.slept
			}
		}
		for _, d := range devices {
			// The first turn falls within the first interval.
			whole := int(now.Sub(start) / d.dev.Interval)
			if n := turns[d]; n < whole || n > whole+1 {
				t.Fatalf("%d turns in %v at an interval of %v", n, now.Sub(start), d.dev.Interval)
			}
		}
	})
}

// TestScheduleIsLevel spreads 1,000 devices evenly over their second, and
// keeps those together that are read together.
func TestScheduleIsLevel(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	shared := &group{together: true}
	var devices []*device
	for i := range 1040 {
		d := &device{dev: drivers.Device{Interval: time.Second}, group: &group{}}
		if i%26 == 0 {
			d.group = shared
		}
		devices = append(devices, d)
	}
	s := newSchedule(start, 15*time.Millisecond, devices)
	var together []time.Time
	for at := start; at.Before(start.Add(985 * time.Millisecond)); {
		at = at.Add(15 * time.Millisecond)
		list := s.take(at, nil)
		alone := 0
		for _, d := range list {
			if d.device.group == shared {
				together = append(together, d.at)
			} else {
				alone++
			}
		}
		if alone < 14 || alone > 17 {
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

func TestScheduleWakesAtSlots(t *testing.T) {
	start := time.Unix(1_700_000_000, 1)
	s := newSchedule(start, 15*time.Millisecond, []*device{{dev: drivers.Device{Interval: time.Second}, group: &group{}}})
	at, ok := s.next()
	if !ok || at.Before(start) || at.Sub(start) > 15*time.Millisecond || at.UnixNano()%int64(15*time.Millisecond) != at.Truncate(15*time.Millisecond).UnixNano()%int64(15*time.Millisecond) {
		t.Errorf("next is %v", at)
	}
	if list := s.take(at, nil); len(list) != 1 {
		t.Errorf("%d devices due at the slot", len(list))
	}
	if _, ok := newSchedule(start, time.Millisecond, nil).next(); ok {
		t.Error("an empty schedule wakes")
	}
}
