package main

import (
	"encoding/binary"
	"time"

	"github.com/gridwarden/gridwarden/internal/poll/bench/fleet"
)

// Exceptions.
const (
	illegalFunction = 0x01
	illegalAddress  = 0x02
	illegalValue    = 0x03
	deviceFailure   = 0x04
	targetSilent    = 0x0B // the gateway had no answer from the unit
)

const (
	headerBytes  = 7 // transaction, protocol, length, unit
	maxBody      = 253
	maxRegisters = 125
)

// frame cuts one request off the front of in. n is 0 where it is not complete
// yet, and negative where it is no Modbus TCP.
func frame(in []byte) (request []byte, n int) {
	if len(in) < headerBytes {
		return nil, 0
	}
	body := int(binary.BigEndian.Uint16(in[4:])) - 1
	if body < 1 || body > maxBody {
		return nil, -1
	}
	if len(in) < headerBytes+body {
		return nil, 0
	}
	return in[:headerBytes+body], headerBytes + body
}

// site is a listener with what is behind it.
type site struct {
	first   int  // device at the port, or number to which units of a gateway are added
	gateway bool // units 1 to units; otherwise one device, whatever the unit
	units   int
	line    *line // of a gateway with -bus; nil otherwise
}

// device returns the device that a unit is, if there is one.
func (s *site) device(unit byte) (int, bool) {
	if !s.gateway {
		return s.first, true
	}
	return s.first + int(unit), unit >= 1 && int(unit) <= s.units
}

// reply is what becomes of one request.
type reply struct {
	bytes []byte        // nil: no answer at all
	wait  time.Duration // before it is sent; on a line, for which the line is held

	device    int       // which answers for itself; -1 where none does
	since     time.Time // when that device began to; zero: always
	exception bool
	silent    bool
	registers int
}

// answer works out the reply to a request that arrived now. It appends to b.
func (o *options) answer(b []byte, s *site, request []byte, now time.Time) reply {
	r := reply{device: -1}
	pdu := request[headerBytes:]
	device, known := s.device(request[6])
	var first, count int
	code := byte(0)
	fate, since := fleet.Live, time.Time{}
	if known {
		fate, since = o.faults.At(device, now)
	}
	switch {
	case !known:
		code = targetSilent
	case fate == fleet.Silent:
		r.silent = true
		if s.line == nil {
			return r
		}
		code, r.wait = targetSilent, o.slaveTimeout
	case fate == fleet.Excepting:
		r.device, code, r.wait = device, deviceFailure, o.latency
	default:
		r.device, r.since, r.wait = device, since, o.latency
		first, count, code = o.wanted(pdu)
	}
	start := len(b)
	b = append(b, request[0], request[1], 0, 0, 0, 0, request[6])
	if code != 0 {
		r.exception = true
		b = append(b, pdu[0]|0x80, code)
	} else {
		r.registers = count
		b = append(b, pdu[0], byte(2*count))
		b = fleet.AppendRegisters(b, device, first, count, now.Unix())
	}
	binary.BigEndian.PutUint16(b[start+4:], uint16(len(b)-start-6))
	r.bytes = b
	return r
}

// wanted says which registers a request asks for, or the exception that it
// earns.
func (o *options) wanted(pdu []byte) (first, count int, code byte) {
	if pdu[0] != 3 && pdu[0] != 4 {
		return 0, 0, illegalFunction
	}
	if len(pdu) < 5 {
		return 0, 0, illegalValue
	}
	first, count = int(binary.BigEndian.Uint16(pdu[1:])), int(binary.BigEndian.Uint16(pdu[3:]))
	switch {
	case count < 1 || count > maxRegisters:
		return 0, 0, illegalValue
	case first+count > o.registers:
		return 0, 0, illegalAddress
	}
	return first, count, 0
}
