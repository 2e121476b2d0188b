package curve

import (
	"encoding/binary"
	"math/bits"
)

// bitWriter appends bits, highest first, to a byte slice.
type bitWriter struct {
	out  []byte
	acc  uint64
	have uint
}

// write appends the low n bits of v, n ≤ 56.
func (w *bitWriter) write(v uint64, n uint) {
	w.acc = w.acc<<n | v&(1<<n-1)
	w.have += n
	for w.have >= 8 {
		w.have -= 8
		w.out = append(w.out, byte(w.acc>>w.have))
	}
}

// finish pads the last byte with zeros and returns the bytes.
func (w *bitWriter) finish() []byte {
	if w.have > 0 {
		w.out = append(w.out, byte(w.acc<<(8-w.have)))
		w.have = 0
	}
	return w.out
}

// bitReader reads what bitWriter wrote; past the end it sets bad.
type bitReader struct {
	in   []byte
	acc  uint64
	have uint
	bad  bool
}

func (r *bitReader) fill(n uint) {
	for r.have < n {
		if len(r.in) == 0 {
			r.bad = true
			r.acc <<= 8
		} else {
			r.acc = r.acc<<8 | uint64(r.in[0])
			r.in = r.in[1:]
		}
		r.have += 8
	}
}

// read returns the next n bits, n ≤ 56.
func (r *bitReader) read(n uint) uint64 {
	r.fill(n)
	r.have -= n
	return r.acc >> r.have & (1<<n - 1)
}

// Rice coding: a number is a unary quotient and k bits of remainder. Where the
// quotient would be long the number follows whole.
const (
	longestUnary = 20
	maxRice      = 40
	wholeBits    = 55 // the zigzag of a difference of integers below maxCount
)

// riceParameter returns the k that suits numbers of this sum and count.
func riceParameter(sum uint64, count int) uint {
	if count == 0 || sum == 0 {
		return 0
	}
	mean := sum / uint64(count)
	if mean == 0 {
		return 0
	}
	return min(maxRice, uint(bits.Len64(mean))-1)
}

func (w *bitWriter) rice(v uint64, k uint) {
	if q := v >> k; q < longestUnary {
		w.write(1, uint(q)+1) // q zeros and a one
		if k > 0 {
			w.write(v, k)
		}
		return
	}
	w.write(0, longestUnary)
	w.write(v, wholeBits)
}

func (r *bitReader) rice(k uint) uint64 {
	var q uint64
	for q < longestUnary && r.read(1) == 0 {
		q++
		if r.bad {
			return 0
		}
	}
	if q == longestUnary {
		return r.read(wholeBits)
	}
	if k == 0 {
		return q
	}
	return q<<k | r.read(k)
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// cursor reads a byte slice with bounds checks; past the end it sets bad.
type cursor struct {
	in  []byte
	bad bool
}

func (c *cursor) byte() byte {
	if len(c.in) == 0 {
		c.bad = true
		return 0
	}
	b := c.in[0]
	c.in = c.in[1:]
	return b
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.in)
	if n <= 0 {
		c.bad = true
		return 0
	}
	c.in = c.in[n:]
	return v
}

func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(len(c.in)) {
		c.bad = true
		return nil
	}
	b := c.in[:n]
	c.in = c.in[n:]
	return b
}
