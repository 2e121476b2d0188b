package poll

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Poller reads devices. Make it with New, run it once.
type Poller struct {
	cfg      Config
	counters *counters
	out      *outbox
	workers  sync.WaitGroup
	ran      atomic.Bool
	reading  chan struct{} // closed when Run has begun
	fleet    atomic.Pointer[[]*device]

	applying    sync.Mutex // changes of the fleet, one at a time, and of what follows
	connections map[string]*connection
	numbered    int // connections so far
	catalogues  map[*profile.Profile]*catalogue
	ctx         context.Context // of Run; nil before
	schedule    *schedule

	ramp []due // turns that wait for a first connection; the slot loop's own
}

// New checks the configuration and opens a session to every device, without
// touching the network.
func New(cfg Config) (*Poller, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	var names []string
	for _, drv := range cfg.Drivers.Drivers() {
		names = append(names, drv.Name())
	}
	p := &Poller{cfg: cfg, reading: make(chan struct{}), connections: make(map[string]*connection), catalogues: make(map[*profile.Profile]*catalogue)}
	p.cfg.Devices = nil // the fleet has them
	p.fleet.Store(new([]*device))
	p.counters = newCounters(names)
	fleet := make([]*device, 0, len(cfg.Devices))
	for _, dev := range cfg.Devices {
		d, err := p.newDevice(dev)
		if err == nil {
			err = p.open(d)
		}
		if err != nil {
			return nil, errors.Join(err, closeAll(fleet))
		}
		fleet = append(fleet, d)
	}
	if err := p.counters.register(cfg.Metrics); err != nil {
		return nil, errors.Join(err, closeAll(fleet))
	}
	p.fleet.Store(&fleet)
	p.out = newOutbox(&p.cfg)
	return p, nil
}

func (p *Poller) devices() []*device { return *p.fleet.Load() }

// Run polls until ctx ends, then delivers what was read, closes the sessions
// and returns. Reads under way have half of Config.Grace to come home, and the
// sink has all of it for what it has not taken; add the time that the drivers
// need to notice the end. The error tells of readings that could not be delivered.
func (p *Poller) Run(ctx context.Context) error {
	if p.ran.Swap(true) {
		return errors.New("poll: Run was called twice; make a new Poller")
	}
	p.begun(ctx)
	p.workers.Go(func() { p.wake(ctx) })
	p.workers.Go(func() { p.report(ctx) })

	// The outbox outlives the readers, so that what they read last is sent.
	sending, stopSending := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSending()
	var left []meter.Reading
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		left = p.out.run(sending)
	}()
	<-ctx.Done()
	closed := p.end()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.Grace)
	defer cancel()
	stopSending()
	<-sent
	return errors.Join(p.out.finish(grace, left), closed)
}

// Flush waits until the sink has taken everything that was read so far, at
// most until ctx ends.
func (p *Poller) Flush(ctx context.Context) error { return p.out.flush(ctx) }

// Began is closed once Run has begun to read.
func (p *Poller) Began() <-chan struct{} { return p.reading }

// begun schedules the fleet.
func (p *Poller) begun(ctx context.Context) {
	p.applying.Lock()
	defer p.applying.Unlock()
	now := p.cfg.Now()
	p.ctx = ctx
	p.schedule = newSchedule(now, p.cfg.Slot)
	var readers []*reader
	for _, d := range p.devices() {
		readers = append(readers, p.launch(d)...)
	}
	p.schedule.add(now, readers)
	close(p.reading)
}

// end lets reads under way come home, for half of the grace, and closes the
// sessions, which ends those that are left.
func (p *Poller) end() error {
	p.applying.Lock()
	defer p.applying.Unlock()
	fleet := p.devices()
	home, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), p.cfg.Grace/2)
	defer cancel()
	under := stopAll(fleet)
	awaitAll(home, under)
	err := closeAll(fleet)
	ended, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), p.cfg.Grace/2)
	defer cancel()
	awaitAll(ended, under)
	p.workers.Wait()
	return err
}

// stopAll lets no device begin a read and returns what tells that those under
// way have ended.
func stopAll(list []*device) (under []<-chan struct{}) {
	for _, d := range list {
		if idle := d.stop(); idle != nil {
			under = append(under, idle)
		}
		if d.left != nil {
			d.cancel()
			under = append(under, d.left)
		}
	}
	return under
}

// awaitAll waits for reads to end, at most until ctx does.
func awaitAll(ctx context.Context, under []<-chan struct{}) {
	for _, idle := range under {
		select {
		case <-idle:
		case <-ctx.Done():
			return
		}
	}
}

func closeAll(list []*device) error {
	var errs []error
	for _, d := range list {
		if err := d.close(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// wake gives turns slot by slot until ctx ends.
func (p *Poller) wake(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var list []due
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.schedule.changed:
		case <-timer.C:
			list = p.schedule.take(p.cfg.Now(), list[:0])
			p.give(list)
			clear(list)
		}
		now := p.cfg.Now()
		wait := time.Hour
		if at, ok := p.schedule.next(); ok {
			wait = at.Sub(now)
		}
		if len(p.ramp) > 0 {
			wait = min(wait, p.cfg.Slot)
		}
		timer.Reset(wait)
	}
}

// give hands the turns of one slot out. Devices of which no connection is
// known are tried a few at a time: a fleet that starts, or comes back after
// its network was down, is no storm.
func (p *Poller) give(list []due) {
	if p.held() {
		p.holdAll(list)
		return
	}
	n := min(p.cfg.Ramp, len(p.ramp))
	for _, t := range p.ramp[:n] {
		t.reader.ramped = false
		p.turn(t)
	}
	left := copy(p.ramp, p.ramp[n:])
	clear(p.ramp[left:])
	p.ramp = p.ramp[:left]
	tries := p.cfg.Ramp - n
	for _, turn := range list {
		r := turn.reader
		if r.ramped {
			p.miss(r.device, 1+turn.slept)
			continue
		}
		if p.connects(r.device) {
			if tries <= 0 {
				r.ramped = true
				p.ramp = append(p.ramp, turn)
				continue
			}
			tries--
		}
		p.turn(turn)
	}
}

// connects reports whether a read of d will probably make a connection.
func (p *Poller) connects(d *device) bool {
	if d.reachable.Load() {
		return false
	}
	return !d.condition().NextProbe.After(p.cfg.Now())
}

// turn gives one turn.
func (p *Poller) turn(t due) {
	missed := t.slept
	if p.offer(t.reader, t.at) {
		missed++
	}
	if missed > 0 {
		p.miss(t.reader.device, missed)
	}
}
