package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/goburrow/modbus"
)

// Sizes of the MBAP frame (Modbus Messaging on TCP/IP Implementation Guide
// 1.0b, 3.1.3): seven bytes of header, of which the length counts the unit.
const (
	headerSize = 7
	maxFrame   = 260
	minLength  = 3   // unit, function and one byte: the shortest exception
	maxLength  = 254 // unit and a PDU of 253 bytes
)

// errRefused is returned for a request that would do anything but read.
var errRefused = errors.New("only function codes 1 to 4 can be sent: field devices are read, never written")

// reads reports whether a function code reads and does nothing else.
func reads(function byte) bool { return function >= 1 && function <= 4 }

// readOnly is a packager that can build no request but a reading one.
type readOnly struct{ modbus.Packager }

func (p readOnly) Encode(pdu *modbus.ProtocolDataUnit) ([]byte, error) {
	if !reads(pdu.FunctionCode) {
		return nil, fmt.Errorf("function code %d refused: %w", pdu.FunctionCode, errRefused)
	}
	frame, err := p.Packager.Encode(pdu)
	if err != nil {
		return nil, fmt.Errorf("build a request: %w", err)
	}
	return frame, nil
}

// tcpPackager returns goburrow's MBAP packager for one unit.
func tcpPackager(unit byte) modbus.Packager {
	h := modbus.NewTCPClientHandler("")
	h.SlaveId = unit
	return readOnly{h}
}

// rtuPackager returns goburrow's RTU packager for one unit.
func rtuPackager(unit byte) modbus.Packager {
	h := modbus.NewRTUClientHandler("")
	h.SlaveId = unit
	return readOnly{h}
}

// frameLength returns the whole size of the MBAP frame whose header begins
// buf, 0 while the header is incomplete, or an error where no frame can begin
// so: after that nothing on the connection can be trusted.
func frameLength(buf []byte) (int, error) {
	if len(buf) >= 4 {
		if p := binary.BigEndian.Uint16(buf[2:]); p != 0 {
			return 0, fmt.Errorf("%w: protocol id %d instead of 0", errGarbled, p)
		}
	}
	if len(buf) < 6 {
		return 0, nil
	}
	n := int(binary.BigEndian.Uint16(buf[4:]))
	if n < minLength || n > maxLength {
		return 0, fmt.Errorf("%w: a length of %d, where %d to %d are possible", errGarbled, n, minLength, maxLength)
	}
	return 6 + n, nil
}

// errGarbled marks an answer that breaks the protocol.
var errGarbled = errors.New("garbled answer")

// expected is what an answer must look like to belong to a request.
type expected struct {
	unit, function byte
	bytes          int // of data
}

// expect takes the PDU of a reading request apart: function, address, count.
func expect(unit byte, pdu []byte) (expected, error) {
	if len(pdu) != 5 || !reads(pdu[0]) {
		return expected{}, errRefused
	}
	count := int(binary.BigEndian.Uint16(pdu[3:]))
	n := 2 * count
	if pdu[0] <= 2 {
		n = (count + 7) / 8
	}
	return expected{unit, pdu[0], n}, nil
}

// expectMBAP takes a reading request apart. Its header must be right to the
// letter: what a device would take for a second frame is refused.
func expectMBAP(request []byte) (expected, error) {
	if len(request) != headerSize+5 || binary.BigEndian.Uint32(request[2:]) != 6 {
		return expected{}, errRefused
	}
	return expect(request[6], request[headerSize:])
}

// check tells whether (unit, pdu) can be the answer.
func (e expected) check(unit byte, pdu []byte) error {
	switch {
	case unit != e.unit:
		return fmt.Errorf("%w: unit %d answered a request to unit %d", errGarbled, unit, e.unit)
	case pdu[0] == e.function|0x80:
		if len(pdu) != 2 {
			return fmt.Errorf("%w: an exception of %d bytes", errGarbled, len(pdu))
		}
	case pdu[0] != e.function:
		return fmt.Errorf("%w: function %d answered a request with function %d", errGarbled, pdu[0], e.function)
	case int(pdu[1]) != e.bytes || len(pdu) != 2+e.bytes:
		return fmt.Errorf("%w: %d bytes asked for, %d announced, %d came", errGarbled, e.bytes, pdu[1], len(pdu)-2)
	}
	return nil
}
