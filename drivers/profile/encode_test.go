package profile

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func anyEncoding(t *rapid.T) Encoding {
	return rapid.SampledFrom(pointEncodings()).Draw(t, "encoding")
}

func anyOrder(t *rapid.T, e Encoding) Order {
	orders := Orders()
	if e.Registers() == 4 {
		orders = append(orders, longOrders()...)
	}
	return rapid.SampledFrom(orders).Draw(t, "order")
}

// anyNumber draws a number that e can hold exactly.
func anyNumber(t *rapid.T, e Encoding, mask uint64) float64 {
	switch e {
	case Bit:
		return float64(rapid.IntRange(0, 1).Draw(t, "bit"))
	case Bitfield16, Bitfield32:
		return float64(rapid.Uint64Max(mask).Draw(t, "field") & mask / lowest(mask))
	case Float32FourQuadrant:
		return float64(rapid.IntRange(-64, 64).Draw(t, "64ths")) / 64
	}
	n := float64(rapid.IntRange(0, 9999).Draw(t, "n"))
	if (e[0] == 'i' || e[0] == 's' || e[0] == 'f') && rapid.Bool().Draw(t, "negative") {
		n = -n
	}
	return n
}

// TestEncodeDecode encodes values that fit and finds them again.
func TestEncodeDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyEncoding(t)
		p := point(e, anyOrder(t, e), 1, 0, nil)
		if e.masked() {
			p.Mask = rapid.Uint64Range(1, 1<<(16*e.Registers())-1).Draw(t, "mask")
			// A field is of neighbouring bits; others cannot be shifted down.
			p.Mask = lowest(p.Mask) * (rapid.SampledFrom([]uint64{1, 3, 7, 31}).Draw(t, "width"))
			p.Mask &= 1<<(16*e.Registers()) - 1
		} else if e != Float32FourQuadrant {
			p.Scale = rapid.SampledFrom([]float64{1, 0.1, 0.01, 0.001, 10}).Draw(t, "scale")
		}
		p.prepare()
		v := p.conv.value(anyNumber(t, e, p.mask)).Number
		raw, err := p.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) != p.Size() {
			t.Fatalf("%d bytes", len(raw))
		}
		got := p.Decode(raw)
		tolerance := 0.0
		if e == Float32 || e == Float64 {
			tolerance = math.Abs(v) * 1e-6
		}
		if got.Quality != meter.Good || math.Abs(got.Number-v) > tolerance {
			t.Fatalf("%v came back as %+v", v, got)
		}
	})
}

