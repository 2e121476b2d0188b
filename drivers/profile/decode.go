package profile

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Value is what a point's code means. Where nothing was obtained Number is
// NaN; a value out of range keeps its number, so that it can be looked into.
type Value struct {
	Number  float64
	Quality meter.Quality
	Flags   meter.Flags
	Detail  string
}

// nothing is the value of a point of which none could be obtained.
func nothing(flags meter.Flags, format string, args ...any) Value {
	return Value{Number: math.NaN(), Flags: flags, Detail: fmt.Sprintf(format, args...)}
}

// converter turns code numbers into values. Scales such as 0.001 are kept as
// the divisor 1000: dividing rounds once, multiplying by 0.001 gives a wrong
// last bit in a quarter of all values.
type converter struct {
	scale, divisor, offset float64
	bounded                bool
	low, high              float64
}

func newConverter(scale, offset float64, rng []float64) converter {
	c := converter{scale: scale, divisor: 1, offset: offset}
	if d := math.Round(1 / scale); math.Abs(scale) < 1 && math.Abs(d) < 1e15 && 1/d == scale {
		c.scale, c.divisor = 1, d
	}
	if len(rng) == 2 {
		c.bounded, c.low, c.high = true, rng[0], rng[1]
	}
	return c
}

func (c *converter) value(number float64) Value {
	return c.check(number*c.scale/c.divisor + c.offset)
}

// power is value for a number that is to be taken times ten to the exponent.
// The two tens are joined before they meet the number, so that it is rounded
// once: 23456 W in tenths of a watt are 2.3456 kW.
func (c *converter) power(number float64, exponent int) Value {
	scale, divisor := c.scale, c.divisor
	if exponent < 0 {
		divisor *= math.Pow10(-exponent)
	} else if ten := math.Pow10(exponent); divisor >= ten {
		divisor /= ten
	} else {
		scale, divisor = scale*(ten/divisor), 1
	}
	return c.check(number*scale/divisor + c.offset)
}

func (c *converter) check(v float64) Value {
	// The difference is 0 for every finite number, and for no other.
	if v-v == 0 && (!c.bounded || v >= c.low && v <= c.high) {
		return Value{Number: v, Quality: meter.Good}
	}
	switch {
	case math.IsNaN(v):
		return nothing(meter.Missing, "the device answered not-a-number")
	case math.IsInf(v, 0):
		return nothing(meter.Implausible, "the device answered an infinite number")
	}
	return Value{Number: v, Flags: meter.OutOfRange,
		Detail: fmt.Sprintf("%v is outside the profile's range %v to %v", v, c.low, c.high)}
}

// number is the inverse of value.
func (c *converter) number(v float64) float64 { return (v - c.offset) * c.divisor / c.scale }

// DecodeAt gives the meaning of the point's bytes, as Block.Bytes returns
// them, that were received at a moment.
func (p *ModbusPoint) DecodeAt(raw []byte, received time.Time) Value {
	if len(raw) != p.size || p.size == 0 {
		return nothing(meter.Missing, "%d bytes came, %s needs %d", len(raw), p.Encoding, p.Size())
	}
	switch {
	case p.clock != nil:
		return p.clock.offset(&p.conv, raw, received)
	case p.Encoding == rawEncoding:
		return Value{Number: math.NaN(), Quality: meter.Uncertain, Detail: "registers without a meaning"}
	case p.bits:
		return p.conv.value(float64(raw[0] & 1))
	}
	c := code(raw[:p.width], p.swaps)
	for _, absent := range p.Absent {
		if c == absent {
			return nothing(meter.Missing, "the device answered %#x: no value", c)
		}
	}
	n, err := p.Encoding.number(c, p.mask)
	if err != nil {
		return nothing(meter.Implausible, "%#x is not %s: %v; check encoding and order in the profile", c, p.Encoding, err)
	}
	if p.Exponent == nil {
		return p.conv.value(n)
	}
	exponent, bad := p.exponent(binary.BigEndian.Uint16(raw[len(raw)-2:]))
	if bad != nil {
		return *bad
	}
	return p.conv.power(n, exponent)
}

// maxExponent bounds a power of ten. SunSpec allows 10 in either direction.
const maxExponent = 10

// noExponent is what SunSpec devices answer for a scale factor that is not
// implemented.
const noExponent = 0x8000

// exponent returns the power of ten out of its register, or why there is none.
func (p *ModbusPoint) exponent(register uint16) (int, *Value) {
	if p.swaps&swapBytes != 0 {
		register = register<<8 | register>>8
	}
	e := int(int16(register))
	if p.ExponentMask != 0 {
		e = int(register & p.ExponentMask / (p.ExponentMask & -p.ExponentMask))
	} else if register == noExponent {
		v := nothing(meter.Missing, "the device answered %#x for the exponent: no value", register)
		return 0, &v
	}
	if e < -maxExponent || e > maxExponent {
		v := nothing(meter.Implausible, "the device answered %d for the exponent; check its address in the profile", e)
		return 0, &v
	}
	return e, nil
}

// Encode is the inverse of Decode for values that the encoding can hold: the
// bytes nearest to v. Simulated devices use it. Values with an exponent need
// EncodeExponent; clocks take more than one number and are refused.
func (p *ModbusPoint) Encode(v float64) ([]byte, error) {
	if p.Exponent != nil {
		return nil, fmt.Errorf("%s: an exponent is needed to encode it", p.Quantity)
	}
	return p.encode(p.conv.number(v))
}

// EncodeExponent is Encode for a point with an exponent, which is given.
func (p *ModbusPoint) EncodeExponent(v float64, exponent int) ([]byte, error) {
	if p.Exponent == nil || p.ExponentMask != 0 || exponent < -maxExponent || exponent > maxExponent {
		return nil, fmt.Errorf("%s: it has no exponent of its own, or %d is beyond it", p.Quantity, exponent)
	}
	raw, err := p.encode(p.conv.number(v) / math.Pow(10, float64(exponent)))
	if err != nil {
		return nil, err
	}
	return appendCode(raw, uint64(uint16(int16(exponent))), 2, p.swaps&swapBytes), nil
}

func (p *ModbusPoint) encode(number float64) ([]byte, error) {
	if p.clock != nil || p.Encoding == rawEncoding {
		return nil, fmt.Errorf("%s: %s cannot be encoded from one number", p.Quantity, p.Encoding)
	}
	c, err := p.Encoding.codeOf(number, p.mask)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Quantity, err)
	}
	if p.bits {
		return []byte{byte(c)}, nil
	}
	return appendCode(make([]byte, 0, p.width+2), c, p.width, p.swaps), nil
}

// Value gives the meaning of a number that the server sent.
func (p *OPCUAPoint) Value(number float64) Value { return p.conv.value(number) }

// Number is the inverse of Value. Simulated servers use it.
func (p *OPCUAPoint) Number(v float64) float64 { return p.conv.number(v) }
