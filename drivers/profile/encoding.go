package profile

import (
	"errors"
	"fmt"
	"math"
)

// Encoding is how a value lies in registers or bits.
type Encoding string

// Encodings of points. Several registers are put in ABCD order first (see
// Order).
const (
	Uint16  Encoding = "uint16"
	Int16   Encoding = "int16"
	Uint32  Encoding = "uint32"
	Int32   Encoding = "int32"
	Uint64  Encoding = "uint64"
	Int64   Encoding = "int64"
	Float32 Encoding = "float32"
	Float64 Encoding = "float64"

	BCD16 Encoding = "bcd16" // four decimal digits, a nibble each
	BCD32 Encoding = "bcd32" // eight decimal digits
	BCD64 Encoding = "bcd64" // sixteen decimal digits

	SM16 Encoding = "sm16" // sign and magnitude: the top bit is the minus
	SM32 Encoding = "sm32"

	Mod10k32 Encoding = "mod10k32" // registers of 0 to 9999 each, the first the most significant
	Mod10k64 Encoding = "mod10k64"

	Bit        Encoding = "bit"        // of a bit table, or of a register; 0 or 1
	Bitfield16 Encoding = "bitfield16" // the bits of a mask, shifted down, unsigned
	Bitfield32 Encoding = "bitfield32"

	// Float32FourQuadrant is Schneider Electric's power factor, -2 to 2: beyond
	// 1 in either direction lies the leading half, mirrored. What comes out is
	// -1 to 1 with the sign of the active power.
	Float32FourQuadrant Encoding = "float32_4q"
)

// Encodings that points cannot have.
const (
	String Encoding = "string" // of an identity: ASCII, two characters a register

	clockEncoding Encoding = "clock"     // made from the section clock
	rawEncoding   Encoding = "registers" // registers as they come, without a meaning
)

// pointEncodings lists what a point may have, for messages.
func pointEncodings() []Encoding {
	return []Encoding{
		Uint16, Int16, Uint32, Int32, Uint64, Int64, Float32, Float64, BCD16, BCD32, BCD64,
		SM16, SM32, Mod10k32, Mod10k64, Bit, Bitfield16, Bitfield32, Float32FourQuadrant,
	}
}

// Registers returns how many 16-bit registers e occupies, 0 when unknown.
func (e Encoding) Registers() int {
	switch e {
	case Uint16, Int16, BCD16, SM16, Bit, Bitfield16:
		return 1
	case Uint32, Int32, Float32, BCD32, SM32, Mod10k32, Bitfield32, Float32FourQuadrant:
		return 2
	case Uint64, Int64, Float64, BCD64, Mod10k64:
		return 4
	}
	return 0
}

// masked reports whether e takes a mask.
func (e Encoding) masked() bool { return e == Bit || e == Bitfield16 || e == Bitfield32 }

// capacity returns the first number beyond what e can hold: where a register
// that only rises must return to zero at the latest.
func (e Encoding) capacity() float64 {
	bits := 16 * e.Registers()
	switch e {
	case Uint16, Uint32, Uint64:
		return math.Ldexp(1, bits)
	case Int16, Int32, Int64, SM16, SM32:
		return math.Ldexp(1, bits-1)
	case BCD16, BCD32, BCD64, Mod10k32, Mod10k64:
		return math.Pow10(bits / 4)
	}
	return math.Inf(1)
}

var (
	errBCD     = errors.New("a nibble is above 9")
	errMod10k  = errors.New("a register is above 9999")
	errFourth  = errors.New("a four-quadrant power factor lies between -2 and 2")
	errUnknown = errors.New("the encoding is not known")
)

// number turns a code into the number it stands for, unscaled. mask is that of
// a masked encoding.
func (e Encoding) number(c, mask uint64) (float64, error) {
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
	case BCD16, BCD32, BCD64:
		return digits(c, 4, 10, errBCD)
	case Mod10k32, Mod10k64:
		return digits(c, 16, 10000, errMod10k)
	case SM16:
		return magnitude(c, 1<<15), nil
	case SM32:
		return magnitude(c, 1<<31), nil
	case Bit:
		if c&mask != 0 {
			return 1, nil
		}
		return 0, nil
	case Bitfield16, Bitfield32:
		return float64(c & mask / lowest(mask)), nil
	case Float32FourQuadrant:
		return fourQuadrant(float64(math.Float32frombits(uint32(c))))
	}
	return math.NaN(), errUnknown
}

// digits reads a number of base's digits, each in so many bits.
func digits(c uint64, bits, base uint64, above error) (float64, error) {
	var n, weight uint64 = 0, 1
	for ; c != 0; c >>= bits {
		digit := c & (1<<bits - 1)
		if digit >= base {
			return math.NaN(), above
		}
		n += digit * weight
		weight *= base
	}
	return float64(n), nil
}

func magnitude(c, sign uint64) float64 {
	if c&sign != 0 {
		return -float64(c &^ sign)
	}
	return float64(c)
}

// lowest returns the least significant bit of mask; dividing by it shifts a
// field down.
func lowest(mask uint64) uint64 { return max(mask&-mask, 1) }

func fourQuadrant(v float64) (float64, error) {
	switch {
	case v > 2 || v < -2:
		return math.NaN(), errFourth
	case v > 1:
		return 2 - v, nil
	case v < -1:
		return -2 - v, nil
	}
	return v, nil // not-a-number comes here too, and is told apart later
}

// codeOf is the inverse of number: the code nearest to v, or an error where e
// cannot hold it.
func (e Encoding) codeOf(v float64, mask uint64) (uint64, error) {
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
	case SM16, SM32:
		if limit := math.Ldexp(1, bits-1); r > -limit && r < limit {
			c := uint64(math.Abs(r))
			if r < 0 {
				c |= 1 << (bits - 1)
			}
			return c, nil
		}
	case BCD16, BCD32, BCD64:
		if r >= 0 && r < e.capacity() {
			return compose(uint64(r), 4, 10), nil
		}
	case Mod10k32, Mod10k64:
		if r >= 0 && r < e.capacity() {
			return compose(uint64(r), 16, 10000), nil
		}
	case Bit:
		if r == 0 || r == 1 {
			return uint64(r) * lowest(mask), nil
		}
	case Bitfield16, Bitfield32:
		if r >= 0 && r <= float64(mask/lowest(mask)) && uint64(r)*lowest(mask)&^mask == 0 {
			return uint64(r) * lowest(mask), nil
		}
	case Float32FourQuadrant:
		if v >= -1 && v <= 1 {
			return uint64(math.Float32bits(float32(v))), nil
		}
	default:
		return 0, fmt.Errorf("%q: %w", e, errUnknown)
	}
	return 0, fmt.Errorf("%s cannot hold %v", e, v)
}

// compose is the inverse of digits.
func compose(n, bits, base uint64) uint64 {
	var c uint64
	for shift := uint64(0); n != 0; shift += bits {
		c |= n % base << shift
		n /= base
	}
	return c
}