// TestOrdersAreLiteral compares every order with its own letters.
func TestOrdersAreLiteral(t *testing.T) {
	names := map[Order]string{CDAB: "GHEFCDAB", BADC: "BADCFEHG", DCBA: "HGFEDCBA", ABCD: "ABCDEFGH"}
	for _, o := range append(Orders(), longOrders()...) {
		wire := string(o)
		if long := names[o]; long != "" {
			wire = long
		}
		if got := code([]byte(wire), o.swaps(8)); string(appendCode(nil, got, 8, 0)) != "ABCDEFGH" {
			t.Errorf("%s gives %s", wire, appendCode(nil, got, 8, 0))
		}
		if len(o) == 4 {
			if got := code([]byte(o), o.swaps(4)); string(appendCode(nil, got, 4, 0)) != "ABCD" {
				t.Errorf("%s gives %s", o, appendCode(nil, got, 4, 0))
			}
		}
	}
	for o, wire := range map[Order]string{ABCD: "AB", CDAB: "AB", BADC: "BA", DCBA: "BA"} {
		if got := code([]byte(wire), o.swaps(2)); got != 'A'<<8|'B' {
			t.Errorf("%s of one register gives %#x", o, got)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for e, v := range map[Encoding]float64{
		Uint16: 65536, Int16: -32769, Uint32: -1, Int32: 1 << 31, BCD16: 10000, BCD32: -1, Int64: 1e19, "odd": 1,
		SM16: 32768, SM32: -1 << 31, Mod10k32: 1e8, BCD64: 1e16, Bit: 2, Bitfield16: 16, Float32FourQuadrant: 1.5, rawEncoding: 1,
	} {
		p := point(e, ABCD, 1, 0, nil)
		if e.masked() {
			p.Mask = 0x00F0
			p.prepare()
		}
		if raw, err := p.Encode(v); err == nil {
			t.Errorf("%s took %v as % x", e, v, raw)
		}
	}
	exponent := uint16(7)
	p := point(Int16, ABCD, 1, 0, nil)
	p.Exponent = &exponent
	if _, err := p.Encode(1); err == nil {
		t.Error("a value with an exponent was encoded from one number")
	}
}

// TestExponents has powers of ten worked out by hand.
func TestExponents(t *testing.T) {
	nan := math.NaN()
	address := uint16(9)
	for _, c := range []struct {
		code     uint16
		exponent uint16
		mask     uint16
		scale    float64
		order    Order
		want     float64
		quality  meter.Quality
		flags    meter.Flags
	}{
		{2345, 0, 0, 1, ABCD, 2345, meter.Good, 0},
		{2345, 0xFFFF, 0, 1, ABCD, 234.5, meter.Good, 0},        // -1
		{2345, 0xFFFD, 0, 0.001, ABCD, 0.002345, meter.Good, 0}, // -3, and W to kW
		{2345, 2, 0, 0.001, ABCD, 234.5, meter.Good, 0},
		{2345, 5, 0, 0.001, ABCD, 234500, meter.Good, 0},
		{2345, 10, 0, 1, ABCD, 2345e10, meter.Good, 0},
		{0x2909, 0xFEFF, 0, 1, BADC, 23.45, meter.Good, 0}, // the exponent's bytes are swapped too: -2
		{2345, 0x0301, 0xFF00, 1, ABCD, 2345e3, meter.Good, 0},
		{2345, 0x0301, 0x00FF, 1, ABCD, 23450, meter.Good, 0},
		{2345, 0x8000, 0, 1, ABCD, nan, meter.Bad, meter.Missing},
		{0x8000, 0x8000, 0, 1, ABCD, nan, meter.Bad, meter.Missing},
		{0x8000, 0, 0, 1, ABCD, nan, meter.Bad, meter.Missing}, // the value itself is absent
		{2345, 11, 0, 1, ABCD, nan, meter.Bad, meter.Implausible},
		{2345, 0xFFF5, 0, 1, ABCD, nan, meter.Bad, meter.Implausible},
		{2345, 0xFF00, 0xFF00, 1, ABCD, nan, meter.Bad, meter.Implausible},
	} {
		p := point(Uint16, c.order, c.scale, 0, nil, 0x8000)
		p.Exponent, p.ExponentMask = &address, c.mask
		p.prepare()
		raw := words([]uint16{c.code, c.exponent})
		got := p.Decode(raw)
		if got.Number != c.want && !(math.IsNaN(got.Number) && math.IsNaN(c.want)) || got.Quality != c.quality || got.Flags != c.flags {
			t.Errorf("%+v: %+v", c, got)
		}
		if back, err := p.EncodeExponent(c.want, int(int16(c.exponent))); c.quality == meter.Good && c.mask == 0 && c.order == ABCD && (err != nil || string(back) != string(raw)) {
			t.Errorf("%+v: encoded % x, %v", c, back, err)
		}
		if short := p.Decode(raw[:2]); short.Quality != meter.Bad {
			t.Errorf("a value without its exponent: %+v", short)
		}
	}
}

// FuzzDecode decodes arbitrary bytes: a good value is a finite one in range.
func FuzzDecode(f *testing.F) {
	f.Add(uint8(6), uint8(1), []byte{0x43, 0x66, 0x80, 0x00}, 0.1, 0.0, uint64(0), false)
	f.Add(uint8(9), uint8(3), []byte{0xFF, 0xFF, 0xFF, 0xFF}, 1.0, -40.0, uint64(0), false)
	f.Add(uint8(1), uint8(0), []byte{0x12, 0x34, 0xFF, 0xFE}, 1.0, 0.0, uint64(0), true)
	f.Add(uint8(16), uint8(5), []byte{0x12, 0x34}, 1.0, 0.0, uint64(0x0FF0), false)
	encodings, orders := append(pointEncodings(), "odd", String), append(Orders(), longOrders()...)
	address := uint16(1)
	f.Fuzz(func(t *testing.T, e, o uint8, raw []byte, scale, offset float64, mask uint64, exponent bool) {
		p := point(encodings[int(e)%len(encodings)], orders[int(o)%len(orders)], scale, offset, []float64{-1e6, 1e6})
		p.Mask = mask
		if exponent {
			p.Exponent, p.ExponentMask = &address, uint16(mask)
		}
		p.prepare()
		v := p.DecodeAt(raw, time.Unix(1_700_000_000, 0))
		if v.Quality == meter.Good && !(v.Number >= -1e6 && v.Number <= 1e6) || v.Quality != meter.Good && v.Detail == "" {
			t.Fatalf("% x gives %+v", raw, v)
		}
	})
}
