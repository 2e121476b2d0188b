package path

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// raw is the plain loop over connections that stay open between its rounds.
type raw struct {
	conns  []net.Conn
	counts []count
}

// count is a counter on a cache line of its own.
type count struct {
	atomic.Int64
	_ [56]byte
}

// The request that the driver sends for the profile, and the answer to it.
const (
	requestBytes = 12
	firstReg     = 0
	registers    = 37
	answerBytes  = 9 + 2*registers
)

func dialRaw(ctx context.Context, addresses []string) (*raw, error) {
	r := &raw{counts: make([]count, len(addresses))}
	for _, a := range addresses {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", a)
		if err != nil {
			r.close()
			return nil, fmt.Errorf("raw: %w", err)
		}
		r.conns = append(r.conns, c)
	}
	return r, nil
}

func (r *raw) close() {
	for _, c := range r.conns {
		_ = c.Close() // nothing is under way
	}
}

// round lets all connections run, and measures after a warm-up.
func (r *raw) round(ctx context.Context, w watch) (phase, error) {
	var (
		stop    atomic.Bool
		workers sync.WaitGroup
		mu      sync.Mutex
		failure error
	)
	for i, c := range r.conns {
		workers.Go(func() {
			if err := loop(c, &r.counts[i], &stop); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failure = err
			}
		})
	}
	p, err := w.run(ctx, r.total)
	stop.Store(true)
	workers.Wait()
	if failure != nil {
		return p, failure
	}
	return p, err
}

func (r *raw) total() int64 {
	var n int64
	for i := range r.counts {
		n += r.counts[i].Load()
	}
	return n
}

// loop writes and reads until it is told to stop.
func loop(c net.Conn, n *count, stop *atomic.Bool) error {
	request := make([]byte, requestBytes)
	request[5], request[6], request[7] = 6, 1, 3
	binary.BigEndian.PutUint16(request[8:], firstReg)
	binary.BigEndian.PutUint16(request[10:], registers)
	answer := make([]byte, answerBytes)
	for id := uint16(1); !stop.Load(); id++ {
		binary.BigEndian.PutUint16(request, id)
		if _, err := c.Write(request); err != nil {
			return fmt.Errorf("raw: %w", err)
		}
		if _, err := io.ReadFull(c, answer); err != nil {
			return fmt.Errorf("raw: %w", err)
		}
		if binary.BigEndian.Uint16(answer) != id || answer[7] != 3 {
			return fmt.Errorf("raw: request %d was answered with %x", id, answer)
		}
		n.Add(1)
	}
	return nil
}
