package modbus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
)

// link is a connection on which one request is under way at a time: RTU over
// TCP or a serial line. The caller waits for the answer.
type link interface {
	exchange(ctx context.Context, deadline time.Time, request []byte) ([]byte, error)
	usable() bool
	fail(err error) error
}

// gateway is one host and port, or one serial line, behind which one or many
// units answer. Units share its connections in the order in which they ask.
//
// No goroutine waits for an answer: calls go from submit to a connection, and
// from the connection's receiver to their own continuation.
type gateway struct {
	addr   string
	opts   gatewayOptions
	dial   func(ctx context.Context) (net.Conn, error) // of MBAP connections
	line   func(ctx context.Context) (link, error)     // of the others; nil where dial is set
	now    func() time.Time                            // clock of backoffs
	gate   func() bool                                 // asked before every request; nil: always open
	engine *engine
	ctx    context.Context // ends with close
	cancel context.CancelFunc
	work   sync.WaitGroup
	due    atomic.Int64 // when sweep has something to do, Unix nanoseconds; 0 = never

	mu       sync.Mutex
	closed   bool
	lanes    []*lane
	waiting  fifo
	flying   int // calls that hold a turn
	govern   governor
	trip     roundTrip
	units    []byte // of the sessions, each as often as it has any
	failures int    // connections in a row that came to nothing
	retryAt  time.Time
	lastErr  error
	suspects []byte        // units whose requests failed since the last success
	probing  time.Time     // no further probe before
	strict   bool          // it cannot bear a request while another is unanswered
	lateMost int           // calls that may go without an answer while others take their turns
	heard    time.Time     // of the last answer
	longest  time.Duration // timeout of any call so far
}

// lane is the place of one connection. Guarded by gateway.mu.
type lane struct {
	conn    *conn
	line    link
	busy    int
	dialing bool
	late    int       // calls that have given up their turn
	opened  time.Time // when the connection was made
	barred  time.Time // no attempt before: the gateway refused so many connections
}

type gatewayOptions struct {
	connections int // at most
	least       int // from the start
	pipeline    int // requests on one connection
	minBackoff  time.Duration
	maxBackoff  time.Duration
	serial      serialSettings // of the line at a serial port
}

func newGateway(addr string, opts gatewayOptions) *gateway {
	g := &gateway{addr: addr, opts: opts, now: time.Now, lateMost: fewestLate}
	g.govern = newGovernor(opts.least*opts.pipeline, opts.connections*opts.pipeline)
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

// join and leave count the sessions of a unit; leave returns how many of any
// unit are left.
func (g *gateway) join(unit byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.units = append(g.units, unit)
}

func (g *gateway) leave(unit byte) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := bytes.IndexByte(g.units, unit); i >= 0 {
		g.units = slices.Delete(g.units, i, i+1)
	}
	return len(g.units)
}

// shared reports whether units other than one's own are behind the gateway.
func (g *gateway) shared() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.units) > 1 && bytes.Count(g.units, g.units[:1]) < len(g.units)
}

// count counts the units behind the gateway, up to most; g.mu is held.
func (g *gateway) count(most int) int {
	var seen [256]bool
	n := 0
	for _, u := range g.units {
		if !seen[u] {
			seen[u] = true
			if n++; n == most {
				break
			}
		}
	}
	return n
}

// condition tells how many connections are open, how many requests may be
// under way, and when the next attempt to connect is due where none is open.
func (g *gateway) condition() (connections, parallel int, retry time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, ln := range g.lanes {
		if ln.conn != nil || ln.line != nil {
			connections++
		}
	}
	if connections == 0 && g.retryAt.After(g.now()) {
		retry = g.retryAt
	}
	return connections, g.govern.limit, retry
}

// submit takes a call on. Its finish is called once, possibly before submit
// returns.
func (g *gateway) submit(cl *call) {
	check := expectMBAP
	if g.line != nil {
		check = expectRTU
	}
	want, err := check(cl.request)
	if err != nil {
		cl.finish(nil, err)
		return
	}
	cl.want = want
	g.mu.Lock()
	switch wait := g.retryAt.Sub(g.now()); {
	case g.closed:
		err = errClosed
	case wait > 0 && !g.connected():
		err = &waitError{what: "gateway " + g.addr, wait: wait, err: g.lastErr}
	default:
		cl.state, cl.tries = callWaiting, 0
		g.longest = max(g.longest, cl.timeout)
		g.waiting.push(cl)
	}
	g.mu.Unlock()
	if err != nil {
		cl.finish(nil, err)
		return
	}
	g.advance()
}

