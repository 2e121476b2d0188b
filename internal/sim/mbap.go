package sim

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Modbus function and exception codes that the gateways know.
const (
	fcReadHolding = 3
	fcReadInput   = 4

	exIllegalFunction = 1
	exIllegalAddress  = 2
	exIllegalValue    = 3
	exServerFailure   = 4
	exTargetSilent    = 11
)

// request is one Modbus TCP request.
type request struct {
	transaction uint16
	unit        byte
	pdu         []byte // function code and data, at least one byte
}

// maxPDU is the largest PDU of the Modbus application protocol.
const maxPDU = 253

// readRequest reads one frame: transaction, protocol 0, length, unit, PDU. An
// error other than io.EOF between frames means that the stream cannot be
// trusted any more.
func readRequest(r io.Reader) (request, error) {
	var head [7]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return request{}, fmt.Errorf("modbus: next request: %w", err)
	}
	protocol, length := binary.BigEndian.Uint16(head[2:]), int(binary.BigEndian.Uint16(head[4:]))
	if protocol != 0 {
		return request{}, fmt.Errorf("modbus: protocol %d in the header; Modbus is 0", protocol)
	}
	if length < 2 || length > maxPDU+1 {
		return request{}, fmt.Errorf("modbus: length %d in the header; 2 to %d is right", length, maxPDU+1)
	}
	q := request{transaction: binary.BigEndian.Uint16(head[:]), unit: head[6], pdu: make([]byte, length-1)}
	if _, err := io.ReadFull(r, q.pdu); err != nil {
		return request{}, fmt.Errorf("modbus: frame cut short: %w", io.ErrUnexpectedEOF)
	}
	return q, nil
}

// readRange takes a read request's PDU apart; exception is 0 where it is right.
func readRange(pdu []byte) (function byte, address, count uint16, exception byte) {
	function = pdu[0]
	if function != fcReadHolding && function != fcReadInput {
		return function, 0, 0, exIllegalFunction
	}
	if len(pdu) != 5 {
		return function, 0, 0, exIllegalValue
	}
	address, count = binary.BigEndian.Uint16(pdu[1:]), binary.BigEndian.Uint16(pdu[3:])
	if count < 1 || count > 125 {
		return function, address, count, exIllegalValue
	}
	if int(address)+int(count) > 0x10000 {
		return function, address, count, exIllegalAddress
	}
	return function, address, count, 0
}

// response frames a PDU.
func response(transaction uint16, unit byte, pdu []byte) []byte {
	b := make([]byte, 7, 7+len(pdu))
	binary.BigEndian.PutUint16(b, transaction)
	binary.BigEndian.PutUint16(b[4:], uint16(len(pdu)+1))
	b[6] = unit
	return append(b, pdu...)
}

func exceptionPDU(function, code byte) []byte { return []byte{function | 0x80, code} }
