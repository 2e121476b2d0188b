package modbus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// session reads one unit.
type session struct {
	driver  *Driver
	gateway *gateway
	dev     drivers.Device
	at      address
	timeout time.Duration
	plans   []groupPlan // of the profile, shared by its sessions
	frames  [][][]byte  // requests, by group and block
	courier *courier

	mu     sync.Mutex
	closed bool
	health unit
	idle   *reading   // kept for the next read
	active []*reading // under way
}

// groupPlan is how the points of a group are read.
type groupPlan struct {
	blocks []profile.Block
	places [][]int // of each block's points among the group's
	points int
}

func plansOf(p *profile.Profile) []groupPlan {
	var plans []groupPlan
	for i, group := range p.Groups() {
		plan := groupPlan{blocks: p.Modbus.Blocks(i), points: len(group.Points)}
		place := make(map[int]int, len(group.Points))
		for at, p := range group.Points {
			place[p] = at
		}
		for b := range plan.blocks {
			places := make([]int, len(plan.blocks[b].Points))
			for k, p := range plan.blocks[b].Points {
				places[k] = place[p]
			}
			plan.places = append(plan.places, places)
		}
		plans = append(plans, plan)
	}
	return plans
}

var (
	_ drivers.Starter  = (*session)(nil)
	_ drivers.Observer = (*session)(nil)
)

func newSession(d *Driver, g *gateway, dev drivers.Device, at address) (*session, error) {
	s := &session{driver: d, gateway: g, dev: dev, at: at, timeout: dev.Timeout, courier: newCourier(at.framing(), at.unit)}
	if s.timeout == 0 {
		s.timeout = d.opts.Timeout
	}
	s.plans = d.plan(dev.Profile)
	for i := range s.plans {
		var frames [][]byte
		for b := range s.plans[i].blocks {
			frame, err := s.courier.frame(&s.plans[i].blocks[b])
			if err != nil {
				return nil, fmt.Errorf("device %s: %w", dev.ID, err)
			}
			frames = append(frames, frame)
		}
		s.frames = append(s.frames, frames)
	}
	return s, nil
}

// Condition implements drivers.Observer.
func (s *session) Condition() drivers.Condition {
	s.mu.Lock()
	c := drivers.Condition{NextProbe: s.health.probeAt}
	s.mu.Unlock()
	var retry time.Time
	c.Connections, c.Parallel, retry = s.gateway.condition()
	if retry.After(c.NextProbe) {
		c.NextProbe = retry
	}
	return c
}

// Close implements drivers.Session. Reads under way fail.
func (s *session) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	active := append([]*reading(nil), s.active...)
	s.mu.Unlock()
	for _, r := range active {
		r.cancel(drivers.ErrClosed)
	}
	if !closed {
		s.driver.release(s.at.key(), s.gateway, s.at.unit)
	}
	return nil
}

// Read implements drivers.Session.
func (s *session) Read(ctx context.Context, group int) ([]meter.Reading, error) {
	type result struct {
		readings []meter.Reading
		err      error
	}
	done := make(chan result, 1)
	r := s.start(group, newReading(s), func(readings []meter.Reading, err error) { done <- result{readings, err} })
	select {
	case got := <-done:
		return got.readings, got.err
	case <-ctx.Done():
	}
	if r != nil {
		r.cancel(ctx.Err())
	}
	got := <-done
	return got.readings, got.err
}

// Start implements drivers.Starter.
func (s *session) Start(group int, done func([]meter.Reading, error)) { s.start(group, nil, done) }

// start begins a read, as r where it is given: such a read may be cancelled
// and is not used again. It returns nil where no read could begin.
func (s *session) start(group int, r *reading, done func([]meter.Reading, error)) *reading {
	now := s.driver.opts.Now()
	s.mu.Lock()
	probe, err := s.admit(now)
	if err != nil {
		s.mu.Unlock()
		err = fmt.Errorf("device %s: %w", s.dev.ID, err)
		done(s.dev.Failed(group, time.Now().UTC(), meter.CommFailure, detail(err)), err)
		return nil
	}
	if r == nil {
		if r, s.idle = s.idle, nil; r == nil {
			r = newReading(s)
			r.again = true
		}
	}
	s.active = append(s.active, r)
	r.begin(group, probe, done)
	s.mu.Unlock()
	r.next()
	return r
}

// admit says why no read may begin, or whether it is a probe; s.mu is held.
func (s *session) admit(now time.Time) (probe bool, reason error) {
	if s.closed {
		return false, drivers.ErrClosed
	}
	if s.health.probeAt.IsZero() {
		return false, nil
	}
	if err := s.health.suspended(s.at.unit, now); err != nil {
		return false, err
	}
	if wait := s.gateway.mayProbe(now); wait > 0 {
		return false, s.health.wait(s.at.unit, wait)
	}
	return true, nil
}

// ended takes a read off the list; it may be used again.
func (s *session) ended(r *reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.active {
		if other == r {
			s.active = append(s.active[:i], s.active[i+1:]...)
			if r.again {
				s.idle = r
			}
			return
		}
	}
}

// observe tells the unit's health of a request's outcome.
func (s *session) observe(err error) {
	now := s.driver.opts.Now()
	healthy := err == nil || answered(err)
	alone := !healthy && !s.gateway.shared()
	s.mu.Lock()
	defer s.mu.Unlock()
	if healthy && s.health.unanswered == 0 {
		return
	}
	s.health.observe(err, now, alone, s.driver.opts.MaxBackoff)
}

// data takes an answer to one of the session's requests apart.
func (s *session) data(b *profile.Block, frame []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.courier.open(b, frame)
}
