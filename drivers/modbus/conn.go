package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

var (
	errSilent = errors.New("no answer in time")
	errClosed = errors.New("connection closed")
)

// conn is one TCP connection to a gateway. Several requests may be under way
// on it; each caller waits for its own transaction id. There is no reading
// goroutine: of the callers that wait, one reads for all, which costs a
// single request in flight no hand-over at all.
type conn struct {
	nc     net.Conn
	reader chan struct{} // holds a token while a caller reads

	mu      sync.Mutex
	pending map[uint16]*call
	last    uint16 // transaction id given last
	err     error  // set once, when the connection can no longer be used
	stale   uint64 // answers dropped because nobody waits for them

	buf  [maxFrame]byte // start of the frame that is being received; owned by the reader
	have int
}

// call is one request under way.
type call struct {
	want   expected
	answer chan reply
}

type reply struct {
	frame []byte
	err   error
}

func newConn(nc net.Conn) *conn {
	return &conn{nc: nc, reader: make(chan struct{}, 1), pending: make(map[uint16]*call)}
}

// exchange sends a request frame under a transaction id of its own and
// returns the answer under the caller's. An error other than errSilent or the
// context's closes the connection.
func (c *conn) exchange(ctx context.Context, deadline time.Time, request []byte) ([]byte, error) {
	want, err := expect(request[6], request[headerSize:])
	if err != nil {
		return nil, err
	}
	cl := &call{want: want, answer: make(chan reply, 1)}
	id, err := c.register(cl)
	if err != nil {
		return nil, err
	}
	defer c.forget(id)

	var wire [maxFrame]byte
	n := copy(wire[:], request)
	binary.BigEndian.PutUint16(wire[:], id)
	if err := c.nc.SetWriteDeadline(deadline); err != nil {
		return nil, c.fail(fmt.Errorf("%w: %w", errClosed, err))
	}
	if _, err := c.nc.Write(wire[:n]); err != nil {
		return nil, c.fail(fmt.Errorf("%w while sending: %w", errClosed, err))
	}
	frame, err := c.await(ctx, deadline, cl)
	if err != nil {
		return nil, err
	}
	copy(frame[:2], request[:2])
	return frame, nil
}

// await returns the answer to cl. The caller becomes the reader when nobody
// reads; else it waits for the reader to hand the answer over, or to leave.
func (c *conn) await(ctx context.Context, deadline time.Time, cl *call) ([]byte, error) {
	select {
	case c.reader <- struct{}{}:
		return c.lead(ctx, deadline, cl)
	default:
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case r := <-cl.answer:
		return r.frame, r.err
	case c.reader <- struct{}{}:
		return c.lead(ctx, deadline, cl)
	case <-timer.C:
		return nil, errSilent
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lead reads frames for everybody until cl has its answer.
func (c *conn) lead(ctx context.Context, deadline time.Time, cl *call) ([]byte, error) {
	defer func() { <-c.reader }()
	if err := c.nc.SetReadDeadline(deadline); err != nil {
		return nil, c.fail(fmt.Errorf("%w: %w", errClosed, err))
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	})
	// The interruption must be over before another caller reads, or it would
	// break that caller's deadline.
	defer func() {
		if !stop() {
			<-interrupted
		}
	}()
	for {
		select {
		case r := <-cl.answer:
			return r.frame, r.err
		default:
		}
		frame, err := c.receive()
		switch {
		case err == nil:
			c.deliver(frame)
		case errors.Is(err, os.ErrDeadlineExceeded):
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if c.have > 0 {
				// What comes next cannot be told from the missing rest.
				return nil, c.fail(fmt.Errorf("%w: half an answer, then silence", errGarbled))
			}
			return nil, errSilent
		default:
			return nil, c.fail(err)
		}
	}
}

// receive returns the next whole frame. Bytes of an incomplete one stay in
// the buffer for the next reader.
func (c *conn) receive() ([]byte, error) {
	for {
		size, err := frameLength(c.buf[:c.have])
		if err != nil {
			return nil, err
		}
		if size > 0 && c.have >= size {
			frame := make([]byte, size)
			copy(frame, c.buf[:size])
			c.have = copy(c.buf[:], c.buf[size:c.have])
			return frame, nil
		}
		n, err := c.nc.Read(c.buf[c.have:])
		c.have += n
		if n == 0 && err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil, err //nolint:wrapcheck // the caller tells a quiet line by it
			}
			if c.have > 0 {
				return nil, fmt.Errorf("%w in the middle of an answer: %w", errClosed, err)
			}
			return nil, fmt.Errorf("%w by the device: %w", errClosed, err)
		}
	}
}

// deliver hands a frame to the caller that waits for its transaction id. A
// frame that nobody waits for is a late, doubled or invented answer.
func (c *conn) deliver(frame []byte) {
	c.mu.Lock()
	id := binary.BigEndian.Uint16(frame)
	cl := c.pending[id]
	if cl == nil {
		c.stale++
		c.mu.Unlock()
		return
	}
	delete(c.pending, id)
	c.mu.Unlock()
	if err := cl.want.check(frame[6], frame[headerSize:]); err != nil {
		cl.answer <- reply{err: err}
		_ = c.fail(err) // the call has its answer
		return
	}
	cl.answer <- reply{frame: frame}
}

func (c *conn) register(cl *call) (uint16, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, fmt.Errorf("%w: %w", errClosed, c.err)
	}
	for {
		c.last++
		if c.pending[c.last] == nil {
			c.pending[c.last] = cl
			return c.last, nil
		}
	}
}

func (c *conn) forget(id uint16) {
	c.mu.Lock()
	delete(c.pending, id)
	c.mu.Unlock()
}

// fail closes the connection and returns err. Others that wait for answers
// on it learn that it was closed, which lets them try again on a new one.
func (c *conn) fail(err error) error {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
	}
	waiting := c.pending
	c.pending = make(map[uint16]*call)
	c.mu.Unlock()
	if first {
		_ = c.nc.Close()
	}
	for _, cl := range waiting {
		select {
		case cl.answer <- reply{err: fmt.Errorf("%w: %w", errClosed, err)}:
		default:
		}
	}
	return err
}

// usable reports whether requests can be sent.
func (c *conn) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == nil
}
