package poll

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// unasked stands for the group of readings that come by subscription.
const unasked = -1

// begin reads a group whose turn it is.
func (p *Poller) begin(r *reader) {
	r.began = p.cfg.Now()
	p.counters.lateness(r.began.Sub(r.due))
	r.device.starter.Start(r.group, r.done)
}

// complete accounts for a read, hands its readings on and lets the next begin.
// It runs on whatever goroutine the driver finished on.
func (p *Poller) complete(r *reader, list []meter.Reading, err error) {
	d := r.device
	switch {
	case errors.Is(err, drivers.ErrHeld):
		p.hold(d, 1) // what had come before is nobody's
	case err == nil || !d.cutShort():
		now := p.cfg.Now()
		if len(list) == 0 {
			list, err = p.nothing(d, r.group, now, err)
		}
		if err == nil {
			d.driver.ok.Add(1)
		} else {
			d.driver.failed.Add(1)
		}
		p.learn(d, r.group, list, now, now.Sub(r.began), err)
		p.counters.delivered(d.driver, list)
		p.out.add(list)
	}
	p.finish(r)
	if p.cfg.Continuous {
		p.offer(r, p.cfg.Now())
	}
}

// cutShort reports whether a read failed over the poller's own doing: nothing
// is known of the device then.
func (d *device) cutShort() bool {
	return d.closing.Load() || d.ctx != nil && d.ctx.Err() != nil
}

// nothing makes readings of an answer without any.
func (p *Poller) nothing(d *device, group int, now time.Time, err error) ([]meter.Reading, error) {
	if err == nil {
		err = fmt.Errorf("the driver returned no readings for device %s", d.dev.ID)
	}
	return d.dev.Failed(group, now.UTC(), 0, err.Error()), err
}

// subscribe runs one subscribed device until ctx ends.
func (p *Poller) subscribe(ctx context.Context, d *device) {
	wait := time.Second
	for ctx.Err() == nil {
		err := d.session.(drivers.Subscriber).Subscribe(ctx, func(list []meter.Reading) {
			p.learn(d, unasked, list, p.cfg.Now(), 0, worst(list))
			p.deliver(ctx, d, list)
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = fmt.Errorf("device %s: the subscription ended by itself", d.dev.ID)
		}
		now := p.cfg.Now()
		list := d.dev.AllFailed(now.UTC(), meter.CommFailure, err.Error())
		p.learn(d, unasked, list, now, 0, err)
		p.deliver(ctx, d, list)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, 30*time.Second)
	}
}

// worst returns an error where nothing in list is of use.
func worst(list []meter.Reading) error {
	if reached(list) || len(list) == 0 {
		return nil
	}
	return errors.New(list[0].Detail)
}

// reached reports whether any reading in list came from the device.
func reached(list []meter.Reading) bool {
	for i := range list {
		if list[i].Quality != meter.Bad || !list[i].Flags.Has(meter.CommFailure) {
			return true
		}
	}
	return false
}

// deliver counts readings that no turn asked for and hands them on. It waits
// while the sink is far behind, until ctx ends.
func (p *Poller) deliver(ctx context.Context, d *device, list []meter.Reading) {
	p.out.await(ctx)
	p.counters.delivered(d.driver, list)
	p.out.add(list)
}
