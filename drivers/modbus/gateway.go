package modbus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// link is one connection, of whatever framing.
type link interface {
	exchange(ctx context.Context, deadline time.Time, request []byte) ([]byte, error)
	usable() bool
	fail(err error) error
}

// gateway is one host and port, behind which one or many units answer. Units
// share its connections in the order in which they ask.
type gateway struct {
	addr string
	opts gatewayOptions
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	wrap func(net.Conn) link
	now  func() time.Time

	turns chan struct{} // a token for every request that may be under way

	mu       sync.Mutex
	lanes    []*lane
	units    map[byte]int // sessions by unit
	failures int          // connections in a row that came to nothing
	retryAt  time.Time
	lastErr  error
	suspects map[byte]bool // units whose requests failed since the last success
}

// lane is the place of one connection.
type lane struct {
	dialling chan struct{} // holds a token while somebody connects
	link     link          // guarded by gateway.mu, as is busy
	busy     int
}

type gatewayOptions struct {
	connections int
	pipeline    int
	minBackoff  time.Duration
	maxBackoff  time.Duration
}

func newGateway(addr string, opts gatewayOptions) *gateway {
	g := &gateway{addr: addr, opts: opts, units: make(map[byte]int), suspects: make(map[byte]bool), turns: make(chan struct{}, opts.connections*opts.pipeline)}
	for range opts.connections {
		g.lanes = append(g.lanes, &lane{dialling: make(chan struct{}, 1)})
	}
	return g
}

// join and leave count the sessions of a unit; leave returns how many of any
// unit are left.
func (g *gateway) join(unit byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.units[unit]++
}

func (g *gateway) leave(unit byte) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.units[unit]--; g.units[unit] <= 0 {
		delete(g.units, unit)
	}
	return len(g.units)
}

// shared reports whether units other than one's own are behind the gateway.
func (g *gateway) shared() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.units) > 1
}

// maxRepetitions is how often a request is sent again because the connection
// that it was on had been closed, by the device or over another's answer.
const maxRepetitions = 2

// exchange sends one request, on a new connection where needed. A connection
// that was closed meanwhile costs a repetition, no failure.
func (g *gateway) exchange(ctx context.Context, unit byte, timeout time.Duration, request []byte) ([]byte, error) {
	select {
	case g.turns <- struct{}{}:
	default:
		select {
		case g.turns <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { <-g.turns }()
	// The clock of the request starts with its turn: a slow neighbour must
	// not use it up.
	deadline := time.Now().Add(timeout)
	for try := 0; ; try++ {
		ln, l, fresh, err := g.connect(ctx, deadline)
		if err != nil {
			return nil, err
		}
		frame, err := l.exchange(ctx, deadline, request)
		g.settle(ctx, unit, ln, l, err)
		if err != nil && errors.Is(err, errClosed) && !fresh && try < maxRepetitions && ctx.Err() == nil {
			continue
		}
		return frame, err
	}
}

// connect returns a usable connection of the least busy lane, and whether it
// was made just now.
func (g *gateway) connect(ctx context.Context, deadline time.Time) (*lane, link, bool, error) {
	g.mu.Lock()
	ln := g.lanes[0]
	for _, other := range g.lanes[1:] {
		if other.busy < ln.busy {
			ln = other
		}
	}
	ln.busy++
	if ln.link != nil && ln.link.usable() {
		defer g.mu.Unlock()
		return ln, ln.link, false, nil
	}
	g.mu.Unlock()

	l, err := g.open(ctx, deadline, ln)
	if err != nil {
		g.mu.Lock()
		ln.busy--
		g.mu.Unlock()
		return nil, nil, false, err
	}
	return ln, l, true, nil
}

// open connects a lane, or waits for whoever does so already.
func (g *gateway) open(ctx context.Context, deadline time.Time, ln *lane) (link, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	select {
	case ln.dialling <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("connect to %s: %w", g.addr, context.Cause(ctx))
	}
	defer func() { <-ln.dialling }()

	g.mu.Lock()
	if ln.link != nil && ln.link.usable() {
		defer g.mu.Unlock()
		return ln.link, nil
	}
	if wait := g.retryAt.Sub(g.now()); wait > 0 {
		defer g.mu.Unlock()
		return nil, &waitError{what: "gateway " + g.addr, wait: wait, err: g.lastErr}
	}
	g.mu.Unlock()

	nc, err := g.dial(ctx, "tcp", g.addr)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, ctx.Err()
		}
		g.backOff(err)
		return nil, fmt.Errorf("connect to %s: %w", g.addr, err)
	}
	ln.link = g.wrap(nc)
	return ln.link, nil
}

// settle accounts for the outcome of a request. Whatever broke a connection
// has closed it; silence closes it too, unless it is the silence of few among
// many units: a transaction id keeps a late answer from being taken for
// another's. In the same way a unit over whose answers connections break is
// to blame itself until others fail with it; then the gateway is left in
// peace for a while.
func (g *gateway) settle(ctx context.Context, unit byte, ln *lane, l link, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	ln.busy--
	switch {
	case err == nil:
		g.failures, g.lastErr, g.retryAt = 0, nil, time.Time{}
		clear(g.suspects)
		return
	case ctx.Err() != nil:
		return // the caller left; nothing is known of the device
	}
	g.suspects[unit] = true
	all := len(g.suspects) >= min(len(g.units), 3)
	if errors.Is(err, errSilent) && all {
		_ = l.fail(fmt.Errorf("%w after silence", errClosed))
		clear(g.suspects)
	}
	if !errors.Is(err, errSilent) && !l.usable() && all {
		g.backOff(err)
	}
}

// backOff puts off the next attempt to connect. The first failure after a
// success is retried at once; g.mu is held.
func (g *gateway) backOff(err error) {
	g.lastErr = err
	g.retryAt = g.now().Add(backoff(g.failures, g.opts.minBackoff, g.opts.maxBackoff))
	g.failures++
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
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2))
}

// close closes the connections; requests under way fail.
func (g *gateway) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, ln := range g.lanes {
		if ln.link != nil {
			_ = ln.link.fail(errClosed)
			ln.link = nil
		}
	}
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
