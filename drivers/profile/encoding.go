package profile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Encoding is how a value lies in registers.
type Encoding string

// Encodings. Several registers are put in ABCD order first (see Order).
const (
	Uint16  Encoding = "uint16"
	Int16   Encoding = "int16"
	Uint32  Encoding = "uint32"
	Int32   Encoding = "int32"
	Uint64  Encoding = "uint64"
	Int64   Encoding = "int64"
	Float32 Encoding = "float32"
	Float64 Encoding = "float64"
	BCD16   Encoding = "bcd16" // four decimal digits, a nibble each
	BCD32   Encoding = "bcd32" // eight decimal digits
)

// Registers returns how many 16-bit registers e occupies, 0 when unknown.
func (e Encoding) Registers() int {
	switch e {
	case Uint16, Int16, BCD16:
		return 1
	case Uint32, Int32, Float32, BCD32:
		return 2
	case Uint64, Int64, Float64:
		return 4
	}
	return 0
}

// Order is the order of bytes on the wire, where A is the most significant
// byte. Values of four registers follow the same rule: CDAB reverses the
// words, BADC the bytes within each word, DCBA both.
type Order string

// Orders.
const (
	ABCD Order = "ABCD" // big-endian, what the standard asks for
	CDAB Order = "CDAB" // low word first
	BADC Order = "BADC" // bytes of each word swapped
	DCBA Order = "DCBA" // little-endian
)

// arrange copies raw into dst so that dst is in ABCD order. It is its own
// inverse.
func (o Order) arrange(dst, raw []byte) {
	n := len(raw)
	switch o {
	case CDAB:
		for i := 0; i < n; i += 2 {
			dst[n-2-i], dst[n-1-i] = raw[i], raw[i+1]
		}
	case BADC:
		for i := 0; i < n; i += 2 {
			dst[i], dst[i+1] = raw[i+1], raw[i]
		}
	case DCBA:
		for i := range raw {
			dst[n-1-i] = raw[i]
		}
	default:
		copy(dst, raw)
	}
}

// code reads raw register bytes as one unsigned integer in ABCD order.
func code(o Order, raw []byte) uint64 {
	var buf [8]byte
	o.arrange(buf[8-len(raw):], raw)
	return binary.BigEndian.Uint64(buf[:])
}

var errBCD = errors.New("a nibble is above 9")

// number turns a code into the number it stands for, unscaled.
func (e Encoding) number(c uint64) (float64, error) {
	switch e {
	case Uint16, Uint32, Uint64:
		return float64(c), nil
	case Int16:
		return float64(int16(c)), nil
	case Int32:
		return float64(int32(c)), nil
	case Int64:
		return float64(int64(c)), nil
	case Float32:
		return float64(math.Float32frombits(uint32(c))), nil
	case Float64:
		return math.Float64frombits(c), nil
	case BCD16, BCD32:
		var v, weight float64 = 0, 1
		for i := 0; i < 4*e.Registers(); i++ {
			digit := c >> (4 * i) & 0xF
			if digit > 9 {
				return math.NaN(), errBCD
			}
			v += float64(digit) * weight
			weight *= 10
		}
		return v, nil
	}
	return math.NaN(), fmt.Errorf("unknown encoding %q", e)
}

// codeOf is the inverse of number: the code nearest to v, or an error where e
// cannot hold it.
func (e Encoding) codeOf(v float64) (uint64, error) {
	bits := 16 * e.Registers()
	r := math.Round(v)
	switch e {
	case Float32:
		return uint64(math.Float32bits(float32(v))), nil
	case Float64:
		return math.Float64bits(v), nil
	case Uint16, Uint32, Uint64:
		if r >= 0 && r < math.Ldexp(1, bits) {
			return uint64(r), nil
		}
	case Int16, Int32, Int64:
		if r >= -math.Ldexp(1, bits-1) && r < math.Ldexp(1, bits-1) {
			return uint64(int64(r)) & (math.MaxUint64 >> (64 - bits)), nil
		}
	case BCD16, BCD32:
		if r >= 0 && r < math.Pow10(bits/4) {
			n, c := uint64(r), uint64(0)
			for i := 0; i < bits/4; i++ {
				c |= n % 10 << (4 * i)
				n /= 10
			}
			return c, nil
		}
	default:
		return 0, fmt.Errorf("unknown encoding %q", e)
	}
	return 0, fmt.Errorf("%s cannot hold %v", e, v)
}
