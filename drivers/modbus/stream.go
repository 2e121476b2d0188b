package modbus

import (
	"fmt"
	"net"
	"sync"
)

// streamCarrier carries the bytes of connections that are no plain sockets,
// TLS above all, by a goroutine for each direction.
type streamCarrier struct {
	nc     net.Conn
	out    chan []byte
	over   chan struct{}
	once   sync.Once
	sender sync.WaitGroup
}

// maxUnsent is how many requests may wait for such a connection to take them.
const maxUnsent = 64

func carryStream(nc net.Conn, c *conn) {
	s := &streamCarrier{nc: nc, out: make(chan []byte, maxUnsent), over: make(chan struct{})}
	c.carrier = s
	s.sender.Go(func() { s.sendLoop(c) })
	go s.receiveLoop(c)
}

func (s *streamCarrier) send(frame []byte) error {
	select {
	case s.out <- append([]byte(nil), frame...):
		return nil
	default:
		return errStuffed
	}
}

func (s *streamCarrier) shut() {
	s.once.Do(func() {
		close(s.over)
		_ = s.nc.Close()
	})
}

func (s *streamCarrier) sendLoop(c *conn) {
	for {
		select {
		case <-s.over:
			return
		case frame := <-s.out:
			if _, err := s.nc.Write(frame); err != nil {
				c.fail(fmt.Errorf("%w while sending: %w", errClosed, err))
			}
		}
	}
}

func (s *streamCarrier) receiveLoop(c *conn) {
	for {
		n, err := s.nc.Read(c.room())
		if stop := c.take(n, err); stop != nil {
			s.shut()
			s.sender.Wait()
			c.end(stop)
			return
		}
	}
}
