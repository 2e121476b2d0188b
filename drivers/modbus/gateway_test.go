package modbus

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
)

// fakeGateway is a Modbus TCP server whose answers a test makes up. The
// registers of an honest answer hold 1000 times the unit plus the address, so
// that a value in the wrong place shows.
type fakeGateway struct {
	addr string

	mu       sync.Mutex
	answer   func(c *fakeConn, request []byte)
	conns    map[net.Conn]bool
	accepted int
	wire     bytes.Buffer // everything that was received
	work     sync.WaitGroup
	listener net.Listener
}

type fakeConn struct {
	net.Conn
	state map[string][]byte // for tests that answer later
}

func newFakeGateway(t testing.TB) *fakeGateway {
	t.Helper()
	return newFakeGatewayOn(t, listen(t))
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newFakeGatewayOn(t testing.TB, l net.Listener) *fakeGateway {
	t.Helper()
	g := &fakeGateway{addr: l.Addr().String(), answer: honest, conns: make(map[net.Conn]bool), listener: l}
	g.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			g.mu.Lock()
			g.conns[c] = true
			g.accepted++
			g.mu.Unlock()
			g.work.Go(func() { g.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		g.mu.Lock()
		for c := range g.conns {
			_ = c.Close()
		}
		g.mu.Unlock()
		g.work.Wait()
	})
	return g
}

func (g *fakeGateway) serve(c net.Conn) {
	defer c.Close()
	fc := &fakeConn{Conn: c, state: make(map[string][]byte)}
	for {
		header := make([]byte, 6)
		if _, err := io.ReadFull(c, header); err != nil {
			return
		}
		rest := make([]byte, binary.BigEndian.Uint16(header[4:]))
		if _, err := io.ReadFull(c, rest); err != nil {
			return
		}
		request := append(header, rest...)
		g.mu.Lock()
		g.wire.Write(request)
		answer := g.answer
		g.mu.Unlock()
		answer(fc, request)
	}
}

// setAnswer changes how requests are answered from now on.
func (g *fakeGateway) setAnswer(f func(c *fakeConn, request []byte)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer = f
}

// truth is the honest answer to a request for registers.
func truth(request []byte) []byte {
	unit, from, count := int(request[6]), int(binary.BigEndian.Uint16(request[8:])), int(binary.BigEndian.Uint16(request[10:]))
	f := append([]byte{}, request[:8]...)
	if request[7] <= 2 {
		n := (count + 7) / 8
		f = append(append(f, byte(n)), make([]byte, n)...)
		binary.BigEndian.PutUint16(f[4:], uint16(len(f)-6))
		return f
	}
	f = append(f, byte(2*count))
	for i := range count {
		f = binary.BigEndian.AppendUint16(f, uint16(1000*unit+from+i))
	}
	binary.BigEndian.PutUint16(f[4:], uint16(len(f)-6))
	return f
}

func honest(c *fakeConn, request []byte) { _, _ = c.Write(truth(request)) }
