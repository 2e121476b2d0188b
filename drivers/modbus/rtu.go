package modbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// rtuConn carries RTU frames in a TCP connection, as serial servers do. RTU
// has no transaction id: one request is under way at a time, what lies in the
// connection before it is thrown away, and the connection does not survive
// any failure, silence included. What remains is an answer that arrives
// doubled after its request was answered and after the next was sent: to the
// same unit, function and count it cannot be told from the right one.
type rtuConn struct {
	nc net.Conn

	busy sync.Mutex // held through an exchange

	mu  sync.Mutex
	err error
}

func newRTUConn(nc net.Conn) *rtuConn { return &rtuConn{nc: nc} }

func (c *rtuConn) exchange(ctx context.Context, deadline time.Time, request []byte) ([]byte, error) {
	want, err := expect(request[0], request[1:len(request)-2])
	if err != nil {
		return nil, err
	}
	c.busy.Lock()
	defer c.busy.Unlock()
	c.mu.Lock()
	broken := c.err
	c.mu.Unlock()
	if broken != nil {
		return nil, broken
	}
	if err := c.nc.SetDeadline(deadline); err != nil {
		return nil, c.fail(fmt.Errorf("%w: %w", errClosed, err))
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = c.nc.SetDeadline(time.Unix(1, 0))
	})
	defer func() {
		if !stop() {
			<-interrupted
		}
	}()
	if err := c.drain(); err != nil {
		return nil, c.fail(fmt.Errorf("%w by the device: %w", errClosed, err))
	}
	if _, err := c.nc.Write(request); err != nil {
		return nil, c.fail(fmt.Errorf("%w while sending: %w", errClosed, err))
	}
	frame, err := c.receive()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errSilent
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, c.fail(err)
	case err != nil:
		return nil, c.fail(err)
	}
	if err := checkCRC(frame); err != nil {
		return nil, c.fail(err)
	}
	if err := want.check(frame[0], frame[1:len(frame)-2]); err != nil {
		return nil, c.fail(err)
	}
	return frame, nil
}

// receive reads one frame: its length follows from function and byte count.
func (c *rtuConn) receive() ([]byte, error) {
	var buf [256]byte
	have, size := 0, 5 // the shortest frame is an exception
	for have < size {
		n, err := c.nc.Read(buf[have:size])
		have += n
		if have >= 3 && buf[1]&0x80 == 0 {
			size = min(5+int(buf[2]), len(buf))
		}
		if n == 0 && err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil, err //nolint:wrapcheck // the caller tells a quiet line by it
			}
			return nil, fmt.Errorf("%w by the device: %w", errClosed, err)
		}
	}
	frame := make([]byte, size)
	copy(frame, buf[:size])
	return frame, nil
}

// drain throws away what lies in the connection, without waiting.
func (c *rtuConn) drain() error {
	sc, ok := c.nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return fmt.Errorf("look at the connection: %w", err)
	}
	var buf [256]byte
	var readErr error
	err = raw.Read(func(fd uintptr) bool {
		for range 64 {
			n, err := syscall.Read(int(fd), buf[:])
			switch {
			case errors.Is(err, syscall.EINTR):
				continue
			case errors.Is(err, syscall.EAGAIN):
				return true
			case err != nil:
				readErr = err
				return true
			case n == 0:
				readErr = errors.New("end of stream")
				return true
			}
		}
		readErr = errors.New("it never stops sending")
		return true
	})
	return errors.Join(err, readErr)
}

// checkCRC verifies the checksum of an RTU frame (Modbus over Serial Line
// 1.02, 6.2.2): polynomial 0xA001, low byte first.
func checkCRC(frame []byte) error {
	crc := uint16(0xFFFF)
	for _, b := range frame[:len(frame)-2] {
		crc ^= uint16(b)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xA001
			} else {
				crc >>= 1
			}
		}
	}
	if got := uint16(frame[len(frame)-2]) | uint16(frame[len(frame)-1])<<8; got != crc {
		return fmt.Errorf("%w: checksum %#04x instead of %#04x", errGarbled, got, crc)
	}
	return nil
}

func (c *rtuConn) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == nil
}

func (c *rtuConn) fail(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		_ = c.nc.Close()
	}
	return err
}
