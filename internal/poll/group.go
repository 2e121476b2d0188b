package poll

import (
	"context"
	"sync"
	"time"
)

// group is the devices of one connection. They are read in the order in which
// they fell due, by at most parallel workers, which exist only while there is
// something to read.
type group struct {
	parallel int
	together bool

	mu      sync.Mutex
	waiting []due
	head    int
	working int
}

// enqueue adds a turn and reports whether a worker must be started for it.
func (g *group) enqueue(d due) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, d)
	if g.working >= g.parallel {
		return false
	}
	g.working++
	return true
}

// dequeue returns the next turn; without one the worker must end.
func (g *group) dequeue() (due, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.head == len(g.waiting) {
		g.waiting, g.head = g.waiting[:0], 0
		g.working--
		return due{}, false
	}
	d := g.waiting[g.head]
	g.waiting[g.head] = due{}
	if g.head++; g.head > 64 && 2*g.head > len(g.waiting) {
		g.waiting = g.waiting[:copy(g.waiting, g.waiting[g.head:])]
		g.head = 0
	}
	return d, true
}

// work reads devices of g until none waits.
func (p *Poller) work(ctx context.Context, g *group) {
	for {
		d, ok := g.dequeue()
		if !ok {
			return
		}
		if ctx.Err() == nil {
			p.read(ctx, d)
		}
		d.device.busy.Store(false)
	}
}

// read takes one turn.
func (p *Poller) read(ctx context.Context, turn due) {
	d := turn.device
	began := p.cfg.Now()
	p.metrics.lateness(began.Sub(turn.at))
	readings, err := d.session.Read(ctx, 0)
	ended := p.cfg.Now()
	if err != nil && ctx.Err() != nil {
		return // cut short by the poller's own end: nothing is known of the device
	}
	if len(readings) == 0 {
		readings = d.dev.Failed(0, ended.UTC(), 0, failureText(d, err))
	}
	p.record(d, began, ended, err)
	p.deliver(ctx, d, readings)
}

func failureText(d *device, err error) string {
	if err == nil {
		return "the driver returned no readings for device " + d.dev.ID
	}
	return err.Error()
}

// start hands a turn to its group.
func (p *Poller) start(ctx context.Context, turn due) {
	d := turn.device
	missed := turn.slept
	if !d.busy.CompareAndSwap(false, true) {
		p.miss(d, missed+1)
		return
	}
	if missed > 0 {
		p.miss(d, missed)
	}
	if d.group.enqueue(turn) {
		p.workers.Go(func() { p.work(ctx, d.group) })
	}
}

// run wakes the devices that are due, slot by slot, until ctx ends.
func (p *Poller) run(ctx context.Context, s *schedule) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var list []due
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		list = s.take(p.cfg.Now(), list[:0])
		for _, turn := range list {
			p.start(ctx, turn)
		}
		at, ok := s.next()
		if !ok {
			return
		}
		timer.Reset(at.Sub(p.cfg.Now()))
	}
}
