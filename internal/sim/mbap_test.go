package sim

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 6, 17, 3, 0, 0, 0, 2})
	f.Add([]byte{0, 1, 0, 0, 0, 6, 17, 4, 0xff, 0xff, 0, 125, 0, 2, 0, 0, 0, 2, 1, 7})
	f.Add([]byte{0, 1, 0, 1, 0, 6, 17, 3})
	f.Add([]byte{0, 1, 0, 0, 0xff, 0xff, 17, 3})
	f.Add([]byte{0, 1, 0, 0, 0, 1, 17})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReader(bytes.NewReader(data))
		for used := 0; ; {
			q, err := readRequest(r)
			if err != nil {
				if errors.Is(err, io.EOF) && used != len(data) {
					t.Fatalf("end of stream after %d of %d bytes", used, len(data))
				}
				return
			}
			again := response(q.transaction, q.unit, q.pdu)
			if !bytes.Equal(again, data[used:used+len(again)]) {
				t.Fatalf("% x was read as % x", data[used:], again)
			}
			used += len(again)
			function, address, count, exception := readRange(q.pdu)
			if function != q.pdu[0] {
				t.Fatalf("function %d of % x", function, q.pdu)
			}
			if exception == 0 && (count < 1 || count > 125 || int(address)+int(count) > 0x10000 || address != binary.BigEndian.Uint16(q.pdu[1:])) {
				t.Fatalf("% x reads %d registers from %d", q.pdu, count, address)
			}
		}
	})
}
