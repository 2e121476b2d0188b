package main

import (
	"context"
	"os"
	"runtime"
	"time"
)

// thrift keeps a program that has little to do on one processor. Go wakes a
// second one whenever there might be work for it, and for a collector that
// reads devices some hundred times a second the waking costs as much as the
// reading. As soon as one processor has enough to do, all of them serve. The
// environment variable GOMAXPROCS has the last word.
func thrift(ctx context.Context) {
	all := runtime.GOMAXPROCS(0)
	if os.Getenv("GOMAXPROCS") != "" || all == 1 || processTime() == 0 {
		return
	}
	tick := time.NewTicker(thriftInterval)
	defer tick.Stop()
	saving := newSaving(all)
	before, at := processTime(), time.Now()
	for {
		select {
		case <-ctx.Done():
			runtime.GOMAXPROCS(all)
			return
		case now := <-tick.C:
			used := processTime()
			if n := saving.next((used - before).Seconds() / now.Sub(at).Seconds()); n != runtime.GOMAXPROCS(0) {
				runtime.GOMAXPROCS(n)
			}
			before, at = used, now
		}
	}
}

const (
	// thriftInterval is how often the load is looked at: a burst has one
	// processor for so long.
	thriftInterval = time.Second
	busyLoad       = 0.5  // of one processor: all of them serve
	idleLoad       = 0.25 // below it for calm looks in a row, one does
	calm           = 3
)

// saving decides how many processors serve.
type saving struct {
	all, now, quiet int
}

func newSaving(all int) *saving { return &saving{all: all, now: all} }

// next takes the load in processors since the last call.
func (s *saving) next(load float64) int {
	switch {
	case load >= busyLoad:
		s.now, s.quiet = s.all, 0
	case load >= idleLoad:
		s.quiet = 0
	default:
		if s.quiet++; s.quiet >= calm {
			s.now = 1
		}
	}
	return s.now
}
