package poll

import (
	"math"
	"sync"
	"time"
)

// soon is how long a device waits for its first reading at most, however long
// its interval.
const soon = 10 * time.Second

// schedule says which readers are due. It knows no clock: the caller says
// what time it is.
type schedule struct {
	slot  time.Duration
	epoch time.Time // phases count from here

	mu      sync.Mutex
	queue   []turn        // a heap by at
	changed chan struct{} // a token when turns were added: the next may be earlier
}

// turn is one reader's next turn. Times count from the epoch.
type turn struct {
	at       time.Duration
	interval time.Duration
	regular  time.Duration // the turn after this one, where this one comes before its phase; else 0
	reader   *reader
}

// due is a turn that has come, and how many turns of the same reader were
// slept through before it (the process was stopped, the machine suspended).
type due struct {
	reader *reader
	at     time.Time
	slept  int
}

func newSchedule(epoch time.Time, slot time.Duration) *schedule {
	return &schedule{slot: slot, epoch: epoch, changed: make(chan struct{}, 1)}
}

// Steps of phase. Multiples of the golden ratio, and nearly as well of other
// square roots, leave the parts of a circle even after any number of steps, so
// devices that come later find the gaps; steps that have no common measure do
// not meet.
var (
	seatStep       = (math.Sqrt(5) - 1) / 2
	connectionStep = math.Sqrt(3) - 1
	groupStep      = math.Sqrt2 - 1
)

// phase spreads connections over the interval, the devices of each connection
// again over the whole of it, and a device's groups apart. Devices that are
// read together share their phase.
func (r *reader) phase() float64 {
	d := r.device
	x := float64(d.conn.number)*connectionStep + float64(r.group)*groupStep
	if !d.conn.together {
		x += float64(d.seat) * seatStep
	}
	return x - math.Floor(x)
}

// add schedules readers that are not in the schedule.
func (s *schedule) add(now time.Time, list []*reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	since := max(0, now.Sub(s.epoch))
	for _, r := range list {
		offset := time.Duration(r.phase() * float64(r.interval))
		at := offset
		if since > offset {
			at = offset + (since-offset+r.interval-1)/r.interval*r.interval
		}
		t := turn{at: at, interval: r.interval, reader: r}
		if at-since > soon {
			t.at, t.regular = since+time.Duration(r.phase()*float64(soon)), at
		}
		s.push(t)
		r.next.Store(s.epoch.Add(t.at).UnixNano())
	}
	s.tell()
}

// move gives the turns of from to the readers that follow them, at the same
// phase; those without one leave the schedule.
func (s *schedule) move(to map[*reader]*reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.queue[:0]
	for _, t := range s.queue {
		next, moved := to[t.reader]
		if moved && next == nil {
			continue
		}
		if moved {
			next.next.Store(t.reader.next.Load())
			t.reader = next
		}
		kept = append(kept, t)
	}
	clear(s.queue[len(kept):])
	s.queue = kept
	for i := len(s.queue)/2 - 1; i >= 0; i-- {
		s.sink(i)
	}
	s.tell()
}

func (s *schedule) tell() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// next returns when to look again: the end of the slot in which the next
// reader is due. ok is false where there is none.
func (s *schedule) next() (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return time.Time{}, false
	}
	return s.epoch.Add((s.queue[0].at + s.slot - 1).Truncate(s.slot)), true
}

// take appends to list every turn that has come by now and schedules the
// readers' next turns.
func (s *schedule) take(now time.Time, list []due) []due {
	s.mu.Lock()
	defer s.mu.Unlock()
	since := now.Sub(s.epoch)
	for len(s.queue) > 0 && s.queue[0].at <= since {
		t := &s.queue[0]
		d := due{reader: t.reader}
		at := t.at
		if late := since - at; late >= t.interval && t.regular == 0 {
			d.slept = int(late / t.interval)
			at += time.Duration(d.slept) * t.interval
		}
		d.at = s.epoch.Add(at)
		t.at = at + t.interval
		if t.regular > 0 {
			t.at, t.regular = t.regular, 0
		}
		t.reader.next.Store(s.epoch.Add(t.at).UnixNano())
		s.sink(0)
		list = append(list, d)
	}
	return list
}

// push adds t to the heap; s.mu is held.
func (s *schedule) push(t turn) {
	s.queue = append(s.queue, t)
	i := len(s.queue) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if s.queue[parent].at <= s.queue[i].at {
			return
		}
		s.queue[parent], s.queue[i] = s.queue[i], s.queue[parent]
		i = parent
	}
}

// sink puts the turn at i below those that come before it; s.mu is held.
func (s *schedule) sink(i int) {
	q := s.queue
	t := q[i]
	for {
		child := 2*i + 1
		if child >= len(q) {
			break
		}
		if child+1 < len(q) && q[child+1].at < q[child].at {
			child++
		}
		if t.at <= q[child].at {
			break
		}
		q[i] = q[child]
		i = child
	}
	q[i] = t
}
