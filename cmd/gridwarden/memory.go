package main

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

// settled is how long after the start of its work the program has settled.
const settled = 5 * time.Second

// trimMemory keeps the heap near what lives on it, and gives back what
// starting up took once the program has settled: a collector beside other
// programs should stay small, and makes little garbage. The environment
// variable GOGC has the last word.
func trimMemory(ctx context.Context) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(35)
	}
	debug.FreeOSMemory()
	select {
	case <-ctx.Done():
	case <-time.After(settled):
		debug.FreeOSMemory()
		dropStartPages()
	}
}
