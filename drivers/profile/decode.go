package profile

import (
	"fmt"
	"math"

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
	v := number*c.scale/c.divisor + c.offset
	switch {
	case math.IsNaN(v):
		return Value{Number: math.NaN(), Flags: meter.Missing, Detail: "the device answered not-a-number"}
	case math.IsInf(v, 0):
		return Value{Number: math.NaN(), Flags: meter.Implausible, Detail: "the device answered an infinite number"}
	case c.bounded && (v < c.low || v > c.high):
		return Value{Number: v, Flags: meter.OutOfRange,
			Detail: fmt.Sprintf("%v is outside the profile's range %v to %v", v, c.low, c.high)}
	}
	return Value{Number: v, Quality: meter.Good}
}

// number is the inverse of value.
func (c *converter) number(v float64) float64 { return (v - c.offset) * c.divisor / c.scale }

// Decode gives the meaning of the point's register bytes as they came.
func (p *ModbusPoint) Decode(raw []byte) Value {
	if len(raw) != 2*p.Registers() || len(raw) == 0 {
		return Value{Number: math.NaN(), Flags: meter.Missing,
			Detail: fmt.Sprintf("%d bytes came, %s needs %d", len(raw), p.Encoding, 2*p.Registers())}
	}
	c := code(p.Order, raw)
	for _, absent := range p.Absent {
		if c == absent {
			return Value{Number: math.NaN(), Flags: meter.Missing, Detail: fmt.Sprintf("the device answered %#x: no value", c)}
		}
	}
	n, err := p.Encoding.number(c)
	if err != nil {
		return Value{Number: math.NaN(), Flags: meter.Implausible,
			Detail: fmt.Sprintf("%#x is not %s: %v; check encoding and order in the profile", c, p.Encoding, err)}
	}
	return p.conv.value(n)
}

// Encode is the inverse of Decode for values that the encoding can hold: the
// register bytes nearest to v. Simulated devices use it.
func (p *ModbusPoint) Encode(v float64) ([]byte, error) {
	c, err := p.Encoding.codeOf(p.conv.number(v))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Quantity, err)
	}
	n := 2 * p.Registers()
	var abcd [8]byte
	for i := range n {
		abcd[i] = byte(c >> (8 * (n - 1 - i)))
	}
	raw := make([]byte, n)
	p.Order.arrange(raw, abcd[:n])
	return raw, nil
}

// Value gives the meaning of a number that the server sent.
func (p *OPCUAPoint) Value(number float64) Value { return p.conv.value(number) }

// Number is the inverse of Value. Simulated servers use it.
func (p *OPCUAPoint) Number(v float64) float64 { return p.conv.number(v) }