// connected reports whether any connection is open; g.mu is held.
func (g *gateway) connected() bool {
	for _, ln := range g.lanes {
		if ln.conn != nil || ln.line != nil {
			return true
		}
	}
	return false
}

// abandon takes a call back before its answer; finish is not called then. It
// reports whether it could.
func (g *gateway) abandon(cl *call) bool {
	g.mu.Lock()
	if cl.state == callWaiting {
		defer g.mu.Unlock()
		cl.state = callIdle
		return g.waiting.remove(cl)
	}
	if cl.state == callFlying && cl.leave != nil {
		cl.leave() // its exchange ends, and with it the call
	}
	if cl.state != callFlying || cl.lane.conn == nil || !cl.lane.conn.forget(cl) {
		g.mu.Unlock()
		return false
	}
	g.land(cl)
	g.mu.Unlock()
	g.advance()
	return true
}

// advance sends what can be sent.
func (g *gateway) advance() {
	for {
		g.mu.Lock()
		if !g.waiting.empty() && g.gate != nil && !g.gate() {
			held := g.waiting.drain()
			g.mu.Unlock()
			for _, cl := range held {
				cl.finish(nil, drivers.ErrHeld)
			}
			return
		}
		cl, ln := g.next()
		if cl == nil {
			g.mu.Unlock()
			return
		}
		now := time.Now()
		cl.state, cl.lane, cl.overdue, cl.passed, cl.sent = callFlying, ln, false, false, now
		cl.deadline = now.Add(cl.timeout)
		g.flying++
		ln.busy++
		c, l := ln.conn, ln.line
		g.remind(now.Add(min(cl.timeout, g.trip.patience(shortestPatience, cl.timeout))))
		if l != nil {
			var ctx context.Context
			ctx, cl.leave = context.WithCancel(g.ctx)
			g.work.Go(func() { g.exchange(ctx, l, cl) })
			g.mu.Unlock()
			continue
		}
		g.mu.Unlock()
		if err := c.start(cl); err != nil {
			g.landed(cl, nil, err)
		}
	}
}

// next returns a call that may be sent, and where; g.mu is held.
func (g *gateway) next() (*call, *lane) {
	if g.closed || g.waiting.empty() || g.flying >= g.govern.limit {
		return nil, nil
	}
	depth := max(1, (g.govern.limit+g.opts.connections-1)/g.opts.connections)
	var best, cold *lane
	for _, ln := range g.lanes {
		if ln.conn != nil && !ln.conn.usable() {
			ln.conn = nil // what was under way on it comes back by broke
		}
		if ln.conn != nil && ln.conn.torn() && ln.busy+ln.late == 0 {
			ln.conn.fail(fmt.Errorf("%w: the beginning of an answer that nobody waits for", errGarbled))
			ln.conn = nil
		}
		switch {
		case ln.dialing || g.now().Before(ln.barred):
		case ln.conn != nil && ln.conn.torn() && ln.busy+ln.late > 0:
			// Another answer must not be taken for the missing rest.
		case ln.conn == nil && ln.line == nil:
			if cold == nil {
				cold = ln
			}
		case best == nil || ln.busy < best.busy:
			best = ln
		}
	}
	if best != nil && best.busy < depth {
		return g.waiting.pop(), best
	}
	if cold == nil && len(g.lanes) < g.opts.connections {
		cold = new(lane)
		g.lanes = append(g.lanes, cold)
	}
	if cold != nil && g.dialling() < g.govern.limit-g.flying {
		cold.dialing = true
		g.work.Go(func() { g.connect(cold) })
	}
	return nil, nil
}

func (g *gateway) dialling() (n int) {
	for _, ln := range g.lanes {
		if ln.dialing {
			n++
		}
	}
	return n
}

