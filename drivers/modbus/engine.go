package modbus

import (
	"runtime"
	"sync/atomic"
)

// engine is what serves all gateways of a driver: one goroutine that looks for
// timeouts, and a few that receive.
type engine struct {
	sweeper  *sweeper
	reactors []*reactor // none where the system has none: connections look after themselves
	next     atomic.Uint32
}

// maxReactors bounds the goroutines that receive.
const maxReactors = 4

func newEngine() *engine {
	e := &engine{sweeper: newSweeper()}
	for range min(maxReactors, runtime.GOMAXPROCS(0)) {
		r, err := newReactor()
		if err != nil {
			break
		}
		e.reactors = append(e.reactors, r)
	}
	return e
}

// reactor returns one of the reactors, in turn; nil where there is none.
func (e *engine) reactor() *reactor {
	if len(e.reactors) == 0 {
		return nil
	}
	return e.reactors[int(e.next.Add(1))%len(e.reactors)]
}

// close ends the engine, after the gateways have ended.
func (e *engine) close() {
	e.sweeper.close()
	for _, r := range e.reactors {
		r.close()
	}
}
