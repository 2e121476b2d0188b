package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// conn is one TCP connection to a gateway, plain or TLS. Several requests may
// be under way on it; each answer goes to the call of its transaction id. A
// goroutine of its own receives, parks in the network poller meanwhile, and
// runs the calls' continuations; sending never blocks.
type conn struct {
	nc      net.Conn
	raw     syscall.RawConn                             // nil where the connection is no file: TLS
	deliver func(cl *call, frame []byte, err error)     // of answers, and of errors of single calls
	broken  func(c *conn, calls []*call, because error) // once, with the calls that were under way
	ended   chan struct{}                               // closed when the receiver has ended and broken has returned
	failed  chan struct{}                               // closed by the first fail
	outbox  chan []byte                                 // to the sender of a TLS connection
	sender  sync.WaitGroup

	mu      sync.Mutex
	pending []*call
	last    uint16 // transaction id given last
	err     error  // set once, when the connection can no longer be used
	dead    atomic.Bool
	stale   uint64 // answers dropped because nobody waits for them

	// Of the sender, under mu.
	out     []byte
	written int
	sendErr error
	send    func(fd uintptr) bool

	// Of the receiver.
	buf     [maxFrame]byte
	have    int
	partial atomic.Bool // have is not zero
}

// maxUnsent is how many requests may wait for a TLS connection to take them.
const maxUnsent = 64

// newConn starts a connection. deliver is called for every answer; broken is
// called once when the connection has ended, for whatever reason.
func newConn(nc net.Conn, deliver func(*call, []byte, error), broken func(*conn, []*call, error)) *conn {
	c := &conn{nc: nc, deliver: deliver, broken: broken, ended: make(chan struct{}), failed: make(chan struct{})}
	if file, ok := nc.(syscall.Conn); ok {
		if raw, err := file.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	c.send = func(fd uintptr) bool {
		c.written, c.sendErr = syscall.Write(int(fd), c.out)
		return true
	}
	if c.raw == nil {
		c.outbox = make(chan []byte, maxUnsent)
		c.sender.Go(c.sendLoop)
	}
	go c.receiveLoop()
	return c
}

// start sends a call's request under a transaction id of its own. Where it
// returns an error the connection has failed and the call is not on it.
func (c *conn) start(cl *call) error {
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return fmt.Errorf("%w: %w", errClosed, c.err)
	}
	cl.id = c.freeID()
	c.out = append(c.out[:0], cl.request...)
	binary.BigEndian.PutUint16(c.out, cl.id)
	c.pending = append(c.pending, cl)
	err := c.write()
	if err != nil {
		c.drop(cl)
	}
	c.mu.Unlock()
	if err != nil {
		err = fmt.Errorf("%w while sending: %w", errClosed, err)
		c.fail(err)
	}
	return err
}

// freeID returns a transaction id that no pending call has; c.mu is held.
func (c *conn) freeID() uint16 {
	for {
		c.last++
		taken := false
		for _, cl := range c.pending {
			taken = taken || cl.id == c.last
		}
		if !taken {
			return c.last
		}
	}
}

var errStuffed = errors.New("it takes no more requests")

// write sends c.out without blocking; c.mu is held. A dozen bytes that the
// system does not take mean that the peer has not read for long.
func (c *conn) write() error {
	if c.raw == nil {
		select {
		case c.outbox <- append([]byte(nil), c.out...):
			return nil
		default:
			return errStuffed
		}
	}
	if err := c.raw.Write(c.send); err != nil {
		return err //nolint:wrapcheck // start wraps it
	}
	switch {
	case errors.Is(c.sendErr, syscall.EAGAIN), c.sendErr == nil && c.written < len(c.out):
		return errStuffed
	case errors.Is(c.sendErr, syscall.EINTR):
		return c.write()
	}
	return c.sendErr
}

// sendLoop sends for connections that cannot be written to without blocking.
func (c *conn) sendLoop() {
	for {
		select {
		case <-c.failed:
			return
		case frame := <-c.outbox:
			if _, err := c.nc.Write(frame); err != nil {
				c.fail(fmt.Errorf("%w while sending: %w", errClosed, err))
			}
		}
	}
}

