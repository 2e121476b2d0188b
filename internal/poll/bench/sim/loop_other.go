//go:build !linux

package main

import (
	"errors"
	"sync"
	"time"
)

// loop waits for many sockets at once with a system call that only Linux has.
type loop struct {
	mu       sync.Mutex
	counters counters
}

// socket is a connection.
type socket struct{ wait time.Duration }

var errLinux = errors.New("the simulator of the benchmark runs on Linux only")

func newLoop(*options, int) (*loop, error)              { return nil, errLinux }
func (l *loop) listen([4]byte, int, *site) (int, error) { return 0, errLinux }
func (l *loop) run() error                              { return errLinux }
func (l *loop) stop()                                   {}
func (l *loop) release() error                          { return nil }
