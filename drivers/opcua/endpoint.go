package opcua

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/opcua/client"
)

// gather is how long the first of several reads waits for the others that
// fell due with it.
const gather = 2 * time.Millisecond

// endpoint is one server under one set of security settings. A goroutine of
// its own connects and reads for all its sessions; another, while anybody is
// subscribed, runs the subscription.
type endpoint struct {
	settings settings
	dialer   *dialer
	gate     func() bool // asked before every read; nil: always open
	opts     *Options

	ctx    context.Context // ends with close
	cancel context.CancelFunc
	work   sync.WaitGroup
	wake   chan struct{}
	full   chan struct{} // there is no need to wait for further reads

	clock clock // of the server

	mu      sync.Mutex
	refs    int
	waiting []*call
	asked   int // nodes of those
	hub     hub
	reading condition // of the connection that is read through
	conn    *client.Client
	history int // nodes of one history read, as learned

	// Of the reading goroutine alone.
	through *connection
	back    backoff
}

// condition is what is known of one of an endpoint's connections.
type condition struct {
	open bool
	next time.Time // of the next attempt, where the last one failed
}

// call is one session's read.
type call struct {
	nodes   []string
	timeout time.Duration
	done    chan result
}

type result struct {
	values []*ua.DataValue // in the order of nodes
	took   time.Duration   // the round trip
	err    error
}

func newEndpoint(s settings, d *dialer, gate func() bool) *endpoint {
	e := &endpoint{settings: s, dialer: d, gate: gate, opts: &d.opts, wake: make(chan struct{}, 1), full: make(chan struct{}, 1)}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.back = backoff{opts: e.opts}
	e.hub.changed = make(chan struct{}, 1)
	e.work.Go(e.serve)
	return e
}

// close ends all work and waits for it.
func (e *endpoint) close() {
	e.cancel()
	e.work.Wait()
}

// read asks for the values of nodes, together with whoever else asks now.
func (e *endpoint) read(ctx context.Context, nodes []string, timeout time.Duration) ([]*ua.DataValue, time.Duration, error) {
	c := &call{nodes: nodes, timeout: timeout, done: make(chan result, 1)}
	e.mu.Lock()
	e.waiting = append(e.waiting, c)
	e.asked += len(nodes)
	full := e.asked >= maxNodes || len(e.waiting) >= e.refs
	e.mu.Unlock()
	signal(e.wake)
	if full {
		signal(e.full)
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case r := <-c.done:
		return r.values, r.took, r.err
	case <-timer.C:
		return nil, 0, fmt.Errorf("%w (%v); check the server's load and the network", errSilent, timeout)
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("wait for the server: %w", ctx.Err())
	case <-e.ctx.Done():
		return nil, 0, errors.New("the driver was closed")
	}
}

// signal wakes whoever waits on a channel of one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var errSilent = errors.New("no answer in time")

// serve reads for all sessions until close.
func (e *endpoint) serve() {
	defer e.disconnect()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-e.wake:
		}
		select {
		case <-e.ctx.Done():
			return
		case <-time.After(gather):
		case <-e.full: // everybody is here, or as many as one read takes
		}
		for batch := e.take(); len(batch) > 0; batch = e.take() {
			e.readBatch(batch)
		}
		if e.through != nil {
			ctx, cancel := context.WithTimeout(e.ctx, e.opts.Timeout)
			e.checkClock(ctx, e.through.client)
			cancel()
		}
	}
}

// take removes calls of up to maxNodes nodes, one call at least. A server that
// takes fewer in one read gets several (see connection.read).
func (e *endpoint) take() []*call {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, nodes := 0, 0
	for n < len(e.waiting) && (n == 0 || nodes+len(e.waiting[n].nodes) <= maxNodes) {
		nodes += len(e.waiting[n].nodes)
		n++
	}
	batch := e.waiting[:n:n]
	e.waiting = e.waiting[n:]
	if e.asked -= nodes; len(e.waiting) == 0 {
		e.waiting = nil
		select { // what was full is not any more
		case <-e.full:
		default:
		}
	}
	return batch
}

