package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Sizes of RTU frames (Modbus over Serial Line 1.02, 2.5.1).
const (
	maxRTU       = 256
	requestRTU   = 8   // unit, function, address, count and checksum
	exceptionRTU = 5   // unit, function, code and checksum
	maxRTUBytes  = 250 // of data in an answer
)

// rtuOverTCP is the timing of RTU frames in a TCP connection. The serial
// server keeps the silence between frames on the wire; ours is for what the
// network delivers late.
func rtuOverTCP() timing { return timing{after: 50 * time.Millisecond} }

// newRTUConn carries RTU frames in a TCP connection, as serial servers do.
// The ledger outlives the connection: a serial server may pass on to the next
// one what a device says late.
func newRTUConn(nc net.Conn, ledger *ledger) *rtuLink { return newRTULink(nc, rtuOverTCP(), ledger) }

// expectRTU takes a reading request apart.
func expectRTU(request []byte) (expected, error) {
	if len(request) != requestRTU {
		return expected{}, errRefused
	}
	return expect(request[0], request[1:len(request)-2])
}

// rtuLength returns the size of the frame that begins buf, 0 while that
// cannot be told, or an error where no answer to a reading request begins so.
func rtuLength(buf []byte) (int, error) {
	if len(buf) < 2 {
		return 0, nil
	}
	switch function := buf[1]; {
	case reads(function&^0x80) && function&0x80 != 0:
		return exceptionRTU, nil
	case !reads(function):
		return 0, fmt.Errorf("%w: an answer with function %d", errGarbled, function)
	}
	if len(buf) < 3 {
		return 0, nil
	}
	if buf[2] > maxRTUBytes {
		return 0, fmt.Errorf("%w: %d bytes announced, where at most %d are possible", errGarbled, buf[2], maxRTUBytes)
	}
	return 5 + int(buf[2]), nil
}

// crc16 is the checksum of an RTU frame (Modbus over Serial Line 1.02, 6.2.2):
// polynomial 0xA001.
func crc16(frame []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, b := range frame {
		crc ^= uint16(b)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xA001
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

// checkCRC verifies the checksum that ends a frame, low byte first.
func checkCRC(frame []byte) error {
	crc := crc16(frame[:len(frame)-2])
	if got := binary.LittleEndian.Uint16(frame[len(frame)-2:]); got != crc {
		return fmt.Errorf("%w: checksum %#04x instead of %#04x", errGarbled, got, crc)
	}
	return nil
}

// drain throws away what lies in a stream, without waiting, and returns how
// many bytes that were. Streams without a descriptor have nothing to drain.
func drain(s stream) (int, error) {
	sc, ok := s.(syscall.Conn)
	if !ok {
		return 0, nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("look at the line: %w", err)
	}
	var buf [maxRTU]byte
	var readErr error
	total := 0
	err = raw.Control(func(fd uintptr) {
		for range 64 {
			n, err := syscall.Read(int(fd), buf[:])
			switch {
			case errors.Is(err, syscall.EINTR):
				continue
			case errors.Is(err, syscall.EAGAIN):
				return
			case err != nil:
				readErr = err
				return
			case n == 0:
				readErr = errors.New("end of stream")
				return
			}
			total += n
			if n < len(buf) {
				return
			}
		}
		readErr = errors.New("it never stops sending")
	})
	return total, errors.Join(err, readErr)
}
