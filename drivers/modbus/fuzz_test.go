package modbus

import (
	"bytes"
	"encoding/asn1"
	"io"
	"net"
	"testing"
	"time"
	"unicode/utf8"
)

// scripted is a connection that returns given bytes in given pieces.
type scripted struct {
	net.Conn
	data  []byte
	piece int
	from  chan struct{} // nothing is returned before it is closed; nil: at once
}

func (s *scripted) Read(b []byte) (int, error) {
	if s.from != nil {
		<-s.from
	}
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.data[:min(len(s.data), s.piece)])
	s.data = s.data[n:]
	return n, nil
}
func (s *scripted) Write(b []byte) (int, error)      { return len(b), nil }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }
func (s *scripted) SetDeadline(time.Time) error      { return nil }

// FuzzFrame feeds arbitrary bytes to the MBAP decoder: it must not panic, and
// what it takes for the answer must be one to the letter.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 7, 1, 3, 4, 0, 1, 0, 2}, 1)
	f.Add([]byte{0, 1, 0, 0, 0, 3, 1, 0x83, 2}, 3)
	f.Add([]byte{0, 9, 0, 0, 0, 3, 1, 0x83, 2, 0, 1, 0, 0, 0, 7, 1, 3, 4, 0, 1, 0, 2}, 260)
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n"), 7)
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		asked := make(chan struct{})
		delivered := 0
		c := newConn(&scripted{data: data, piece: max(1, piece%300), from: asked}, nil, func(_ *call, frame []byte, err error) {
			if delivered++; err != nil {
				return
			}
			exception := len(frame) == 9 && frame[7] == 0x83
			value := len(frame) == 13 && frame[7] == 3 && frame[8] == 4
			if frame[0] != 0 || frame[1] != 1 || frame[6] != 1 || !(exception || value) {
				t.Errorf("taken for an answer: % x", frame)
			}
		}, func(_ *conn, calls []*call, _ error) { delivered += len(calls) })
		request := []byte{0x12, 0x34, 0, 0, 0, 6, 1, 3, 0, 0, 0, 2}
		want, err := expect(request[6], request[headerSize:])
		if err != nil {
			t.Fatal(err)
		}
		if err := c.start(&call{unit: 1, request: request, want: want}); err != nil {
			t.Fatal(err)
		}
		close(asked)
		<-c.ended
		if delivered != 1 {
			t.Fatalf("the call ended %d times", delivered)
		}
	})
}

// FuzzRTUFrame does the same for RTU frames.
func FuzzRTUFrame(f *testing.F) {
	f.Add([]byte{1, 3, 4, 0, 1, 0, 2, 0x2A, 0x32}, 1)
	f.Add([]byte{1, 0x83, 2, 0xC0, 0xF1}, 5)
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		c := newRTUConn(&scripted{data: data, piece: max(1, piece%300)}, newLedger(false))
		frame, err := c.exchange(t.Context(), time.Now().Add(time.Second), []byte{1, 3, 0, 0, 0, 2, 0xC4, 0x0B})
		if err != nil {
			return
		}
		if frame[0] != 1 || checkCRC(frame) != nil || (len(frame) != 9 && len(frame) != 5) {
			t.Fatalf("taken for an answer: % x", frame)
		}
	})
}

// FuzzRTULength holds what is taken for the size of a frame to the sizes that
// answers to reading requests can have.
func FuzzRTULength(f *testing.F) {
	f.Add([]byte{1, 3, 4})
	f.Add([]byte{1, 0x83})
	f.Add([]byte{1, 3, 251})
	f.Fuzz(func(t *testing.T, buf []byte) {
		n, err := rtuLength(buf)
		if n < 0 || n > maxRTU || n > 0 && (err != nil || n < exceptionRTU) || n == 0 && err == nil && len(buf) >= 3 {
			t.Fatalf("% x: %d, %v", buf, n, err)
		}
	})
}

// FuzzRole feeds arbitrary bytes to the decoder of roles in certificates.
func FuzzRole(f *testing.F) {
	f.Add([]byte{0x0C, 8, 'o', 'p', 'e', 'r', 'a', 't', 'o', 'r'})
	f.Add([]byte{0x13, 1, 'x'})
	f.Add([]byte{0x0C, 0x81, 1, 'x'})
	f.Fuzz(func(t *testing.T, der []byte) {
		role, err := decodeRole(der)
		if err != nil {
			return
		}
		if role == "" || !utf8.ValidString(role) || len(role) > len(der)-2 {
			t.Fatalf("% x is the role %q", der, role)
		}
		again, err := asn1.MarshalWithParams(role, "utf8")
		if err != nil || !bytes.Equal(again, der) {
			t.Fatalf("% x is the role %q, which is % x (%v)", der, role, again, err)
		}
	})
}