// readBatch serves calls by one read, connecting first where needed. A
// session that the server dropped meanwhile costs one repetition.
func (e *endpoint) readBatch(batch []*call) {
	var nodes []string
	var timeout time.Duration
	for _, c := range batch {
		nodes = append(nodes, c.nodes...)
		timeout = max(timeout, c.timeout)
	}
	values, took, err := e.readNodes(nodes, timeout)
	for _, c := range batch {
		if err != nil {
			c.done <- result{err: err}
			continue
		}
		c.done <- result{values: values[:len(c.nodes):len(c.nodes)], took: took}
		values = values[len(c.nodes):]
	}
}

func (e *endpoint) readNodes(nodes []string, timeout time.Duration) ([]*ua.DataValue, time.Duration, error) {
	for try := 0; ; try++ {
		if e.gate != nil && !e.gate() {
			return nil, 0, drivers.ErrHeld
		}
		if e.through != nil && e.through.client.Err() != nil {
			e.disconnect() // lost while nobody read
		}
		fresh := e.through == nil
		if fresh {
			if err := e.connect(); err != nil {
				return nil, 0, err
			}
		}
		ctx, cancel := context.WithTimeout(e.ctx, timeout)
		began := time.Now()
		values, err := e.through.read(ctx, nodes)
		took := time.Since(began)
		expired := ctx.Err() != nil
		cancel()
		if err == nil {
			e.back.succeeded()
			return values, took, nil
		}
		e.disconnect()
		e.failed(err)
		if fresh || expired || try > 0 {
			return nil, 0, err
		}
	}
}

func (e *endpoint) connect() error {
	if err := e.back.wait(); err != nil {
		return err
	}
	c, err := e.dialer.dial(e.ctx, e.settings)
	if err != nil {
		e.failed(err)
		return err
	}
	ctx, cancel := context.WithTimeout(e.ctx, e.opts.Timeout)
	e.checkClock(ctx, c.client)
	cancel()
	e.through = c
	e.mu.Lock()
	defer e.mu.Unlock()
	e.conn, e.reading, e.history = c.client, condition{open: true}, c.limits.history
	return nil
}

func (e *endpoint) failed(err error) {
	e.back.failed(err)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reading.next = e.back.next
}

func (e *endpoint) disconnect() {
	if e.through == nil {
		return
	}
	e.mu.Lock()
	e.conn, e.reading = nil, condition{}
	e.mu.Unlock()
	e.through.close()
	e.through = nil
}

// condition tells how the endpoint stands, for all its sessions.
func (e *endpoint) condition() drivers.Condition {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := drivers.Condition{Parallel: parallel}
	now := e.opts.Now()
	for _, c := range []condition{e.reading, e.hub.condition} {
		if c.open {
			out.Connections++
		}
		if c.next.After(now) && (out.NextProbe.IsZero() || c.next.Before(out.NextProbe)) {
			out.NextProbe = c.next
		}
	}
	return out
}

// backoff spaces attempts: the first after a success at once, then twice as
// long each time, with a jitter of a quarter.
type backoff struct {
	opts     *Options
	failures int
	next     time.Time
	last     error
}

func (b *backoff) succeeded() { *b = backoff{opts: b.opts} }

func (b *backoff) failed(err error) {
	var d time.Duration
	if b.failures > 0 {
		d = b.opts.MaxBackoff
		if b.failures < 16 {
			d = min(b.opts.MinBackoff<<(b.failures-1), d)
		}
		d = time.Duration(float64(d) * (0.75 + rand.Float64()/2))
	}
	b.failures++
	b.next, b.last = b.opts.Now().Add(d), err
}

// remaining is how long to wait before the next attempt.
func (b *backoff) remaining() time.Duration { return b.next.Sub(b.opts.Now()) }

// wait returns an error while the next attempt is not due.
func (b *backoff) wait() error {
	if d := b.remaining(); d > 0 {
		return fmt.Errorf("%w; tried again in %v", b.last, d.Round(100*time.Millisecond))
	}
	return nil
}
