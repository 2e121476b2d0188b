package modbus

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// rtuLine is a serial server with units that a test lets lie.
func rtuLine(t *testing.T, answer func(c net.Conn, request []byte, truth []byte)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			work.Go(func() {
				defer c.Close()
				for {
					q := make([]byte, 8)
					if _, err := io.ReadFull(c, q); err != nil {
						return
					}
					from, n := int(binary.BigEndian.Uint16(q[2:])), int(binary.BigEndian.Uint16(q[4:]))
					a := []byte{q[0], q[1], byte(2 * n)}
					for i := range n {
						a = binary.BigEndian.AppendUint16(a, uint16(1000*int(q[0])+from+i))
					}
					answer(c, q, withCRC(a))
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		work.Wait()
	})
	return l.Addr().String()
}

// withCRC appends the checksum by table-free long division, written apart
// from the driver's.
func withCRC(frame []byte) []byte {
	crc := 0xFFFF
	for _, b := range frame {
		crc ^= int(b)
		for i := 0; i < 8; i++ {
			odd := crc % 2
			crc /= 2
			if odd == 1 {
				crc ^= 0xA001
			}
		}
	}
	return append(frame, byte(crc%256), byte(crc/256))
}

func TestRTULies(t *testing.T) {
	for name, l := range map[string]struct {
		tell func(c net.Conn, request, truth []byte)
		good bool
	}{
		"wrong checksum":   {tell: func(c net.Conn, _, a []byte) { a[len(a)-1]++; _, _ = c.Write(a) }},
		"a bit flipped":    {tell: func(c net.Conn, _, a []byte) { a[4] ^= 1; _, _ = c.Write(a) }},
		"foreign unit":     {tell: func(c net.Conn, _, a []byte) { a[0] = 2; _, _ = c.Write(withCRC(a[:len(a)-2])) }},
		"another function": {tell: func(c net.Conn, _, a []byte) { a[1] = 4; _, _ = c.Write(withCRC(a[:len(a)-2])) }},
		"fewer registers":  {tell: func(c net.Conn, _, a []byte) { a[2] -= 2; _, _ = c.Write(withCRC(a[:len(a)-4])) }},
		"half a frame":     {tell: func(c net.Conn, _, a []byte) { _, _ = c.Write(a[:5]) }},
		"silence":          {tell: func(net.Conn, []byte, []byte) {}},
		"end of stream":    {tell: func(c net.Conn, _, _ []byte) { _ = c.Close() }},
		"noise before": {tell: func(c net.Conn, _, a []byte) {
			_, _ = c.Write(append([]byte{0xFF, 0x00, 0x13}, a...))
		}},
		"exception": {tell: func(c net.Conn, q, _ []byte) { _, _ = c.Write(withCRC([]byte{q[0], q[1] | 0x80, 2})) }},
		"byte by byte": {good: true, tell: func(c net.Conn, _, a []byte) {
			for i := range a {
				_, _ = c.Write(a[i : i+1])
				time.Sleep(time.Millisecond)
			}
		}},
		"every answer twice": {good: true, tell: func(c net.Conn, _, a []byte) {
			_, _ = c.Write(append(append([]byte{}, a...), a...))
			time.Sleep(5 * time.Millisecond)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := rtuLine(t, func(c net.Conn, request, truth []byte) {
				if request[0] == 1 {
					l.tell(c, request, truth)
					return
				}
				_, _ = c.Write(truth)
			})
			d := New(Options{Timeout: 500 * time.Millisecond, MinBackoff: 10 * time.Millisecond, MaxBackoff: 20 * time.Millisecond})
			defer d.Close()
			p := testProfile(t, twoPoints)
			liar := session1(t, d, testDevice(t, "liar", "modbus+rtu+tcp://"+addr+"/1", p))
			neighbour := session1(t, d, testDevice(t, "neighbour", "modbus+rtu+tcp://"+addr+"/2", p))
			for round := range 4 {
				readings, err := liar.Read(t.Context(), 0)
				for i, want := range []float64{1010, 1012} {
					r := readings[i]
					if l.good && (err != nil || r.Quality != meter.Good || r.Value != want) {
						t.Fatalf("round %d: %+v, %v", round, r, err)
					}
					if !l.good && (err == nil || r.Quality != meter.Bad || r.Value == r.Value) {
						t.Fatalf("round %d: the lie was believed: %+v, %v", round, r, err)
					}
				}
				readings, err = neighbour.Read(t.Context(), 0)
				if err != nil || readings[0].Value != 2010 || readings[1].Value != 2012 {
					t.Fatalf("round %d: the neighbour reads %+v, %v", round, readings, err)
				}
			}
		})
	}
}

// TestRTULateAnswer lets a unit answer late, and go on in the order in which it
// was asked: the late answer is nobody's, and the connection stays.
func TestRTULateAnswer(t *testing.T) {
	var late atomic.Bool
	addr := rtuLine(t, func(c net.Conn, _, a []byte) {
		if late.Swap(false) {
			a[4] = 0xEE
			a = withCRC(a[:len(a)-2])
			time.Sleep(120 * time.Millisecond)
		}
		_, _ = c.Write(a)
	})
	d := New(Options{Timeout: 80 * time.Millisecond, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond})
	defer d.Close()
	var s drivers.Session = session1(t, d, testDevice(t, "m", "modbus+rtu+tcp://"+addr+"/1", testProfile(t, twoPoints)))
	for range 3 {
		late.Store(true)
		if _, err := s.Read(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "no answer in time") {
			t.Fatalf("the late answer came as %v", err)
		}
		for range 20 {
			readings, err := s.Read(t.Context(), 0)
			if err == nil && readings[0].Value != 1010 {
				t.Fatalf("the late answer was believed: %v", readings[0].Value)
			}
			time.Sleep(4 * time.Millisecond)
		}
	}
}
