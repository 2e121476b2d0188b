package poll

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// drainTime is how long Apply waits for reads under way of devices that
// change or go.
const drainTime = 3 * time.Second

// Change says what became of the devices.
type Change struct{ Added, Removed, Changed, Kept int }

// Apply replaces the devices while Run runs. Devices that are the same in
// every field and whose profile is the same keep session, phase and status,
// and notice nothing. Those that differ keep their counts, their phase where
// the interval is the same, and their connection where only ratios, profile,
// meter or intervals differ; a read of theirs under way is delivered first. An
// error names every device that is wrong; then nothing has changed, but that
// devices which were to change may have been connected to anew.
func (p *Poller) Apply(devices []drivers.Device) (Change, error) {
	if err := checkDevices(devices, p.cfg.Drivers); err != nil {
		return Change{}, err
	}
	p.applying.Lock()
	defer p.applying.Unlock()
	if p.ctx == nil || p.ctx.Err() != nil {
		return Change{}, errors.New("poll: devices can be replaced only while the poller runs")
	}
	rev, err := p.compare(devices)
	if err != nil {
		return Change{}, err
	}
	if err := p.openAll(rev.soft()); err != nil {
		p.unseatAll(rev.fresh())
		return Change{}, err
	}
	p.drain(rev.leaving())
	if err := p.openAll(rev.hard()); err != nil {
		err = errors.Join(err, closeAll(rev.soft()))
		p.unseatAll(rev.fresh())
		p.restore(rev)
		return Change{}, err
	}
	if err := closeAll(rev.replacedSoftly()); err != nil {
		p.cfg.Logger.Warn("sessions of replaced devices were not closed cleanly", "error", err)
	}
	p.install(rev)
	change := Change{Added: len(rev.added), Removed: len(rev.removed), Changed: len(rev.changed), Kept: len(devices) - len(rev.added) - len(rev.changed)}
	p.cfg.Logger.Info("devices replaced", "added", change.Added, "removed", change.Removed, "changed", change.Changed, "kept", change.Kept)
	return change, nil
}

// revision is the way from one fleet to the next.
type revision struct {
	fleet   []*device // the next
	changed []succession
	added   []*device
	removed []*device
}

// succession is one device in its old and its new form. Where it is soft both
// reach the device in the same way.
type succession struct {
	old, next *device
	soft      bool
}

// compare makes devices of all that is new. It opens no session.
func (p *Poller) compare(devices []drivers.Device) (*revision, error) {
	old := make(map[string]*device)
	for _, d := range p.devices() {
		old[d.dev.ID] = d
	}
	rev := &revision{fleet: make([]*device, 0, len(devices))}
	equal := make(sameProfile)
	for i := range devices {
		dev := &devices[i]
		before := old[dev.ID]
		delete(old, dev.ID)
		if before != nil && !before.lost() && same(&before.dev, dev, equal) {
			rev.fleet = append(rev.fleet, before)
			continue
		}
		d, err := p.newDevice(*dev)
		if err != nil {
			p.unseatAll(rev.fresh())
			return nil, err
		}
		rev.fleet = append(rev.fleet, d)
		if before == nil {
			rev.added = append(rev.added, d)
			continue
		}
		if d.conn == before.conn {
			d.seat = before.seat
		}
		rev.changed = append(rev.changed, succession{before, d, reachedAlike(&before.dev, dev)})
	}
	for _, d := range p.devices() {
		if old[d.dev.ID] != nil {
			rev.removed = append(rev.removed, d)
		}
	}
	return rev, nil
}

func (r *revision) pick(what func(succession) *device) []*device {
	var list []*device
	for _, s := range r.changed {
		if d := what(s); d != nil {
			list = append(list, d)
		}
	}
	return list
}

// fresh are the devices that compare made.
func (r *revision) fresh() []*device {
	return append(r.pick(func(s succession) *device { return s.next }), r.added...)
}

// soft are those whose session can be opened beside the old one, so that a
// connection which both share lives on.
func (r *revision) soft() []*device {
	return r.pick(func(s succession) *device {
		if s.soft {
			return s.next
		}
		return nil
	})
}

// hard are the other fresh ones.
func (r *revision) hard() []*device {
	return append(r.pick(func(s succession) *device {
		if s.soft {
			return nil
		}
		return s.next
	}), r.added...)
}

// leaving are the devices that will be read no more, in two lists: those whose
// session must be closed before others are opened come second.
func (r *revision) leaving() (all, first []*device) {
	all = append(r.pick(func(s succession) *device { return s.old }), r.removed...)
	first = append(r.pick(func(s succession) *device {
		if s.soft {
			return nil
		}
		return s.old
	}), r.removed...)
	return all, first
}

func (r *revision) replacedSoftly() []*device {
	return r.pick(func(s succession) *device {
		if s.soft {
			return s.old
		}
		return nil
	})
}

// openAll opens the sessions of list, or none.
func (p *Poller) openAll(list []*device) error {
	for i, d := range list {
		if err := p.open(d); err != nil {
			return errors.Join(err, closeAll(list[:i]))
		}
	}
	return nil
}

func (p *Poller) unseatAll(list []*device) {
	for _, d := range list {
		p.unseat(d)
	}
}

