//go:build !linux

package modbus

import (
	"errors"
	"net"
)

// reactor is Linux's way of receiving for many sockets in one goroutine.
// Elsewhere each connection has goroutines of its own.
type reactor struct{}

func newReactor() (*reactor, error) { return nil, errors.ErrUnsupported }

func (r *reactor) carry(net.Conn, *conn) bool { return false }
func (r *reactor) close()                     {}
