package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// conn is one connection to a gateway that carries MBAP frames. Several
// requests may be under way on it; each answer goes to the call of its
// transaction id. Whatever carries the bytes hands them to take, on one
// goroutine at a time, and there the calls' continuations run.
type conn struct {
	carrier carrier
	deliver func(cl *call, frame []byte, err error)     // of answers, and of errors of single calls
	broken  func(c *conn, calls []*call, because error) // once, with the calls that were under way
	ended   chan struct{}                               // closed when all that is over

	mu      sync.Mutex
	pending []*call
	last    uint16 // transaction id given last
	err     error  // set once, when the connection can no longer be used
	dead    atomic.Bool
	stale   uint64 // answers dropped because nobody waits for them
	out     []byte

	// Of the receiver.
	buf     [maxFrame + headerSize]byte // a frame, and the next one's header
	have    int
	partial atomic.Bool // have is not zero
}

// carrier moves the bytes of a conn.
type carrier interface {
	// send sends a frame without waiting. The frame may change afterwards.
	send(frame []byte) error
	// shut ends the connection; the conn is told by end. It may be called
	// from within take.
	shut()
}

// errStuffed says that a dozen bytes could not be sent: the peer has not read
// for long.
var errStuffed = errors.New("it takes no more requests")

// newConn makes a connection of nc: by the reactor where nc is a socket of the
// system, else by goroutines of its own. deliver is called for every answer;
// broken is called once when the connection has ended, for whatever reason.
func newConn(nc net.Conn, r *reactor, deliver func(*call, []byte, error), broken func(*conn, []*call, error)) *conn {
	c := &conn{deliver: deliver, broken: broken, ended: make(chan struct{})}
	if !r.carry(nc, c) {
		carryStream(nc, c)
	}
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
	err := c.carrier.send(c.out)
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

// end is called by the carrier when it has ended. It hands back what was
// under way.
func (c *conn) end(because error) {
	c.fail(because)
	c.mu.Lock()
	calls, because := c.pending, c.err
	c.pending = nil
	c.mu.Unlock()
	c.broken(c, calls, because)
	close(c.ended)
}

// room is where the next bytes belong.
func (c *conn) room() []byte { return c.buf[c.have:] }

// take handles n bytes more in the room, and the error that came with them.
// Where it returns an error the connection must be ended with it.
func (c *conn) take(n int, err error) error {
	c.have += n
	for {
		size, bad := frameLength(c.buf[:c.have])
		if bad != nil {
			return bad
		}
		if size == 0 || c.have < size {
			break
		}
		if rest := c.buf[size:c.have]; len(rest) > 0 {
			// The end of the frame may be the beginning of another: then what
			// follows is no frame, which its header will tell.
			next, bad := frameLength(rest)
			if bad != nil {
				return bad
			}
			if next == 0 {
				break
			}
		}
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
	if first {
		c.carrier.shut()
	}
}

// usable reports whether requests can be sent.
func (c *conn) usable() bool { return !c.dead.Load() }
