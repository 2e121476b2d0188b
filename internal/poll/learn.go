package poll

import (
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// health is what a device's status is made of; device.mu guards it.
type health struct {
	state           State
	since           time.Time
	lastOK          time.Time
	lastError       string
	lastErrorAt     time.Time
	consecutive     int
	latency         time.Duration
	reads, failures uint64
	missed          uint64
	reported        uint64 // of missed, by the last report
	trips           roundTrips
	lastReached     time.Time
	gapFrom         time.Time // the last word of a device that is out of reach; zero while it is not
	unfilled        time.Time // where an earlier gap begins that its history did not fill; zero where none
}

// learn takes into the device's status what a read of a group, or a
// subscription, brought, judges the readings, and logs a change of state, not
// every failure.
func (p *Poller) learn(d *device, group int, list []meter.Reading, now time.Time, trip time.Duration, err error) {
	state, there := OK, true
	if err != nil {
		state, there = Failing, reached(list)
		if !there && d.condition().NextProbe.After(now) {
			state = Silent
		}
	}
	d.reachable.Store(there)
	d.mu.Lock()
	d.judge(&p.cfg.Quality, group, list)
	h := &d.health
	before, failures := h.state, h.consecutive
	if group >= 0 {
		h.reads++
	}
	gap := h.gap(there)
	if there {
		h.lastReached = now
	}
	if err == nil {
		h.lastOK, h.consecutive = now, 0
		if group >= 0 {
			h.latency = trip
			h.trips.add(trip)
		}
	} else {
		h.lastError, h.lastErrorAt = err.Error(), now
		h.consecutive++
		h.failures++
	}
	if state != before {
		h.state, h.since = state, now
	}
	d.mu.Unlock()
	if !gap.IsZero() {
		p.fill(d, gap, now)
	}
	switch {
	case state == OK && (before == Failing || before == Silent):
		p.cfg.Logger.Info("device answers again", "device", d.dev.ID, "failures", failures)
	case state != OK && (before == OK || before == Waiting):
		p.cfg.Logger.Warn("device fails", "device", d.dev.ID, "error", err)
	}
}

// gap notes when a device went out of reach and, once it is back, returns
// since when it was; zero otherwise.
func (h *health) gap(there bool) (from time.Time) {
	switch {
	case !there && h.gapFrom.IsZero() && !h.lastReached.IsZero():
		h.gapFrom = h.lastReached
	case there && !h.gapFrom.IsZero():
		if from = h.gapFrom; !h.unfilled.IsZero() {
			from = h.unfilled
		}
		h.gapFrom, h.unfilled = time.Time{}, time.Time{}
	}
	return from
}
