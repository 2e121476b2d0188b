package stream

import (
	"net"
	"sync"
	"testing"
	"time"
)

// link is a TCP proxy in a leaf's way to its hub: it can be cut, so that
// connections break and none is taken, and stalled, so that they stay open and
// nothing passes.
type link struct {
	t      *testing.T
	to     string
	listen net.Listener
	wg     sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	flow  chan struct{} // closed while bytes pass
	conns map[net.Conn]bool
	bytes int64
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &link{t: t, to: to, listen: l, flow: make(chan struct{}), conns: make(map[net.Conn]bool)}
	close(p.flow)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		p.Stall(false)
		p.Cut(true)
		_ = l.Close()
		p.wg.Wait()
	})
	return p
}

func (p *link) Addr() string { return p.listen.Addr().String() }

// Cut breaks all connections and refuses new ones, or ends that.
func (p *link) Cut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for c := range p.conns {
			_ = c.Close()
		}
	}
}

// Stall keeps connections open and lets nothing pass, or ends that.
func (p *link) Stall(stall bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.flow:
		if stall {
			p.flow = make(chan struct{})
		}
	default:
		if !stall {
			close(p.flow)
		}
	}
}

func (p *link) accept() {
	for {
		c, err := p.listen.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		if p.cut {
			p.mu.Unlock()
			_ = c.Close()
			continue
		}
		up, err := net.DialTimeout("tcp", p.to, time.Second)
		if err != nil {
			p.mu.Unlock()
			_ = c.Close()
			continue
		}
		p.conns[c], p.conns[up] = true, true
		p.mu.Unlock()
		p.wg.Go(func() { p.pass(c, up) })
		p.wg.Go(func() { p.pass(up, c) })
	}
}

func (p *link) pass(to, from net.Conn) {
	defer func() {
		_, _ = to.Close(), from.Close()
		p.mu.Lock()
		delete(p.conns, to)
		delete(p.conns, from)
		p.mu.Unlock()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			p.mu.Lock()
			flow := p.flow
			p.bytes += int64(n)
			p.mu.Unlock()
			<-flow
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// freePort is a loopback address that nobody listens at just now.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
