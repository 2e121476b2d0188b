package modbus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/goburrow/modbus"

	"github.com/gridwarden/gridwarden/drivers"
)

// settle accounts for the outcome of a call; g.mu is held. Whatever broke a
// connection has closed it; silence closes it too, unless it is the silence
// of few among many units: a transaction id keeps a late answer from being
// taken for another's. In the same way a unit over whose answers connections
// break is to blame itself until others fail with it; then the gateway is
// left in peace for a while.
func (g *gateway) settle(cl *call, now time.Time, frame []byte, err error) {
	if err == nil {
		g.failures, g.lastErr, g.retryAt = 0, nil, time.Time{}
		g.suspects = g.suspects[:0]
		switch code := g.exception(frame); code {
		case modbus.ExceptionCodeGatewayPathUnavailable, modbus.ExceptionCodeGatewayTargetDeviceFailedToRespond:
			// It waits for its units itself, one after the other. That says
			// nothing about the time of an answer.
			g.lateMost = fewestLate
			return
		case modbus.ExceptionCodeServerDeviceBusy, modbus.ExceptionCodeAcknowledge:
			if g.flying > 0 || cl.lane.late > 0 {
				g.strict = true
				g.govern.trouble(g.now())
			}
		}
		g.heard = now
		g.trip.add(now.Sub(cl.sent))
		g.govern.answered(now, !g.waiting.empty())
		return
	}
	if ln := cl.lane; ln.line != nil && !ln.line.usable() {
		ln.line = nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, drivers.ErrHeld) {
		return // the caller left, or nothing was sent; nothing is known of the device
	}
	if bytes.IndexByte(g.suspects, cl.unit) < 0 {
		g.suspects = append(g.suspects, cl.unit)
	}
	all := len(g.suspects) >= g.count(3)
	silent := errors.Is(err, errSilent)
	if silent && now.Sub(g.heard) < g.longest {
		return // others were answered not long ago: it is the unit
	}
	switch {
	case silent && all:
		if cl.lane.conn != nil {
			cl.lane.conn.fail(fmt.Errorf("%w after silence", errClosed))
			cl.lane.conn = nil
		}
		g.suspects = g.suspects[:0]
	case silent && cl.lane.conn != nil && cl.lane.conn.torn():
		// What comes next cannot be told from the missing rest.
		cl.lane.conn.fail(fmt.Errorf("%w: half an answer, then silence", errGarbled))
		cl.lane.conn = nil
	case errors.Is(err, errGarbled) && !errors.Is(err, errClosed) && all:
		g.backOff(err)
	}
}

// exception returns the exception code of an answer, 0 where it is none.
func (g *gateway) exception(frame []byte) byte {
	at := 1
	if g.line == nil {
		at = headerSize
	}
	if len(frame) < at+2 || frame[at]&0x80 == 0 {
		return 0
	}
	return frame[at+1]
}

// backOff puts off the next attempt to connect. The first failure after a
// success is retried at once; g.mu is held.
func (g *gateway) backOff(err error) {
	g.lastErr = err
	g.retryAt = g.now().Add(backoff(g.failures, g.opts.minBackoff, g.opts.maxBackoff))
	g.failures++
}

// remind makes sweep look at the gateway at a moment; g.mu is held.
func (g *gateway) remind(at time.Time) {
	if t := at.UnixNano(); g.due.Load() == 0 || t < g.due.Load() {
		g.due.Store(t)
	}
}

// Bounds of how many calls of a connection may go without an answer while
// others take their turns. It begins with few, since a gateway may be waiting
// for the unit itself, and doubles with each silent unit over which others
// were answered: then it is not.
const (
	fewestLate = 2
	mostLate   = 32
)

// sweep ends calls whose time is over, and lets others overtake those that
// are overdue: a transaction id tells their answers apart, and a silent unit
// shall not cost its neighbours a timeout.
func (g *gateway) sweep(now time.Time) {
	if due := g.due.Load(); due == 0 || due > now.UnixNano() {
		return
	}
	g.mu.Lock()
	g.due.Store(0)
	var expired []*call
	under := g.flying // calls that have been given to a connection
	patience := g.trip.patience(shortestPatience, g.opts.maxBackoff)
	for _, ln := range g.lanes {
		if ln.conn == nil {
			continue
		}
		under += ln.late
		for _, cl := range ln.conn.outstanding() {
			under--
			switch age := now.Sub(cl.sent); {
			case !now.Before(cl.deadline):
				if ln.conn.forget(cl) {
					expired = append(expired, cl)
				}
				continue
			case cl.overdue && !cl.passed && g.heard.After(cl.sent.Add(patience)):
				cl.passed = true
				g.lateMost = min(2*g.lateMost, mostLate)
			case !cl.overdue && !g.strict && age >= patience && ln.late < g.lateMost && !ln.conn.torn():
				cl.overdue = true
				ln.late++
				ln.busy--
				g.flying--
			case !cl.overdue && !g.strict && age < patience:
				g.remind(cl.sent.Add(patience))
			}
			g.remind(cl.deadline)
		}
	}
	if under > 0 {
		g.remind(now.Add(shortestPatience)) // some are only just being sent
	}
	g.mu.Unlock()
	for _, cl := range expired {
		g.landed(cl, nil, errSilent)
	}
	g.advance()
}

// mayProbe reports whether a unit that does not answer may be tried now. What
// probes cost the gateway stays below a tenth of its time.
func (g *gateway) mayProbe(now time.Time) (wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lateMost > fewestLate {
		return 0 // silence costs it nothing
	}
	if wait = g.probing.Sub(now); wait <= 0 {
		g.probing = now.Add(longestProbe) // until its outcome is known
	}
	return wait
}

const (
	probeShare   = 9 // times as long as the last probe took, until the next
	longestProbe = 10 * time.Second
)

// probed says how a probe ended.
func (g *gateway) probed(now time.Time, took time.Duration, answered bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.probing = now
	if !answered {
		g.probing = now.Add(probeShare * took)
	}
}

// patience is how long an answer to a probe is waited for.
func (g *gateway) patience(most time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.trip.patience(shortestProbe, most)
}

// backoff returns how long to wait after n earlier failures: nothing, then
// twice as long each time, with a jitter of a quarter so that a restarted
// gateway is not stormed.
func backoff(n int, shortest, longest time.Duration) time.Duration {
	if n == 0 {
		return 0
	}
	d := longest
	if n < 16 {
		d = min(shortest<<(n-1), longest)
	}
	return jitter(d)
}

func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2))
}

// waitError says that nothing was tried because the next attempt is due later.
type waitError struct {
	what string
	wait time.Duration
	err  error
}

func (e *waitError) Error() string {
	return fmt.Sprintf("%s: %v; tried again in %v", e.what, e.err, e.wait.Round(100*time.Millisecond))
}

func (e *waitError) Unwrap() error { return e.err }
