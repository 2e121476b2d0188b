package modbus

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// lie changes an honest answer, or does something else with the connection.
type lie struct {
	name string
	tell func(c *fakeConn, request, answer []byte)
	good bool // the value must come all the same
}

func write(c *fakeConn, b []byte) { _, _ = c.Write(b) }

func lies() []lie {
	return []lie{
		{name: "wrong transaction id", tell: func(c *fakeConn, _, a []byte) { a[1]++; write(c, a) }},
		{name: "transaction id zero", tell: func(c *fakeConn, _, a []byte) { a[0], a[1] = 0, 0; write(c, a) }},
		{name: "wrong protocol id", tell: func(c *fakeConn, _, a []byte) { a[3] = 1; write(c, a) }},
		{name: "foreign unit", tell: func(c *fakeConn, _, a []byte) { a[6] = 2; write(c, a) }},
		{name: "another function", tell: func(c *fakeConn, _, a []byte) { a[7] = 4; write(c, a) }},
		{name: "truncated frame, then silence", tell: func(c *fakeConn, _, a []byte) { write(c, a[:len(a)-3]) }},
		{name: "header only, then silence", tell: func(c *fakeConn, _, a []byte) { write(c, a[:7]) }},
		{name: "truncated frame, then end", tell: func(c *fakeConn, _, a []byte) { write(c, a[:len(a)-3]); c.Close() }},
		{name: "oversized length", tell: func(c *fakeConn, _, a []byte) {
			binary.BigEndian.PutUint16(a[4:], 0xFFFF)
			write(c, a)
		}},
		{name: "length zero", tell: func(c *fakeConn, _, a []byte) { binary.BigEndian.PutUint16(a[4:], 0); write(c, a) }},
		{name: "length of a shorter frame", tell: func(c *fakeConn, _, a []byte) {
			binary.BigEndian.PutUint16(a[4:], binary.BigEndian.Uint16(a[4:])-2)
			write(c, a)
		}},
		{name: "fewer registers than asked for", tell: func(c *fakeConn, _, a []byte) {
			a = a[:len(a)-2]
			a[8] -= 2
			binary.BigEndian.PutUint16(a[4:], uint16(len(a)-6))
			write(c, a)
		}},
		{name: "wrong byte count", tell: func(c *fakeConn, _, a []byte) { a[8]--; write(c, a) }},
		{name: "exception without a code", tell: func(c *fakeConn, _, a []byte) {
			write(c, []byte{a[0], a[1], 0, 0, 0, 2, a[6], a[7] | 0x80})
		}},
		{name: "unknown exception", tell: func(c *fakeConn, _, a []byte) {
			write(c, []byte{a[0], a[1], 0, 0, 0, 3, a[6], a[7] | 0x80, 99})
		}},
		{name: "silence", tell: func(*fakeConn, []byte, []byte) {}},
		{name: "end of stream", tell: func(c *fakeConn, _, _ []byte) { c.Close() }},
		{name: "noise", tell: func(c *fakeConn, _, _ []byte) { write(c, []byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }},
		{name: "answer to the request before", tell: func(c *fakeConn, _, a []byte) {
			if before := c.state["before"]; before != nil {
				write(c, before)
			}
			c.state["before"] = a
		}},
		{name: "every answer twice", good: true, tell: func(c *fakeConn, _, a []byte) { write(c, a); write(c, a) }},
		{name: "somebody else's answer first", good: true, tell: func(c *fakeConn, _, a []byte) {
			other := append([]byte{}, a...)
			other[0] ^= 0x80
			for i := 9; i < len(other); i++ {
				other[i] = 0xEE
			}
			write(c, other)
			write(c, a)
		}},
		{name: "byte by byte", good: true, tell: func(c *fakeConn, _, a []byte) {
			for i := range a {
				write(c, a[i:i+1])
				time.Sleep(time.Millisecond)
			}
		}},
	}
}

const twoPoints = `
    - {quantity: voltage_a, table: holding, address: 10, encoding: uint16}
    - {quantity: voltage_b, table: holding, address: 12, encoding: uint16}`

// TestLies lets one unit lie and watches the liar, a neighbour behind the
// same gateway and a device elsewhere.
func TestLies(t *testing.T) {
	for _, pipeline := range []string{"1", "4"} {
		for _, l := range lies() {
			t.Run(fmt.Sprintf("%s/pipeline %s", l.name, pipeline), func(t *testing.T) {
				t.Parallel()
				g := newFakeGateway(t)
				g.setAnswer(func(c *fakeConn, request []byte) {
					if request[6] == 1 {
						l.tell(c, request, truth(request))
						return
					}
					honest(c, request)
				})
				d := New(Options{Timeout: 500 * time.Millisecond, MinBackoff: 10 * time.Millisecond, MaxBackoff: 20 * time.Millisecond})
				defer d.Close()
				p := testProfile(t, twoPoints)
				liar, neighbour := testDevice(t, "liar", "modbus://"+g.addr+"/1", p), testDevice(t, "neighbour", "modbus://"+g.addr+"/2", p)
				liar.Options = map[string]string{optPipeline: pipeline}
				neighbour.Options = liar.Options
				elsewhere := testDevice(t, "elsewhere", "modbus://"+newFakeGateway(t).addr+"/3", p)
				ls, ns, es := session1(t, d, liar), session1(t, d, neighbour), session1(t, d, elsewhere)
				for round := range 4 {
					readings, err := ls.Read(t.Context(), 0)
					for i, want := range []float64{1010, 1012} {
						r := readings[i]
						if l.good && (err != nil || r.Quality != meter.Good || r.Value != want) {
							t.Fatalf("round %d: %+v, %v", round, r, err)
						}
						if !l.good && (err == nil || r.Quality != meter.Bad || r.Value == r.Value || r.Detail == "") {
							t.Fatalf("round %d: the lie was believed: %+v, %v", round, r, err)
						}
					}
					for unit, s := range map[float64]drivers.Session{2: ns, 3: es} {
						readings, err := s.Read(t.Context(), 0)
						if err != nil || readings[0].Value != 1000*unit+10 || readings[1].Value != 1000*unit+12 {
							t.Fatalf("round %d: honest unit %v reads %+v, %v", round, unit, readings, err)
						}
					}
				}
			})
		}
	}
}
