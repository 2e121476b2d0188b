package modbus

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"net"
	"time"
)

// crime is one way to answer a request.
type crime struct {
	name    string
	framing []framing // nil: both
	commit  func(v *villain, c *victim, unit byte, q, pdu []byte)
}

// rubbish is an answer of the right shape with a wrong content.
func (v *villain) rubbish(pdu []byte) []byte {
	out := bytes.Repeat([]byte{0xEE}, len(pdu))
	copy(out, pdu[:2])
	return out
}

// crimes lists what a villain does to requests. pdu is the honest answer's.
//
// On RTU, where no transaction id tells answers apart, a unit answers in the
// order in which it is asked and does not invent answers of its own: what
// else it does could not be told from the truth by anybody.
func crimes() []crime {
	onMBAP, onRTU := []framing{mbap}, []framing{rtu}
	say := func(change func(v *villain, q, pdu []byte) (byte, []byte)) func(*villain, *victim, byte, []byte, []byte) {
		return func(v *villain, c *victim, _ byte, q, pdu []byte) {
			unit, changed := change(v, q, pdu)
			c.write(v.frame(q, unit, changed))
		}
	}
	raw := func(change func(v *villain, frame []byte) []byte) func(*villain, *victim, byte, []byte, []byte) {
		return func(v *villain, c *victim, unit byte, q, pdu []byte) { c.write(change(v, v.frame(q, unit, pdu))) }
	}
	return []crime{
		{name: "byte by byte", commit: func(v *villain, c *victim, unit byte, q, pdu []byte) {
			c.mu.Lock()
			defer c.mu.Unlock()
			pause := time.Duration(v.roll(6)) * time.Millisecond
			for _, b := range v.frame(q, unit, pdu) {
				_, _ = c.Write([]byte{b})
				time.Sleep(pause)
			}
		}},
		{name: "another transaction", framing: onMBAP, commit: raw(func(_ *villain, f []byte) []byte { f[0] ^= 0x80; return f })},
		{name: "transaction zero", framing: onMBAP, commit: raw(func(_ *villain, f []byte) []byte { f[0], f[1] = 0, 0; return f })},
		{name: "another protocol", framing: onMBAP, commit: raw(func(_ *villain, f []byte) []byte { f[3] = 1; return f })},
		{name: "another unit", commit: say(func(v *villain, q, pdu []byte) (byte, []byte) { u, _ := v.pdu(q); return u ^ 0x40, pdu })},
		{name: "another function", commit: say(func(v *villain, q, pdu []byte) (byte, []byte) {
			u, _ := v.pdu(q)
			other := append([]byte{}, pdu...)
			other[0] = pdu[0]%4 + 1
			return u, other
		})},
		{name: "a writing function", commit: say(func(v *villain, q, pdu []byte) (byte, []byte) {
			u, _ := v.pdu(q)
			return u, append([]byte{[]byte{5, 6, 15, 16}[v.roll(4)]}, pdu[1:]...)
		})},
		{name: "wrong byte count", commit: say(func(v *villain, q, pdu []byte) (byte, []byte) {
			u, _ := v.pdu(q)
			other := append([]byte{}, pdu...)
			other[1] = byte(v.roll(256)) | 1
			return u, other
		})},
		{name: "fewer registers", commit: say(func(v *villain, q, pdu []byte) (byte, []byte) {
			u, _ := v.pdu(q)
			other := append([]byte{}, pdu[:len(pdu)-1]...)
			other[1]--
			return u, other
		})},
		{name: "an exception", commit: say(func(v *villain, q, pdu []byte) (byte, []byte) {
			u, _ := v.pdu(q)
			codes := []byte{0, 1, 2, 3, 4, 5, 6, 8, 10, 11, 99, 255}
			return u, []byte{pdu[0] | 0x80, codes[v.roll(len(codes))]}
		})},
		{name: "an exception without a code", framing: onMBAP, commit: say(func(v *villain, q, pdu []byte) (byte, []byte) { u, _ := v.pdu(q); return u, []byte{pdu[0] | 0x80} })},
		{name: "too late", commit: func(v *villain, c *victim, unit byte, q, pdu []byte) {
			f, delay := v.frame(q, unit, pdu), time.Duration(60+v.roll(200))*time.Millisecond
			c.later(unit, func() { time.Sleep(delay); c.write(f) })
		}},
		{name: "late, and out of order", framing: onMBAP, commit: func(v *villain, c *victim, unit byte, q, pdu []byte) {
			f, delay := v.frame(q, unit, pdu), time.Duration(v.roll(200))*time.Millisecond
			c.work.Go(func() { time.Sleep(delay); c.write(f) })
		}},
		{name: "after the next", framing: onMBAP, commit: func(v *villain, c *victim, unit byte, q, pdu []byte) {
			if c.held != nil {
				c.write(v.frame(q, unit, pdu))
				c.write(c.held)
				c.held = nil
				return
			}
			c.held = v.frame(q, unit, pdu)
		}},
		{name: "twice", commit: raw(func(_ *villain, f []byte) []byte { return append(f, f...) })},
		{name: "answers to requests never made", framing: onMBAP, commit: func(v *villain, c *victim, unit byte, q, pdu []byte) {
			f := v.frame(q, unit, v.rubbish(pdu))
			for range 1 + v.roll(5) {
				binary.BigEndian.PutUint16(f, binary.BigEndian.Uint16(q)^uint16(0x8000|v.roll(0x8000)))
				c.write(f)
			}
			c.write(v.frame(q, unit, pdu))
		}},
		{name: "torn, then silence", commit: func(v *villain, c *victim, unit byte, q, pdu []byte) {
			f := v.frame(q, unit, pdu)
			c.write(f[:1+v.roll(len(f)-1)])
			c.mute.Store(v.framing == mbap)
		}},
		// The last bytes are missing, fewer than another answer has: as many
		// as that has would be its place, and nobody could tell.
		{name: "torn, and on", commit: raw(func(v *villain, f []byte) []byte { return f[:len(f)-1-v.roll(min(7, len(f)-1))] })},
		{name: "torn, then the end", commit: func(v *villain, c *victim, unit byte, q, pdu []byte) {
			f := v.frame(q, unit, pdu)
			c.write(f[:1+v.roll(len(f)-1)])
			c.hangUp()
		}},
		{name: "torn, then a reset", commit: func(v *villain, c *victim, unit byte, q, pdu []byte) {
			f := v.frame(q, unit, pdu)
			c.write(f[:1+v.roll(len(f)-1)])
			c.reset()
		}},
		{name: "a reset", commit: func(_ *villain, c *victim, _ byte, _, _ []byte) { c.reset() }},
		{name: "the end", commit: func(_ *villain, c *victim, _ byte, _, _ []byte) { c.hangUp() }},
		{name: "silence", commit: func(*villain, *victim, byte, []byte, []byte) {}},
		{name: "oversize length", framing: onMBAP, commit: raw(func(v *villain, f []byte) []byte {
			binary.BigEndian.PutUint16(f[4:], uint16(255+v.roll(65000)))
			return f
		})},
		{name: "length zero", framing: onMBAP, commit: raw(func(v *villain, f []byte) []byte {
			binary.BigEndian.PutUint16(f[4:], uint16(v.roll(3)))
			return f
		})},
		{name: "wrong checksum", framing: onRTU, commit: raw(func(v *villain, f []byte) []byte { f[v.roll(len(f))] ^= 1 << v.roll(8); return f })},
		{name: "noise before", commit: func(v *villain, c *victim, unit byte, q, pdu []byte) {
			c.write(append([]byte{byte(v.roll(256)), 0xFF}, v.frame(q, unit, pdu)...))
		}},
		{name: "noise after", commit: raw(func(v *villain, f []byte) []byte { return append(f, 0xFF, byte(v.roll(256))) })},
		{name: "a web page", commit: func(_ *villain, c *victim, _ byte, _, _ []byte) { c.write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }},
		{name: "a flood", commit: func(v *villain, c *victim, _ byte, _, _ []byte) {
			c.write(bytes.Repeat([]byte{byte(v.roll(256))}, 4096))
		}},
	}
}

