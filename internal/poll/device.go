package poll

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// device is one device with its session and what is known of it.
type device struct {
	dev     drivers.Device
	driver  *driverCounters
	conn    *connection
	share   int // reads that the connection bears at once, as this device has it
	seat    int // among the devices of its connection; sets its phase
	readers []reader
	*catalogue

	session drivers.Session
	starter drivers.Starter // the session itself, or what holds goroutines for it

	// Of reads that hold a goroutine, and of subscriptions. Nil for others.
	ctx    context.Context
	cancel context.CancelFunc
	left   chan struct{} // closed when the subscription has ended

	// reachable says that the last read reached the device. Those of which it
	// is not known are tried a few at a time.
	reachable atomic.Bool
	closing   atomic.Bool // its session is being closed

	// Guarded by conn.mu.
	reading bool
	stopped bool
	idle    chan struct{} // closed by the read under way of a stopped device

	mu     sync.Mutex // of what follows
	health health
	points []point // by place in the profile
}

// reader is a group of a device's points: what one turn reads.
type reader struct {
	device   *device
	group    int
	interval time.Duration
	done     func([]meter.Reading, error) // made once, for every read
	next     atomic.Int64                 // its next turn, in nanoseconds of the epoch; 0 where none is planned

	// Guarded by conn.mu; due and began belong to the read while it is under way.
	state      readerState
	due, began time.Time

	ramped bool // waits for its first connection; the slot loop's own
}

// share is what a device shares, in words of this package.
type share struct {
	key string
	drivers.Sharing
}

func shareOf(dev drivers.Device, drv drivers.Driver) share {
	s := drivers.Sharing{Connection: dev.ID, Parallel: 1}
	if sharer, ok := drv.(drivers.Sharer); ok {
		s = sharer.Share(dev)
	}
	s.Parallel = max(1, s.Parallel)
	return share{drv.Name() + " " + s.Connection, s}
}

// seat puts a device on its connection, made where it is new; p.applying is held.
func (p *Poller) seat(d *device, s share) {
	c := p.connections[s.key]
	if c == nil {
		c = &connection{key: s.key, number: p.numbered, together: s.Together}
		p.numbered++
		p.connections[s.key] = c
	}
	c.devices++
	d.conn, d.share, d.seat = c, s.Parallel, c.seats
	c.seats++
}

// unseat takes a device off its connection; p.applying is held.
func (p *Poller) unseat(d *device) {
	if d.conn.devices--; d.conn.devices == 0 {
		delete(p.connections, d.conn.key)
	}
}

// newDevice makes a device without a session.
func (p *Poller) newDevice(dev drivers.Device) (*device, error) {
	drv, err := p.cfg.Drivers.For(dev.URL)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", dev.ID, err)
	}
	if dev.Mode == "" {
		dev.Mode = drivers.Poll
	}
	d := &device{dev: dev, driver: p.counters.byDriver[drv.Name()]}
	d.health.state, d.health.since = Waiting, p.cfg.Now()
	p.seat(d, shareOf(dev, drv))
	d.catalogue = p.catalogueOf(dev.Profile)
	d.points = make([]point, len(d.catalogue.quantities))
	if dev.Mode == drivers.Subscribe {
		return d, nil
	}
	d.readers = make([]reader, len(dev.Profile.Groups()))
	for g := range d.readers {
		r := &d.readers[g]
		r.device, r.group, r.interval = d, g, dev.GroupInterval(g)
		r.done = func(list []meter.Reading, err error) { p.complete(r, list, err) }
	}
	return d, nil
}

// open makes the device's session.
func (p *Poller) open(d *device) error {
	drv, err := p.cfg.Drivers.For(d.dev.URL)
	if err != nil {
		return fmt.Errorf("device %s: %w", d.dev.ID, err)
	}
	session, err := drv.Session(d.dev)
	if err != nil {
		return err
	}
	if _, ok := session.(drivers.Subscriber); d.dev.Mode == drivers.Subscribe && !ok {
		return errors.Join(fmt.Errorf("device %s: driver %s has no subscriptions; remove mode or set it to poll", d.dev.ID, drv.Name()), session.Close())
	}
	p.equip(d, session)
	return nil
}

// equip gives a device its session.
func (p *Poller) equip(d *device, session drivers.Session) {
	starter, ok := session.(drivers.Starter)
	if !ok && d.dev.Mode != drivers.Subscribe {
		starter = &blocking{poller: p, device: d}
	}
	d.mu.Lock()
	d.session, d.starter = session, starter
	d.mu.Unlock()
}

// name is that of the group.
func (r *reader) name() string { return r.device.dev.Profile.Groups()[r.group].Name }

// launch lets a device be read; p.ctx is set.
func (p *Poller) launch(d *device) []*reader {
	_, blocks := d.starter.(*blocking)
	if subscribed := d.dev.Mode == drivers.Subscribe; blocks || subscribed {
		d.ctx, d.cancel = context.WithCancel(p.ctx)
		if subscribed {
			d.left = make(chan struct{})
			p.workers.Go(func() {
				defer close(d.left)
				p.subscribe(d.ctx, d)
			})
		}
	}
	d.conn.mu.Lock()
	d.conn.parallel = d.share
	d.conn.mu.Unlock()
	list := make([]*reader, len(d.readers))
	for i := range d.readers {
		list[i] = &d.readers[i]
	}
	return list
}

// close ends what the device holds. A read under way that fails now fails over
// that.
func (d *device) close() error {
	d.closing.Store(true)
	if d.cancel != nil { // a session is used by one goroutine at a time
		d.cancel()
		awaitAll(context.Background(), stopAll([]*device{d}))
	}
	if err := d.session.Close(); err != nil {
		return fmt.Errorf("close device %s: %w", d.dev.ID, err)
	}
	return nil
}

// blocking makes a Starter of a session that holds a goroutine while it reads.
type blocking struct {
	poller *Poller
	device *device
}

// Start implements drivers.Starter.
func (b *blocking) Start(group int, done func([]meter.Reading, error)) {
	b.poller.workers.Go(func() { done(b.device.session.Read(b.device.ctx, group)) })
}
