package curve

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// bitReader reads bits, highest first. Past the end there are zeros.
type bitReader struct {
	in  []byte
	pos int // in bits
}

// peek returns the bits from the position on; 57 of them count.
func (r *bitReader) peek() uint64 {
	at := r.pos >> 3
	if at+8 <= len(r.in) {
		return binary.BigEndian.Uint64(r.in[at:]) << (r.pos & 7)
	}
	var tail [8]byte
	if at < len(r.in) {
		copy(tail[:], r.in[at:])
	}
	return binary.BigEndian.Uint64(tail[:]) << (r.pos & 7)
}

// rest returns what follows the byte in which the position is; ok is false
// where that is past the end.
func (r *bitReader) rest() (in []byte, ok bool) {
	at := (r.pos + 7) >> 3
	if at > len(r.in) {
		return nil, false
	}
	return r.in[at:], true
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

// appendRice appends numbers, each below 1<<wholeBits, highest bits first, and
// fills the last byte with zeros.
func appendRice(dst []byte, numbers []int64, k uint) []byte {
	const most = (longestUnary+wholeBits)/8 + 1 // bytes that one number takes at most
	at := len(dst)
	dst = slices.Grow(dst, most*len(numbers)+8)[:at+most*len(numbers)+8]
	var acc uint64 // its lowest bits are still to be written
	var have uint  // how many; fewer than 8
	one := uint64(1) << (k & 63)
	for _, number := range numbers {
		v := uint64(number) //nolint:gosec // never negative
		q := uint(v >> (k & 63))
		n := q + 1 + k // q zeros, a one and k bits
		if q >= longestUnary || n > 56 {
			first, bits := uint64(1), q+1
			n = k
			if q >= longestUnary {
				first, bits, n = 0, longestUnary, wholeBits
			}
			acc = acc<<bits | first
			have += bits
			binary.BigEndian.PutUint64(dst[at:], acc<<(64-have))
			at += int(have >> 3)
			have &= 7
			acc, have = acc<<n|v&(1<<n-1), have+n
		} else {
			acc, have = acc<<(n&63)|one|v&(one-1), have+n
		}
		binary.BigEndian.PutUint64(dst[at:at+8], acc<<((64-have)&63))
		at += int(have >> 3)
		have &= 7
	}
	if have > 0 {
		at++
	}
	return dst[:at]
}

// rice returns the next number; k ≤ maxRice.
func (r *bitReader) rice(k uint) uint64 {
	v := r.peek()
	q := uint(bits.LeadingZeros64(v)) //nolint:gosec // at most 64
	if q >= longestUnary {
		r.pos += longestUnary
		v = r.peek()
		r.pos += wholeBits
		return v >> (64 - wholeBits)
	}
	used := q + 1
	if used+k > 57 {
		r.pos += int(used) //nolint:gosec // at most 20
		v, used = r.peek(), 0
	}
	r.pos += int(used + k) //nolint:gosec // at most 60
	return uint64(q)<<k | v<<used>>(64-k)
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