// drain lets the reads under way of all come home, then closes the sessions
// of first.
func (p *Poller) drain(all, first []*device) {
	patience, cancel := context.WithTimeout(p.ctx, drainTime)
	defer cancel()
	awaitAll(patience, stopAll(all))
	if err := closeAll(first); err != nil {
		p.cfg.Logger.Warn("sessions of replaced devices were not closed cleanly", "error", err)
	}
}

// restore puts new devices in the place of those that were drained, with the
// old settings.
func (p *Poller) restore(rev *revision) {
	back := &revision{}
	stopped, _ := rev.leaving()
	again := make(map[*device]*device)
	for _, d := range stopped {
		next, err := p.newDevice(d.dev)
		if err == nil {
			next.seat = d.seat
			err = p.open(next)
		}
		if err != nil { // it was good before; say what it says now, at every turn
			p.equip(next, &unopened{dev: d.dev, err: err})
		}
		again[d] = next
		back.changed = append(back.changed, succession{d, next, true})
	}
	if err := closeAll(rev.replacedSoftly()); err != nil {
		p.cfg.Logger.Warn("sessions of devices were not closed cleanly", "error", err)
	}
	for _, d := range p.devices() {
		if next := again[d]; next != nil {
			d = next
		}
		back.fleet = append(back.fleet, d)
	}
	p.install(back)
}

// install makes rev's fleet the one that is polled. All sessions are open.
func (p *Poller) install(rev *revision) {
	moves := make(map[*reader]*reader)
	var fresh []*reader
	for _, d := range rev.removed {
		for i := range d.readers {
			moves[&d.readers[i]] = nil
		}
		p.unseat(d)
	}
	for _, s := range rev.changed {
		s.next.inherit(s.old, s.soft)
		for i := range s.old.readers {
			moves[&s.old.readers[i]] = nil
		}
		for _, r := range p.launch(s.next) {
			if before := s.old.alike(r); before != nil && s.old.conn == s.next.conn {
				moves[before] = r
			} else {
				fresh = append(fresh, r)
			}
		}
		p.unseat(s.old)
	}
	for _, d := range rev.added {
		fresh = append(fresh, p.launch(d)...)
	}
	p.schedule.move(moves)
	p.schedule.add(p.cfg.Now(), fresh)
	p.fleet.Store(&rev.fleet)
	used := make(map[*profile.Profile]bool)
	for _, d := range rev.fleet {
		used[d.dev.Profile] = true
	}
	maps.DeleteFunc(p.catalogues, func(pr *profile.Profile, _ *catalogue) bool { return !used[pr] })
}

// alike returns the reader of d that reads a group of r's name at r's interval.
func (d *device) alike(r *reader) *reader {
	for i := range d.readers {
		if o := &d.readers[i]; o.interval == r.interval && o.name() == r.name() {
			return o
		}
	}
	return nil
}

// inherit takes the counts over, and the state where the device is reached as before.
func (d *device) inherit(old *device, state bool) {
	d.reachable.Store(state && old.reachable.Load())
	old.mu.Lock()
	defer old.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh := d.health
	d.health = old.health
	if !state {
		d.health.state, d.health.since, d.health.consecutive = fresh.state, fresh.since, 0
		d.health.trips = roundTrips{}
	}
}

// sameProfile remembers which profiles are equal: devices share few.
type sameProfile map[[2]*profile.Profile]bool

func (m sameProfile) check(a, b *profile.Profile) bool {
	if a == b {
		return true
	}
	key := [2]*profile.Profile{a, b}
	equal, known := m[key]
	if !known {
		if equal = a.Digest() != "" && a.Digest() == b.Digest(); !equal {
			equal = reflect.DeepEqual(a, b)
		}
		m[key] = equal
	}
	return equal
}

// same reports whether nothing about a device has changed.
func same(a, b *drivers.Device, profiles sameProfile) bool {
	return a.ID == b.ID && a.MeterID == b.MeterID && a.Interval == b.Interval && reachedAlike(a, b) &&
		maps.Equal(a.Groups, b.Groups) && profiles.check(a.Profile, b.Profile) &&
		slices.EqualFunc(a.Ratios, b.Ratios, func(x, y drivers.Ratio) bool {
			return x.From.Equal(y.From) && x.Factor == y.Factor && x.CT == y.CT && x.PT == y.PT
		})
}

// reachedAlike reports whether a and b are reached in the same way: what a
// connection depends on is the same.
func reachedAlike(a, b *drivers.Device) bool {
	return a.URL.String() == b.URL.String() && a.Timeout == b.Timeout && maps.Equal(a.Options, b.Options) &&
		(a.Mode == drivers.Subscribe) == (b.Mode == drivers.Subscribe)
}

// unopened is the session of a device that had one and could not be given
// another when a change was taken back.
type unopened struct {
	dev drivers.Device
	err error
}

// Read implements drivers.Session.
func (u *unopened) Read(_ context.Context, group int) ([]meter.Reading, error) {
	err := fmt.Errorf("%w; apply the devices again", u.err)
	return u.dev.Failed(group, time.Now().UTC(), meter.CommFailure, err.Error()), err
}

// Subscribe implements drivers.Subscriber.
func (u *unopened) Subscribe(context.Context, func([]meter.Reading)) error {
	return fmt.Errorf("%w; apply the devices again", u.err)
}

// Close implements drivers.Session.
func (u *unopened) Close() error { return nil }

// lost reports whether d could not be given a session again.
func (d *device) lost() bool {
	_, lost := d.opened().(*unopened)
	return lost
}
