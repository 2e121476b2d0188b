package main

import (
	"time"

	"github.com/gridwarden/gridwarden/internal/poll/bench/fleet"
)

// gaps are the stretches without a delivered poll while a device answered,
// and how evenly the devices were served.
type gaps struct {
	live     time.Duration // the longest of a device that always answers
	flapping time.Duration // the longest of one that comes and goes, while it answered
	late     int           // devices that always answer with a gap of more than 1.5 s
	least    int           // polls of the always answering device that got fewest
	most     int
	answer   int // devices that always answer
}

const lateGap = 1500 * time.Millisecond

// gaps looks at the window. Its edges count as polls: a device of which
// nothing arrived has a gap as long as the window.
func (t *tally) gaps() gaps {
	t.mu.Lock()
	defer t.mu.Unlock()
	var g gaps
	for i := range t.devices {
		d := &t.devices[i]
		longest := time.Duration(0)
		for _, s := range t.c.Faults.Alive(d.number, time.Unix(0, t.from), time.Unix(0, t.to)) {
			longest = max(longest, longestGap(d.times, s))
		}
		switch t.c.Faults.Of(d.number) {
		case fleet.Live:
			if g.answer == 0 || len(d.times) < g.least {
				g.least = len(d.times)
			}
			g.answer++
			g.most = max(g.most, len(d.times))
			g.live = max(g.live, longest)
			if longest > lateGap {
				g.late++
			}
		case fleet.Flapping:
			g.flapping = max(g.flapping, longest)
		}
	}
	return g
}

// longestGap is the longest stretch within span that holds none of times,
// which are in order.
func longestGap(times []int64, span fleet.Span) time.Duration {
	from, to := span.From.UnixNano(), span.To.UnixNano()
	longest, last := int64(0), from
	for _, at := range times {
		if at > from && at < to {
			longest = max(longest, at-last)
			last = at
		}
	}
	return time.Duration(max(longest, to-last))
}
