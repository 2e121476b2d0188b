package poll

import (
	"sync"
	"time"
)

// connection is what devices share: a gateway, a server, a bus, or one
// device's own socket. Its turns begin in the order in which they fell due,
// at most parallel at once, and one at a time for each device.
type connection struct {
	key      string
	number   int // sets the phase of its devices' turns
	together bool

	mu       sync.Mutex
	parallel int
	waiting  []*reader // from head on, in order of falling due
	head     int
	running  int
	pumping  bool  // a goroutine is beginning reads now, and will begin what can be
	filling  bool  // a goroutine asks histories
	gaps     []gap // for it
	devices  int   // guarded by Poller.applying
	seats    int   // given to devices so far; guarded by Poller.applying
}

// readerState is where a reader stands.
type readerState uint8

const (
	idle    readerState = iota
	waiting             // its turn has come
	reading
)

// offer gives r its turn. missed is true where r is still busy with the turn
// before.
func (p *Poller) offer(r *reader, due time.Time) (missed bool) {
	d := r.device
	c := d.conn
	c.mu.Lock()
	if d.stopped {
		c.mu.Unlock()
		return false
	}
	if r.state != idle {
		c.mu.Unlock()
		return true
	}
	r.state, r.due = waiting, due
	c.waiting = append(c.waiting, r)
	p.pump(c)
	return false
}

// pump begins what may begin. It is called with c.mu held and releases it.
// A read that ends while it begins others, be it within its own Start, leaves
// the next to it: turns that end at once do not pile up on the stack.
func (p *Poller) pump(c *connection) {
	if c.pumping {
		c.mu.Unlock()
		return
	}
	c.pumping = true
	for c.running < c.parallel {
		r := c.next()
		if r == nil {
			break
		}
		if held := p.held(); held || p.out.stalled() {
			r.state = idle
			c.mu.Unlock()
			if held {
				p.hold(r.device, 1)
			} else {
				p.miss(r.device, 1)
			}
			c.mu.Lock()
			continue
		}
		r.state, r.device.reading = reading, true
		c.running++
		c.mu.Unlock()
		p.begin(r)
		c.mu.Lock()
	}
	c.pumping = false
	c.mu.Unlock()
}

// next takes the longest waiting reader whose device is free; c.mu is held.
func (c *connection) next() *reader {
	for i := c.head; i < len(c.waiting); i++ {
		r := c.waiting[i]
		if r.device.reading {
			continue
		}
		copy(c.waiting[c.head+1:i+1], c.waiting[c.head:i])
		c.waiting[c.head] = nil
		c.head++
		c.tidy()
		return r
	}
	return nil
}

// tidy gives the room of turns taken back, seldom enough to cost nothing.
func (c *connection) tidy() {
	switch {
	case c.head == len(c.waiting):
		c.waiting, c.head = c.waiting[:0], 0
	case c.head > 64 && 2*c.head > len(c.waiting):
		n := copy(c.waiting, c.waiting[c.head:])
		clear(c.waiting[n:])
		c.waiting, c.head = c.waiting[:n], 0
	}
}

// finish frees what r held and begins what waited for it.
func (p *Poller) finish(r *reader) {
	d := r.device
	c := d.conn
	c.mu.Lock()
	c.running--
	r.state, d.reading = idle, false
	if d.idle != nil {
		close(d.idle)
		d.idle = nil
	}
	p.pump(c)
}

// stop lets a device take no further turn. The channel is closed once its
// read under way has been delivered; it is nil where there is none.
func (d *device) stop() <-chan struct{} {
	c := d.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	d.stopped = true
	kept := c.waiting[:c.head]
	for _, r := range c.waiting[c.head:] {
		if r.device == d {
			r.state = idle
		} else {
			kept = append(kept, r)
		}
	}
	clear(c.waiting[len(kept):])
	c.waiting = kept
	c.tidy()
	if !d.reading {
		return nil
	}
	if d.idle == nil {
		d.idle = make(chan struct{})
	}
	return d.idle
}
