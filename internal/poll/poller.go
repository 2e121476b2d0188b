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

// Poller reads devices. Make it with New, run it once.
type Poller struct {
	cfg     Config
	devices []*device
	tally   tally
	metrics *metrics
	out     *outbox
	workers sync.WaitGroup
	ran     atomic.Bool
}

// device is one device with its session.
type device struct {
	dev     drivers.Device
	driver  string
	session drivers.Session
	group   *group
	busy    atomic.Bool // from its turn until its read has ended

	mu     sync.Mutex
	status DeviceStatus
}

// New checks the configuration and opens a session to every device, without
// touching the network.
func New(cfg Config) (*Poller, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	p := &Poller{cfg: cfg, tally: tally{byDriver: make(map[string]*Totals)}}
	groups := make(map[string]*group)
	for _, dev := range cfg.Devices {
		d, err := newDevice(dev, cfg.Drivers, groups)
		if err != nil {
			return nil, errors.Join(err, p.closeSessions())
		}
		p.devices = append(p.devices, d)
	}
	var names []string
	for _, drv := range cfg.Drivers.Drivers() {
		names = append(names, drv.Name())
		p.tally.byDriver[drv.Name()] = new(Totals)
	}
	var err error
	if p.metrics, err = newMetrics(cfg.Metrics, names); err != nil {
		return nil, errors.Join(err, p.closeSessions())
	}
	p.out = newOutbox(&p.cfg)
	return p, nil
}

func newDevice(dev drivers.Device, reg *drivers.Registry, groups map[string]*group) (*device, error) {
	drv, err := reg.For(dev.URL)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", dev.ID, err)
	}
	if dev.Mode == "" {
		dev.Mode = drivers.Poll
	}
	sharing := drivers.Sharing{Connection: dev.ID, Parallel: 1}
	if sharer, ok := drv.(drivers.Sharer); ok {
		sharing = sharer.Share(dev)
	}
	key := drv.Name() + " " + sharing.Connection
	g := groups[key]
	if g == nil {
		g = &group{parallel: max(1, sharing.Parallel), together: sharing.Together}
		groups[key] = g
	}
	session, err := drv.Session(dev)
	if err != nil {
		return nil, err
	}
	d := &device{dev: dev, driver: drv.Name(), session: session, group: g}
	if _, ok := session.(drivers.Subscriber); dev.Mode == drivers.Subscribe && !ok {
		return nil, errors.Join(fmt.Errorf("device %s: driver %s has no subscriptions; remove mode or set it to poll", dev.ID, drv.Name()), session.Close())
	}
	d.status = DeviceStatus{
		ID: dev.ID, MeterID: dev.Meter(), Driver: drv.Name(), URL: dev.URL.Redacted(), Profile: dev.Profile.Name,
		Mode: dev.Mode, Interval: dev.Interval, State: Waiting,
	}
	return d, nil
}

// Run polls until ctx ends, then delivers what was read, closes the sessions
// and returns. It returns within Config.Grace plus the time the drivers need
// to notice the end. The error tells of readings that could not be delivered.
func (p *Poller) Run(ctx context.Context) error {
	if p.ran.Swap(true) {
		return errors.New("poll: Run was called twice; make a new Poller")
	}
	var polled []*device
	for _, d := range p.devices {
		if d.dev.Mode == drivers.Subscribe {
			p.workers.Go(func() { p.subscribe(ctx, d) })
		} else {
			polled = append(polled, d)
		}
	}
	p.workers.Go(func() { p.run(ctx, newSchedule(p.cfg.Now(), p.cfg.Slot, polled)) })

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
	p.workers.Wait()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.Grace)
	defer cancel()
	stopSending()
	<-sent
	return errors.Join(p.out.finish(grace, left), p.closeSessions())
}

// subscribe runs one subscribed device until ctx ends.
func (p *Poller) subscribe(ctx context.Context, d *device) {
	wait := time.Second
	for ctx.Err() == nil {
		err := d.session.(drivers.Subscriber).Subscribe(ctx, func(list []meter.Reading) {
			p.condition(d, p.cfg.Now(), worst(list))
			p.deliver(ctx, d, list)
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = fmt.Errorf("device %s: the subscription ended by itself", d.dev.ID)
		}
		now := p.cfg.Now()
		p.condition(d, now, err)
		p.deliver(ctx, d, d.dev.AllFailed(now.UTC(), meter.CommFailure, err.Error()))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, 30*time.Second)
	}
}

// worst returns an error where nothing in list is of use.
func worst(list []meter.Reading) error {
	for i := range list {
		if list[i].Quality != meter.Bad || !list[i].Flags.Has(meter.CommFailure) {
			return nil
		}
	}
	if len(list) == 0 {
		return nil
	}
	return errors.New(list[0].Detail)
}

// deliver counts readings and hands them on.
func (p *Poller) deliver(ctx context.Context, d *device, list []meter.Reading) {
	p.tally.change(d.driver, func(t *Totals) { t.Readings += uint64(len(list)) })
	p.metrics.delivered(list)
	p.out.add(ctx, list)
}

func (p *Poller) closeSessions() error {
	var list []error
	for _, d := range p.devices {
		if err := d.session.Close(); err != nil {
			list = append(list, fmt.Errorf("close device %s: %w", d.dev.ID, err))
		}
	}
	return errors.Join(list...)
}