// connect opens a lane, then sends what waits, or tells those who wait that
// it failed.
func (g *gateway) connect(ln *lane) {
	g.mu.Lock()
	timeout := g.waiting.timeout()
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(g.ctx, timeout)
	defer cancel()
	var (
		nc  net.Conn
		l   link
		err error
	)
	if g.line != nil {
		l, err = g.line(ctx)
	} else {
		nc, err = g.dial(ctx)
	}
	g.mu.Lock()
	ln.dialing = false
	if err == nil && g.closed {
		g.mu.Unlock()
		if nc != nil {
			_ = nc.Close()
		} else {
			_ = l.fail(errClosed)
		}
		return
	}
	var refused []*call
	switch {
	case err == nil && nc != nil:
		ln.conn = newConn(nc, g.engine.reactor(), g.landed, func(c *conn, calls []*call, because error) { g.broke(ln, c, calls, because) })
		ln.opened = time.Now()
		g.waiting.markFresh()
	case err == nil:
		ln.line = l
		g.waiting.markFresh()
	case g.connected():
		// It takes fewer connections than it was asked for.
		ln.barred = g.now().Add(g.govern.pause)
		g.govern.trouble(g.now())
	default:
		g.backOff(err)
		refused = g.waiting.drain()
	}
	g.mu.Unlock()
	for _, cl := range refused {
		cl.finish(nil, fmt.Errorf("connect to %s: %w", g.addr, err))
	}
	g.advance()
}

// exchange is a call's way over a line.
func (g *gateway) exchange(ctx context.Context, l link, cl *call) {
	frame, err := l.exchange(ctx, cl.deadline, cl.request)
	cl.leave()
	g.landed(cl, frame, err)
}

// land takes a call out of flight; g.mu is held.
func (g *gateway) land(cl *call) {
	if cl.overdue {
		cl.lane.late--
	} else {
		g.flying--
		cl.lane.busy--
	}
	cl.state, cl.leave = callIdle, nil
}

// maxRepetitions is how often a request is sent again because the connection
// that it was on had been closed, by the device or over another's answer.
const maxRepetitions = 2

// landed accounts for the outcome of a call and hands it on.
func (g *gateway) landed(cl *call, frame []byte, err error) {
	now := time.Now()
	g.mu.Lock()
	fresh := cl.fresh
	cl.fresh = false
	g.land(cl)
	g.settle(cl, now, frame, err)
	again := err != nil && errors.Is(err, errClosed) && !fresh && cl.tries < maxRepetitions && !g.closed &&
		(g.connected() || g.retryAt.Sub(g.now()) <= 0)
	if again {
		cl.tries++
		cl.state = callWaiting
		g.waiting.pushFront(cl)
	}
	more := !g.waiting.empty()
	g.mu.Unlock()
	if more {
		g.advance()
	}
	if !again {
		cl.finish(frame, err)
	}
}

// broke accounts for the end of a connection: calls that were under way on it
// are sent again elsewhere where they may.
func (g *gateway) broke(ln *lane, c *conn, calls []*call, because error) {
	g.mu.Lock()
	if ln.conn == c {
		ln.conn = nil
	}
	if len(calls) > 0 && g.flying > 1 && !g.closed {
		g.govern.trouble(g.now())
	}
	if len(calls) > 0 && g.heard.Before(ln.opened) && !g.closed {
		g.backOff(because) // it was of no use to anybody
	}
	g.mu.Unlock()
	for _, cl := range calls {
		err := because
		if !errors.Is(err, errClosed) {
			err = fmt.Errorf("%w: %w", errClosed, because)
		}
		g.landed(cl, nil, err)
	}
	g.advance()
}

// close ends the gateway: calls under way fail, and its goroutines end.
func (g *gateway) close() {
	g.mu.Lock()
	g.closed = true
	waiting := g.waiting.drain()
	var conns []*conn
	for _, ln := range g.lanes {
		if ln.conn != nil {
			conns = append(conns, ln.conn)
		}
		if ln.line != nil {
			_ = ln.line.fail(errClosed)
		}
	}
	g.mu.Unlock()
	g.cancel()
	for _, cl := range waiting {
		cl.finish(nil, errClosed)
	}
	for _, c := range conns {
		c.fail(errClosed)
		<-c.ended
	}
	g.work.Wait()
}
