package poll

import (
	"container/heap"
	"time"
)

// schedule says which devices are due. It knows no clock: the caller says
// what time it is.
type schedule struct {
	slot  time.Duration
	queue turns
}

// turn is one device's next turn.
type turn struct {
	at       time.Time
	interval time.Duration
	device   *device
}

// due is a turn that has come, and how many turns of the same device were
// slept through before it (the process was stopped, the machine suspended).
type due struct {
	device *device
	at     time.Time
	slept  int
}

// newSchedule spreads the devices of each interval evenly over it, so that
// the load is level, and neighbours in the list fall into different slots.
// Devices of one connection that is read together share their phase.
func newSchedule(start time.Time, slot time.Duration, devices []*device) *schedule {
	s := &schedule{slot: slot}
	type cohort struct {
		members []*device       // one for each phase
		index   map[any]int     // phase by group, or by device
		all     map[*device]int // phase by device
	}
	cohorts := make(map[time.Duration]*cohort)
	for _, d := range devices {
		c := cohorts[d.dev.Interval]
		if c == nil {
			c = &cohort{index: make(map[any]int), all: make(map[*device]int)}
			cohorts[d.dev.Interval] = c
		}
		var key any = d
		if d.group.together {
			key = d.group
		}
		phase, known := c.index[key]
		if !known {
			phase = len(c.members)
			c.index[key] = phase
			c.members = append(c.members, d)
		}
		c.all[d] = phase
	}
	for interval, c := range cohorts {
		for d, phase := range c.all {
			offset := time.Duration(float64(interval) * float64(phase) / float64(len(c.members)))
			s.queue = append(s.queue, turn{at: start.Add(offset), interval: interval, device: d})
		}
	}
	heap.Init(&s.queue)
	return s
}

// next returns when to look again: the end of the slot in which the next
// device is due. ok is false where there is no device.
func (s *schedule) next() (at time.Time, ok bool) {
	if len(s.queue) == 0 {
		return time.Time{}, false
	}
	return s.queue[0].at.Add(s.slot - 1).Truncate(s.slot), true
}

// take appends to list every turn that has come by now and schedules the
// devices' next turns.
func (s *schedule) take(now time.Time, list []due) []due {
	for len(s.queue) > 0 && !s.queue[0].at.After(now) {
		t := &s.queue[0]
		d := due{device: t.device, at: t.at}
		if late := now.Sub(t.at); late >= t.interval {
			d.slept = int(late / t.interval)
			d.at = t.at.Add(time.Duration(d.slept) * t.interval)
		}
		t.at = d.at.Add(t.interval)
		heap.Fix(&s.queue, 0)
		list = append(list, d)
	}
	return list
}

// turns is a heap by time.
type turns []turn

func (q turns) Len() int           { return len(q) }
func (q turns) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q turns) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *turns) Push(x any)        { *q = append(*q, x.(turn)) }
func (q *turns) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
