package modbus

import (
	"slices"
	"sync"
	"time"
)

// sweepEvery is how often timeouts are looked for. It is one timer for all
// requests of a driver, and the resolution of their timeouts.
const sweepEvery = 50 * time.Millisecond

// sweeper ends the requests whose time is over, at all gateways of a driver.
type sweeper struct {
	stop chan struct{}
	done chan struct{}

	mu       sync.Mutex
	gateways []*gateway
}

func newSweeper() *sweeper {
	s := &sweeper{stop: make(chan struct{}), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *sweeper) add(g *gateway) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gateways = append(s.gateways, g)
}

func (s *sweeper) remove(g *gateway) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.gateways, g); i >= 0 {
		last := len(s.gateways) - 1
		s.gateways[i] = s.gateways[last]
		s.gateways[last] = nil
		s.gateways = s.gateways[:last]
	}
}

func (s *sweeper) close() {
	close(s.stop)
	<-s.done
}

func (s *sweeper) run() {
	defer close(s.done)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var due []*gateway
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		now := time.Now()
		s.mu.Lock()
		for _, g := range s.gateways {
			if at := g.due.Load(); at != 0 && at <= now.UnixNano() {
				due = append(due, g)
			}
		}
		s.mu.Unlock()
		for i, g := range due {
			g.sweep(now)
			due[i] = nil
		}
		due = due[:0]
	}
}
