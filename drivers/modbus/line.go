package modbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
)

// stream carries the bytes of an RTU line: a serial port, or a TCP connection
// to a serial server.
type stream interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// timing is what a line asks of its bytes in time.
type timing struct {
	char   time.Duration // one character on the wire; 0 where the wire is a serial server's
	before time.Duration // silence before a request
	after  time.Duration // silence before a request that follows anything unexpected
	gap    time.Duration // longest pause inside a frame; 0: the request's timeout
}

// rtuLink is one half-duplex RTU line: one request is under way at a time, and
// the next is sent when the line has been silent. A failed request does not
// cost the others behind the line their connection: what was left of it is
// thrown away, and its answer, should it still come, is known by the ledger.
type rtuLink struct {
	port   stream
	timing timing
	ledger *ledger
	turn   chan struct{} // holds a token through an exchange
	gate   func() bool   // asked before every request; nil: always open

	// Of whoever holds the turn.
	quietFrom time.Time // nothing has been on the line since
	dirty     bool      // something unexpected was
	buf       [maxRTU]byte
	have      int

	mu  sync.Mutex
	cut bool  // the caller of the exchange has left
	err error // set once, when the stream can no longer be used
}

func newRTULink(port stream, t timing, ledger *ledger) *rtuLink {
	return &rtuLink{port: port, timing: t, ledger: ledger, turn: make(chan struct{}, 1)}
}

// maxBarriers bounds how many barriers are sent for one request: more late
// answers than that come from something that is not a device.
const maxBarriers = 8

// exchange sends one RTU frame and returns its answer. The time until the
// deadline is what the device has for the first byte of its answer, counted
// from when the request is on the wire.
func (l *rtuLink) exchange(ctx context.Context, deadline time.Time, request []byte) ([]byte, error) {
	want, err := expectRTU(request)
	if err != nil {
		return nil, err
	}
	timeout := time.Until(deadline)
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-l.turn }()
	l.mu.Lock()
	broken := l.err
	l.mu.Unlock()
	if broken != nil {
		return nil, broken
	}
	defer l.interruptedBy(ctx)()
	for tries := 0; ; tries++ {
		if l.gate != nil && !l.gate() {
			return nil, drivers.ErrHeld
		}
		next, err := l.ledger.barrier(request, want, time.Now())
		if errors.Is(err, errClosed) {
			return nil, l.fail(err)
		}
		if err != nil {
			return nil, err
		}
		if next == nil {
			return l.transact(ctx, timeout, request, want, false)
		}
		if tries == maxBarriers {
			return nil, fmt.Errorf("%w: unit %d answers more often than it is asked", errGarbled, want.unit)
		}
		shape, err := expectRTU(next)
		if err != nil {
			return nil, err
		}
		if _, err := l.transact(ctx, timeout, next, shape, true); err != nil {
			return nil, err
		}
	}
}

// transact sends one request on the silent line and waits for its answer.
func (l *rtuLink) transact(ctx context.Context, timeout time.Duration, request []byte, want expected, barrier bool) ([]byte, error) {
	if err := l.settle(); err != nil {
		return nil, l.explain(ctx, err)
	}
	l.ledger.sent(request, want, barrier, time.Now())
	if err := l.by(l.port.SetWriteDeadline, time.Now().Add(timeout)); err != nil {
		return nil, l.explain(ctx, err)
	}
	if _, err := l.port.Write(request); err != nil {
		return nil, l.explain(ctx, fmt.Errorf("while sending: %w", err))
	}
	// The port takes the request at once and needs its time to send it.
	l.quietFrom = time.Now().Add(time.Duration(len(request)) * l.timing.char)
	limit := l.quietFrom.Add(timeout)
	for {
		frame, err := l.receive(limit)
		if err == nil {
			err = checkCRC(frame)
		}
		if err != nil {
			if n := min(l.have, len(request)); n >= exceptionRTU && string(l.buf[:n]) == string(request[:n]) {
				err = fmt.Errorf("%w: the request came back; switch off the adapter's echo", errGarbled)
			}
			return nil, l.explain(ctx, err)
		}
		unit, pdu := frame[0], frame[1:len(frame)-2]
		mismatch := want.check(unit, pdu)
		if mismatch != nil && !l.ledger.late(unit, pdu) {
			return nil, l.explain(ctx, mismatch)
		}
		l.have = copy(l.buf[:], l.buf[len(frame):l.have])
		if mismatch == nil {
			l.ledger.answered(want, pdu)
			l.dirty = l.have > 0
			return frame, nil
		}
	}
}