// answer answers a request, honestly more often than not.
func (v *villain) answer(c *victim, q []byte) {
	if c.mute.Load() {
		return
	}
	unit, asked := v.pdu(q)
	pdu := v.truth(unit, asked)
	honest := func() { c.write(v.frame(q, unit, pdu)) }
	if v.friendly.Load() || v.roll(8) > 0 {
		c.later(unit, honest)
		return
	}
	all := crimes()
	for {
		deed := all[v.roll(len(all))]
		if deed.framing != nil && deed.framing[0] != v.framing {
			continue
		}
		v.mu.Lock()
		v.did[deed.name]++
		v.mu.Unlock()
		// On RTU a unit is done with one request before it takes the next.
		if v.framing == rtu && deed.name != "too late" {
			c.later(unit, func() { deed.commit(v, c, unit, q, pdu) })
		} else {
			deed.commit(v, c, unit, q, pdu)
		}
		return
	}
}

// hangUp ends a connection; a serial line has no such end.
func (c *victim) hangUp() {
	if _, ok := c.ReadWriteCloser.(net.Conn); ok {
		_ = c.Close()
	}
}

// reset ends a connection without a good-bye.
func (c *victim) reset() {
	nc := c.ReadWriteCloser
	if secure, ok := nc.(*tls.Conn); ok {
		nc = secure.NetConn()
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	}
}
