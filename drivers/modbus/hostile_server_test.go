package modbus

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// villain is a Modbus server that does everything wrong that a server can do,
// over any transport. What it serves tells by itself which unit, table,
// address and time it is for, so that a value in the wrong place shows.
// While it is friendly it answers like any other.
type villain struct {
	framing  framing
	born     time.Time
	friendly atomic.Bool

	mu        sync.Mutex
	rng       *rand.Rand
	conns     map[*victim]bool
	requests  int
	breaches  []string // what was received and is no reading request
	functions map[byte]int
	did       map[string]int
	work      sync.WaitGroup
}

// victim is one connection, or a serial line.
type victim struct {
	io.ReadWriteCloser
	units map[byte]chan func() // what a unit still has to say, in its order
	mute  atomic.Bool          // it says nothing more
	mu    sync.Mutex           // held through a write
	held  []byte               // an answer that comes after the next one
	work  sync.WaitGroup
}

func newVillain(f framing, seed uint64) *villain {
	return &villain{framing: f, born: time.Now(), rng: rand.New(rand.NewPCG(seed, 1)), conns: make(map[*victim]bool), functions: make(map[byte]int), did: make(map[string]int)}
}

// listener serves what a listener accepts. While it sulks it closes what it
// has accepted.
func (v *villain) listener(t testing.TB, l net.Listener) {
	v.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if !v.friendly.Load() && v.roll(8) == 0 {
				_ = c.Close()
				continue
			}
			v.work.Go(func() { v.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		v.mu.Lock()
		for c := range v.conns {
			_ = c.Close()
		}
		v.mu.Unlock()
		v.work.Wait()
	})
}

// roll returns a number below n.
func (v *villain) roll(n int) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rng.IntN(n)
}

// serve answers requests until reading fails.
func (v *villain) serve(c io.ReadWriteCloser) {
	vic := &victim{ReadWriteCloser: c, units: make(map[byte]chan func())}
	v.mu.Lock()
	v.conns[vic] = true
	v.mu.Unlock()
	defer func() {
		_ = c.Close()
		for _, q := range vic.units {
			close(q)
		}
		vic.work.Wait()
		v.mu.Lock()
		delete(v.conns, vic)
		v.mu.Unlock()
	}()
	size := requestRTU
	if v.framing == mbap {
		size = headerSize + 5
	}
	for {
		q := make([]byte, size)
		if n, err := io.ReadFull(c, q); err != nil {
			if n > 0 {
				v.breach(q[:n])
			}
			return
		}
		v.inspect(q)
		v.answer(vic, q)
	}
}

// inspect holds every byte that comes in to the one thing that may come: a
// request of function 1 to 4.
func (v *villain) inspect(q []byte) {
	_, pdu := v.pdu(q)
	fine := v.framing == mbap && binary.BigEndian.Uint32(q[2:]) == 6 ||
		v.framing == rtu && string(withCRC(append([]byte{}, q[:6]...))) == string(q)
	count := binary.BigEndian.Uint16(pdu[3:])
	most := uint16(125)
	if pdu[0] <= 2 {
		most = 2000
	}
	if !fine || pdu[0] < 1 || pdu[0] > 4 || count < 1 || count > most {
		v.breach(q)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	v.functions[pdu[0]]++
}

func (v *villain) breach(b []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.breaches = append(v.breaches, string(b))
}

// pdu splits a request into unit and PDU.
func (v *villain) pdu(q []byte) (byte, []byte) {
	if v.framing == mbap {
		return q[6], q[headerSize:]
	}
	return q[0], q[1:6]
}

// frame wraps an answer's PDU for a request.
func (v *villain) frame(q []byte, unit byte, pdu []byte) []byte {
	if v.framing == rtu {
		return withCRC(append([]byte{unit}, pdu...))
	}
	f := append([]byte{}, q[:2]...)
	f = binary.BigEndian.AppendUint32(f, uint32(len(pdu)+1))
	return append(append(f, unit), pdu...)
}

// truth is the honest answer's PDU: each pair of registers, from even
// addresses, holds stamp; each bit is whether unit and address are odd
// together.
func (v *villain) truth(unit byte, pdu []byte) []byte {
	from, count := int(binary.BigEndian.Uint16(pdu[1:])), int(binary.BigEndian.Uint16(pdu[3:]))
	if pdu[0] <= 2 {
		out := append([]byte{pdu[0], byte((count + 7) / 8)}, make([]byte, (count+7)/8)...)
		for i := range count {
			if truthBit(unit, pdu[0], from+i) {
				out[2+i/8] |= 1 << (i % 8)
			}
		}
		return out
	}
	out := []byte{pdu[0], byte(2 * count)}
	now := v.tick(time.Now())
	for i := range count {
		at := from + i
		s := stamp(unit, pdu[0], at&^1, now)
		if at%2 == 0 {
			s >>= 16
		}
		out = binary.BigEndian.AppendUint16(out, uint16(s))
	}
	return out
}

func truthBit(unit, function byte, address int) bool {
	return (int(unit)+int(function)+address)%3 == 0
}

// ticks of 10 ms tell when an answer was made; they begin again after 41 s.
const ticks = 1 << 12

func (v *villain) tick(at time.Time) uint32 {
	return uint32(at.Sub(v.born)/(10*time.Millisecond)) % ticks
}

// stamp is 12 bits of time and a checksum of everything else.
func stamp(unit, function byte, address int, tick uint32) uint32 {
	sum := crc32.ChecksumIEEE([]byte{unit, function, byte(address >> 8), byte(address), byte(tick >> 8), byte(tick)})
	return tick<<20 | sum&0xFFFFF
}

// genuine tells whether a value can have been served for (unit, function,
// address) between two moments.
func (v *villain) genuine(value float64, unit, function byte, address int, from, to time.Time) bool {
	s := uint32(value)
	tick := s >> 20
	age := (tick - v.tick(from) + ticks) % ticks
	return float64(s) == value && s == stamp(unit, function, address, tick) && age <= uint32(to.Sub(from)/(10*time.Millisecond))+1
}

// write sends a frame in one piece.
func (c *victim) write(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mute.Load() {
		_, _ = c.Write(b)
	}
}

// later has a unit say something when it has said what it had to say before.
func (c *victim) later(unit byte, say func()) {
	q := c.units[unit]
	if q == nil {
		q = make(chan func(), 1024)
		c.units[unit] = q
		c.work.Go(func() {
			for say := range q {
				say()
			}
		})
	}
	select {
	case q <- say:
	default:
	}
}