// receive returns a copy of the next whole frame, which stays in the buffer.
// The first byte must come by the limit; the rest no slower than the line.
func (l *rtuLink) receive(limit time.Time) ([]byte, error) {
	until := limit
	for {
		size, err := rtuLength(l.buf[:l.have])
		if err != nil {
			return nil, err
		}
		if size > 0 && l.have >= size {
			return append([]byte(nil), l.buf[:size]...), nil
		}
		if err := l.by(l.port.SetReadDeadline, until); err != nil {
			return nil, err
		}
		n, err := l.port.Read(l.buf[l.have:])
		if n > 0 {
			l.have += n
			l.quietFrom = time.Now()
			if until = limit.Add(maxRTU * l.timing.char); l.timing.gap > 0 && l.quietFrom.Add(l.timing.gap).Before(until) {
				until = l.quietFrom.Add(l.timing.gap)
			}
			continue
		}
		if err != nil {
			return nil, err //nolint:wrapcheck // explain tells a quiet line by it
		}
		return nil, io.ErrUnexpectedEOF
	}
}

// noisy is how long a line may go on sending what nobody asked for.
const noisy = 2 * time.Second

// settle throws away what is on the line until it has been silent for as long
// as a request needs.
func (l *rtuLink) settle() error {
	quiet := l.timing.before
	if l.dirty {
		quiet = l.timing.after
	}
	l.have, l.dirty = 0, true
	for began := time.Now(); ; {
		n, err := drain(l.port)
		if err != nil {
			return err
		}
		if n > 0 {
			l.quietFrom, quiet = time.Now(), l.timing.after
		}
		wait := time.Until(l.quietFrom.Add(quiet))
		if wait <= 0 {
			l.dirty = false
			return nil
		}
		if time.Since(began) > noisy {
			return fmt.Errorf("%w: the line never falls silent; look for another master or noise on it", errClosed)
		}
		if err := l.by(l.port.SetReadDeadline, time.Now().Add(wait)); err != nil {
			return err
		}
		switch n, err := l.port.Read(l.buf[:]); {
		case n > 0:
			l.quietFrom, quiet = time.Now(), l.timing.after
		case err == nil:
			return io.ErrUnexpectedEOF
		case !errors.Is(err, os.ErrDeadlineExceeded) || l.left():
			return err //nolint:wrapcheck // explain tells a cancelled read by it
		}
	}
}

// explain says what an error means for the exchange. Silence and garbled
// answers leave the line usable; what else broke has broken the stream.
func (l *rtuLink) explain(ctx context.Context, err error) error {
	partial := l.have > 0
	l.dirty = true
	switch {
	case ctx.Err() != nil && (l.left() || errors.Is(err, os.ErrDeadlineExceeded)):
		return ctx.Err()
	case errors.Is(err, errClosed):
		return l.fail(err)
	case errors.Is(err, errGarbled):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded) && partial:
		return fmt.Errorf("%w: half an answer, then silence", errGarbled)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSilent
	case errors.Is(err, io.EOF):
		return l.fail(fmt.Errorf("%w by the device: %w", errClosed, err))
	}
	return l.fail(fmt.Errorf("%w: %w", errClosed, err))
}

// interruptedBy ends the exchange when ctx ends. What it returns must be
// called before the next exchange, whose deadlines it would break.
func (l *rtuLink) interruptedBy(ctx context.Context) (release func()) {
	l.mu.Lock()
	l.cut = false
	l.mu.Unlock()
	if ctx.Done() == nil {
		return func() {}
	}
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(over)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.cut = true
		_ = l.port.SetReadDeadline(time.Unix(1, 0))
		_ = l.port.SetWriteDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-over
		}
	}
}

// by sets a deadline, unless the caller of the exchange has left.
func (l *rtuLink) by(set func(time.Time) error, t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		t = time.Unix(1, 0)
	}
	if err := set(t); err != nil {
		return fmt.Errorf("set a deadline: %w", err)
	}
	return nil
}

// left reports whether the caller of the exchange has left.
func (l *rtuLink) left() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

// usable implements link.
func (l *rtuLink) usable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err == nil
}

// fail implements link: it closes the stream and returns err.
func (l *rtuLink) fail(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
		_ = l.port.Close()
	}
	return err
}
