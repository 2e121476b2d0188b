package modbus

import (
	"context"
	"errors"
	"time"
)

// call is one request on its way through a gateway. Its owner sets the first
// fields and hands it to gateway.submit; finish is called once with the
// answer or the error, on any goroutine.
type call struct {
	unit    byte
	request []byte // a whole frame; its transaction id is replaced
	timeout time.Duration
	finish  func(frame []byte, err error)

	want  expected
	tries int

	// Guarded by the gateway's mutex.
	state   callState
	lane    *lane
	fresh   bool               // its connection was made for it
	overdue bool               // it has given up its turn, though it may still be answered
	passed  bool               // others were answered since
	leave   context.CancelFunc // ends its exchange on a line

	sent     time.Time
	deadline time.Time
	id       uint16 // transaction id; guarded by the connection's mutex
}

type callState uint8

const (
	callIdle    callState = iota
	callWaiting           // for its turn
	callFlying            // sent, or being sent
)

var (
	errSilent = errors.New("no answer in time")
	errClosed = errors.New("connection closed")
)
