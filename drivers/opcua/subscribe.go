package opcua

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// hub is the one subscription of an endpoint, for all its subscribed
// sessions. Guarded by endpoint.mu but for the channel.
type hub struct {
	subscribers []*subscriber
	running     bool
	condition   condition
	changed     chan struct{}
}

// settle is how long the hub waits for further sessions to subscribe before
// it sets the subscription up.
const settle = 50 * time.Millisecond

// subscriber is one session that is subscribed.
type subscriber struct {
	session *session
	ctx     context.Context
	fn      func([]meter.Reading)

	mu   sync.Mutex // held while fn runs
	gone bool
}

// deliver hands readings on unless the session has left.
func (s *subscriber) deliver(list []meter.Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.gone && s.ctx.Err() == nil && len(list) > 0 {
		s.fn(list)
	}
}

// leave waits for a delivery that is under way and lets no other follow.
func (s *subscriber) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
}

// subscribe adds a subscriber until its context ends. It returns after the
// last delivery.
func (e *endpoint) subscribe(s *subscriber) {
	defer s.leave()
	e.mu.Lock()
	if e.ctx.Err() != nil {
		e.mu.Unlock()
		return
	}
	e.hub.subscribers = append(e.hub.subscribers, s)
	if !e.hub.running {
		e.hub.running = true
		e.work.Go(e.runHub)
	}
	e.mu.Unlock()
	e.announce()
	select {
	case <-s.ctx.Done():
	case <-e.ctx.Done():
	}
	e.mu.Lock()
	e.hub.subscribers = slices.DeleteFunc(e.hub.subscribers, func(x *subscriber) bool { return x == s })
	e.mu.Unlock()
	e.announce()
}

func (e *endpoint) announce() {
	select {
	case e.hub.changed <- struct{}{}:
	default:
	}
}

// subscribers returns who is subscribed now.
func (e *endpoint) subscribers() []*subscriber {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.hub.subscribers)
}

// stopHub ends the hub where nobody is subscribed. Whoever comes next starts
// another one.
func (e *endpoint) stopHub() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.hub.subscribers) == 0 {
		e.hub.running = false
	}
	return !e.hub.running
}

// runHub keeps a subscription going while there are subscribers.
func (e *endpoint) runHub() {
	back := backoff{opts: e.opts}
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-time.After(settle):
		}
		select {
		case <-e.hub.changed: // the list that is taken next has it
		default:
		}
		if e.stopHub() {
			return
		}
		err := e.runSubscription(e.subscribers(), back.succeeded)
		e.hubCondition(condition{})
		if e.ctx.Err() != nil {
			return
		}
		if errors.Is(err, errNobody) {
			continue
		}
		back.failed(err)
		e.hubCondition(condition{next: back.next})
		// What happens from now on until the subscription stands again is not
		// seen: the gap is said at its beginning, for every point.
		now := time.Now().UTC()
		for _, s := range e.subscribers() {
			s.deliver(s.session.dev.AllFailed(now, meter.CommFailure, fmt.Sprintf("device %s: %v", s.session.dev.ID, err)))
		}
		e.pause(back.remaining())
	}
}

// pause waits, but not where the endpoint is closed or everybody leaves.
func (e *endpoint) pause(d time.Duration) {
	timer := time.NewTimer(max(0, d))
	defer timer.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-timer.C:
			return
		case <-e.hub.changed:
			if len(e.subscribers()) == 0 {
				return
			}
		}
	}
}

func (e *endpoint) hubCondition(c condition) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hub.condition = c
}
