package modbus

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// reading is one read of a group under way: block after block, each begun by
// the answer to the one before. Once the unit is silent or the connection
// gone, the rest is not tried.
type reading struct {
	s     *session
	call  call
	block int
	plan  *groupPlan
	group int
	probe bool
	began time.Time
	out   []meter.Reading
	bad   []error
	gone  bool
	done  func([]meter.Reading, error)
	again bool // the session keeps it for its next read

	cancelled atomic.Pointer[error]
}

func newReading(s *session) *reading {
	r := &reading{s: s}
	r.call.unit = s.at.unit
	r.call.finish = r.answer
	return r
}

// begin sets a read up; next sends the first request.
func (r *reading) begin(group int, probe bool, done func([]meter.Reading, error)) {
	r.group, r.probe, r.done, r.plan = group, probe, done, &r.s.plans[group]
	r.block, r.gone, r.bad = 0, false, nil
	if r.again {
		r.out = r.s.driver.buffers.get(r.plan.points)
	} else {
		r.out = make([]meter.Reading, r.plan.points)
	}
	r.cancelled.Store(nil)
	if probe {
		r.began = time.Now()
	}
}

// next sends the next request, or ends the read.
func (r *reading) next() {
	for r.block < len(r.plan.blocks) {
		if because := r.cancelled.Load(); because != nil && !r.gone {
			r.fail(*because)
			r.block++
			continue
		}
		if r.gone {
			r.skip()
			r.block++
			continue
		}
		r.call.request = r.s.frames[r.group][r.block]
		r.call.timeout = r.s.timeout
		if r.probe {
			r.call.timeout = r.s.gateway.patience(r.s.timeout)
		}
		r.s.gateway.submit(&r.call)
		if !r.again && r.cancelled.Load() != nil {
			r.withdraw()
		}
		return
	}
	out, err, done := r.out, errors.Join(r.bad...), r.done
	if r.probe {
		r.s.gateway.probed(r.s.driver.opts.Now(), time.Since(r.began), !r.gone)
	}
	r.out, r.bad, r.done = nil, nil, nil
	again := r.again
	r.s.ended(r)
	done(out, err)
	if again {
		r.s.driver.buffers.put(out)
	}
}

// answer takes the answer to one block's request.
func (r *reading) answer(frame []byte, err error) {
	s, b := r.s, &r.plan.blocks[r.block]
	var data []byte
	if err == nil {
		data, err = s.data(b, frame)
	}
	s.observe(err)
	if err != nil {
		r.fail(err)
	} else {
		received := time.Now().UTC()
		places := r.plan.places[r.block]
		for k := range places {
			pt := b.Point(k)
			value, raw := b.Decode(k, data, received)
			r.out[places[k]] = s.dev.Reading(pt.Quantity, pt.Side, value, received, received, raw)
		}
	}
	r.block++
	r.next()
}

// fail fills the block's readings with why it could not be read.
func (r *reading) fail(err error) {
	b := &r.plan.blocks[r.block]
	err = r.s.explain(b, err)
	r.bad = append(r.bad, err)
	r.gone = r.gone || !answered(err)
	r.fill(flagsOf(err), detail(err))
}

// skip fills the block's readings with why those before failed.
func (r *reading) skip() { r.fill(meter.CommFailure, detail(r.bad[len(r.bad)-1])) }

func (r *reading) fill(flags meter.Flags, why string) {
	now := time.Now().UTC()
	b := &r.plan.blocks[r.block]
	for k, place := range r.plan.places[r.block] {
		r.out[place] = r.s.dev.FailedPoint(b.Point(k).Quantity, now, flags, why)
	}
}

// cancel ends the read early. done is called all the same.
func (r *reading) cancel(because error) {
	r.cancelled.Store(&because)
	r.withdraw()
}

// withdraw takes back the request under way. Where that is not possible its
// answer is being handled by another goroutine, which ends the read.
func (r *reading) withdraw() {
	because := r.cancelled.Load()
	if because != nil && r.s.gateway.abandon(&r.call) {
		r.fail(*because)
		r.block++
		r.next()
	}
}