// forget takes a call off the connection: its answer, should it still come,
// is nobody's. It reports whether the call was there.
func (c *conn) forget(cl *call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drop(cl)
}

func (c *conn) drop(cl *call) bool {
	for i, other := range c.pending {
		if other == cl {
			last := len(c.pending) - 1
			c.pending[i] = c.pending[last]
			c.pending[last] = nil
			c.pending = c.pending[:last]
			return true
		}
	}
	return false
}

// receiveLoop receives until the connection fails, then hands back what was
// under way.
func (c *conn) receiveLoop() {
	c.fail(c.receive())
	c.mu.Lock()
	calls, because := c.pending, c.err
	c.pending = nil
	c.mu.Unlock()
	_ = c.nc.Close()
	c.broken(c, calls, because)
	c.sender.Wait()
	close(c.ended)
}

func (c *conn) receive() error {
	if c.raw == nil {
		for {
			n, err := c.nc.Read(c.buf[c.have:])
			if stop := c.take(n, err); stop != nil {
				return stop
			}
		}
	}
	var stop error
	err := c.raw.Read(func(fd uintptr) bool {
		for {
			room := len(c.buf) - c.have
			n, err := syscall.Read(int(fd), c.buf[c.have:])
			switch {
			case errors.Is(err, syscall.EINTR):
				continue
			case errors.Is(err, syscall.EAGAIN):
				return false
			case n == 0 && err == nil:
				err = io.EOF
			}
			if stop = c.take(max(n, 0), err); stop != nil {
				return true
			}
			if n < room {
				// All that was there: asking again would only be told so.
				return false
			}
		}
	})
	if stop == nil && err != nil {
		stop = c.take(0, err)
	}
	return stop
}

// take handles n bytes more in the buffer, and the error that came with them.
func (c *conn) take(n int, err error) error {
	split := c.have > 0 && n > 0
	c.have += n
	for {
		size, bad := frameLength(c.buf[:c.have])
		if bad != nil {
			return bad
		}
		if size == 0 || c.have < size {
			break
		}
		if _, bad := frameLength(c.buf[size:c.have]); bad != nil && split {
			// The rest of the frame may be the beginning of another that took
			// its place: what follows is no frame.
			return bad
		}
		split = false
		frame := make([]byte, size)
		copy(frame, c.buf[:size])
		c.have = copy(c.buf[:], c.buf[size:c.have])
		if bad := c.answer(frame); bad != nil {
			return bad
		}
	}
	if partial := c.have > 0; partial != c.partial.Load() {
		c.partial.Store(partial)
	}
	switch {
	case err == nil:
		return nil
	case c.have > 0:
		return fmt.Errorf("%w in the middle of an answer: %w", errClosed, err)
	}
	return fmt.Errorf("%w by the device: %w", errClosed, err)
}

// answer hands a frame to the call of its transaction id. A frame that nobody
// waits for is a late, doubled or invented answer.
func (c *conn) answer(frame []byte) error {
	id := binary.BigEndian.Uint16(frame)
	c.mu.Lock()
	var cl *call
	for _, other := range c.pending {
		if other.id == id {
			cl = other
			break
		}
	}
	if cl == nil {
		c.stale++
		c.mu.Unlock()
		return nil
	}
	c.drop(cl)
	c.mu.Unlock()
	if err := cl.want.check(frame[6], frame[headerSize:]); err != nil {
		c.fail(err) // before the call learns of it, so that nothing more is sent here
		c.deliver(cl, nil, err)
		return err
	}
	c.deliver(cl, frame, nil)
	return nil
}

// outstanding lists the calls that wait for an answer.
func (c *conn) outstanding() []*call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.pending)
}

// torn reports whether the rest of an answer is missing.
func (c *conn) torn() bool { return c.partial.Load() }

// fail closes the connection; the first reason stays.
func (c *conn) fail(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
		c.dead.Store(true)
	}
	c.mu.Unlock()
	if !first {
		return
	}
	close(c.failed)
	if c.raw == nil {
		_ = c.nc.Close()
		return
	}
	// Closing waits for the receiver, which may be who calls: it is shut down
	// here and closed there.
	_ = c.raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
}

// usable reports whether requests can be sent.
func (c *conn) usable() bool { return !c.dead.Load() }
