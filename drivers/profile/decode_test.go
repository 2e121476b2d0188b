package profile

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func point(e Encoding, o Order, scale, offset float64, rng []float64, absent ...uint64) *ModbusPoint {
	p := &ModbusPoint{Quantity: meter.ActivePower, Table: Holding, Encoding: e, Order: o, Scale: scale, Offset: offset, Range: rng, Absent: absent}
	p.prepare()
	return p
}

// TestDecode has codes and meanings worked out by hand.
func TestDecode(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name    string
		p       *ModbusPoint
		raw     []byte
		want    float64
		quality meter.Quality
		flags   meter.Flags
	}{
		{"uint16", point(Uint16, ABCD, 0.1, 0, nil), []byte{0x08, 0xFC}, 230, meter.Good, 0},
		{"uint16 swapped", point(Uint16, BADC, 0.1, 0, nil), []byte{0xFC, 0x08}, 230, meter.Good, 0},
		{"int16 with offset", point(Int16, ABCD, 1, -40, nil), []byte{0xFF, 0xFB}, -45, meter.Good, 0},
		{"uint32", point(Uint32, ABCD, 1, 0, nil), []byte{0x00, 0x01, 0x00, 0x02}, 65538, meter.Good, 0},
		{"uint32 low word first", point(Uint32, CDAB, 1, 0, nil), []byte{0x00, 0x02, 0x00, 0x01}, 65538, meter.Good, 0},
		{"uint32 bytes swapped", point(Uint32, BADC, 1, 0, nil), []byte{0x01, 0x00, 0x02, 0x00}, 65538, meter.Good, 0},
		{"uint32 little-endian", point(Uint32, DCBA, 1, 0, nil), []byte{0x02, 0x00, 0x01, 0x00}, 65538, meter.Good, 0},
		{"int32", point(Int32, ABCD, 0.001, 0, nil), []byte{0xFF, 0xFF, 0xFB, 0x2E}, -1.234, meter.Good, 0},
		{"float32", point(Float32, ABCD, 1, 0, nil), []byte{0x43, 0x66, 0x80, 0x00}, 230.5, meter.Good, 0},
		{"float32 low word first", point(Float32, CDAB, 1, 0, nil), []byte{0x80, 0x00, 0x43, 0x66}, 230.5, meter.Good, 0},
		{"uint64", point(Uint64, ABCD, 0.001, 0, nil), []byte{0, 0, 0, 2, 0x4C, 0xB0, 0x16, 0xEA}, 9876543.21, meter.Good, 0},
		{"int64 low word first", point(Int64, CDAB, 1, 0, nil), []byte{0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, -2, meter.Good, 0},
		{"float64", point(Float64, ABCD, 1, 0, nil), []byte{0x40, 0x09, 0x21, 0xFB, 0x54, 0x44, 0x2D, 0x18}, math.Pi, meter.Good, 0},
		{"bcd16", point(BCD16, ABCD, 0.1, 0, nil), []byte{0x23, 0x04}, 230.4, meter.Good, 0},
		{"bcd32", point(BCD32, CDAB, 0.01, 0, nil), []byte{0x56, 0x78, 0x12, 0x34}, 123456.78, meter.Good, 0},
		{"bcd64", point(BCD64, ABCD, 0.01, 0, nil), []byte{0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x90}, 12345678.9, meter.Good, 0},
		{"sign and magnitude", point(SM16, ABCD, 0.1, 0, nil), []byte{0x80, 0x19}, -2.5, meter.Good, 0},
		{"sign and magnitude, positive", point(SM16, ABCD, 0.1, 0, nil), []byte{0x7F, 0xFF}, 3276.7, meter.Good, 0},
		{"sign and magnitude of 32 bits", point(SM32, CDAB, 1, 0, nil), []byte{0x00, 0x02, 0x80, 0x01}, -65538, meter.Good, 0},
		{"mod10k", point(Mod10k32, ABCD, 0.01, 0, nil), []byte{0x04, 0xD2, 0x16, 0x2E}, 123456.78, meter.Good, 0},
		{"mod10k of four", point(Mod10k64, CDAB, 1, 0, nil), []byte{0x00, 0x04, 0x00, 0x03, 0x00, 0x02, 0x00, 0x01}, 1000200030004, meter.Good, 0},
		{"mod10k beyond 9999", point(Mod10k32, ABCD, 1, 0, nil), []byte{0x00, 0x00, 0x27, 0x10}, nan, meter.Bad, meter.Implausible},
		{"four quadrants, lagging", point(Float32FourQuadrant, ABCD, 1, 0, nil), []byte{0x3F, 0x40, 0, 0}, 0.75, meter.Good, 0},
		{"four quadrants, leading", point(Float32FourQuadrant, ABCD, 1, 0, nil), []byte{0x3F, 0xA0, 0, 0}, 0.75, meter.Good, 0},
		{"four quadrants, leading and exported", point(Float32FourQuadrant, ABCD, 1, 0, nil), []byte{0xBF, 0xA0, 0, 0}, -0.75, meter.Good, 0},
		{"four quadrants, unity", point(Float32FourQuadrant, ABCD, 1, 0, nil), []byte{0x3F, 0x80, 0, 0}, 1, meter.Good, 0},
		{"four quadrants, beyond", point(Float32FourQuadrant, ABCD, 1, 0, nil), []byte{0x40, 0x20, 0, 0}, nan, meter.Bad, meter.Implausible},
		{"four quadrants, not-a-number", point(Float32FourQuadrant, ABCD, 1, 0, nil), []byte{0x7F, 0xC0, 0, 0}, nan, meter.Bad, meter.Missing},
		{"halves exchanged", point(Uint64, EFGHABCD, 1, 0, nil), []byte{0, 0, 0, 2, 0, 0, 0, 1}, 1<<32 + 2, meter.Good, 0},
		{"a float that means absent", point(Float32, ABCD, 1, 0, nil, 0xFF7FFFFF), []byte{0xFF, 0x7F, 0xFF, 0xFF}, nan, meter.Bad, meter.Missing},
		{"bcd of no digits", point(BCD16, ABCD, 1, 0, nil), []byte{0x12, 0x3A}, nan, meter.Bad, meter.Implausible},
		{"absent", point(Int16, ABCD, 1, 0, nil, 0x8000, 0x7FFF), []byte{0x80, 0x00}, nan, meter.Bad, meter.Missing},
		{"absent, second code", point(Int16, ABCD, 1, 0, nil, 0x8000, 0x7FFF), []byte{0x7F, 0xFF}, nan, meter.Bad, meter.Missing},
		{"absent in ABCD order", point(Uint32, CDAB, 1, 0, nil, 0xFFFF0000), []byte{0, 0, 0xFF, 0xFF}, nan, meter.Bad, meter.Missing},
		{"out of range keeps its number", point(Uint16, ABCD, 1, 0, []float64{0, 400}), []byte{0x01, 0x91}, 401, meter.Bad, meter.OutOfRange},
		{"the bound is in range", point(Uint16, ABCD, 1, 0, []float64{0, 400}), []byte{0x01, 0x90}, 400, meter.Good, 0},
		{"not-a-number", point(Float32, ABCD, 1, 0, nil), []byte{0x7F, 0xC0, 0, 0}, nan, meter.Bad, meter.Missing},
		{"infinite", point(Float32, ABCD, 1, 0, nil), []byte{0xFF, 0x80, 0, 0}, nan, meter.Bad, meter.Implausible},
		{"too short", point(Float32, ABCD, 1, 0, nil), []byte{0x43, 0x66}, nan, meter.Bad, meter.Missing},
		{"nothing", point(Uint16, ABCD, 1, 0, nil), nil, nan, meter.Bad, meter.Missing},
	} {
		got := c.p.Decode(c.raw)
		if got.Number != c.want && !(math.IsNaN(got.Number) && math.IsNaN(c.want)) || got.Quality != c.quality || got.Flags != c.flags {
			t.Errorf("%s: %+v, want %v %v %v", c.name, got, c.want, c.quality, c.flags)
		}
		if (got.Detail == "") != (got.Quality == meter.Good) {
			t.Errorf("%s: detail is %q", c.name, got.Detail)
		}
	}
}

// TestDecodeAllocates holds the hot path to no memory but that of what must be copied.
func TestDecodeAllocates(t *testing.T) {
	p, err := parsed(t, `  absent: {uint16: [0xFFFF]}
  points:
    - {quantity: voltage_a, table: holding, address: 0, encoding: uint16, scale: 0.1, range: [0, 500]}
    - {quantity: active_power, table: holding, address: 1, encoding: int32, order: CDAB, scale: 0.001}
    - {quantity: active_energy_import, table: holding, address: 3, encoding: uint64, order: EFGHABCD}
    - {quantity: frequency, table: holding, address: 7, encoding: float32}
    - {quantity: alarm, table: holding, address: 9, encoding: bit, bit: 3}
    - {quantity: current_a, table: holding, address: 10, encoding: uint16, exponent: 11}
  clock: {table: holding, address: 12, layout: [year, month, day, hour, minute, second]}
`)
	if err != nil {
		t.Fatal(err)
	}
	b := &p.Modbus.Blocks(0)[0]
	answer := words([]uint16{2301, 0xFB2E, 0xFFFF, 0, 1, 0, 2, 0x4248, 0, 8, 5, 2, 2024, 5, 6, 7, 8, 9})
	var sum float64
	allocations := testing.AllocsPerRun(100, func() {
		for k := range b.Points {
			v, raw := b.Decode(k, answer, read)
			if v.Quality != meter.Good || len(raw) == 0 {
				t.Fatalf("%s: %+v", b.Point(k).Quantity, v)
			}
			sum += v.Number
		}
	})
	// A value with its exponent behind it is copied.
	if allocations > 1 {
		t.Errorf("%v allocations for %d points", allocations, len(b.Points))
	}
}

// BenchmarkBlock decodes ten points of one answer, as a poll does.
func BenchmarkBlock(b *testing.B) {
	points := "  points:\n"
	for i, q := range []meter.Quantity{
		meter.VoltageA, meter.VoltageB, meter.VoltageC, meter.CurrentA, meter.CurrentB, meter.CurrentC,
		meter.ActivePower, meter.ReactivePower, meter.Frequency, meter.ActiveEnergyImport,
	} {
		points += fmt.Sprintf("    - {quantity: %s, table: input, address: %d, encoding: float32, order: CDAB, range: [-1000000, 1000000]}\n", q, 2*i)
	}
	p, err := parsed(b, points)
	if err != nil {
		b.Fatal(err)
	}
	block := &p.Modbus.Blocks(0)[0]
	answer := make([]byte, block.AnswerSize())
	for i := range block.Points {
		copy(answer[4*i:], []byte{0x80, 0x00, 0x43, 0x66})
	}
	b.ReportAllocs()
	for b.Loop() {
		for k := range block.Points {
			if v, _ := block.Decode(k, answer, read); v.Number != 230.5 {
				b.Fatal(v)
			}
		}
	}
}

// TestScaleDivides compares scaled integers with what the decimal says.
func TestScaleDivides(t *testing.T) {
	p := point(Uint32, ABCD, 0.001, 0, nil)
	raw := make([]byte, 4)
	for n := range uint32(200_000) {
		binary.BigEndian.PutUint32(raw, n)
		if got := p.Decode(raw).Number; got != float64(n)/1000 {
			t.Fatalf("%d thousandths are %v", n, got)
		}
	}
}

// FuzzParse parses arbitrary files: no panic, and what is taken can be read.
func FuzzParse(f *testing.F) {
	for _, dir := range []string{"testdata", "testdata/bad"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				data, err := os.ReadFile(dir + "/" + e.Name())
				if err != nil {
					f.Fatal(err)
				}
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("fuzz.yaml", data)
		if err != nil {
			return
		}
		if len(p.Quantities()) == 0 {
			t.Fatal("a profile without points was taken")
		}
		if p.Modbus != nil {
			checkPlan(t, p.Modbus)
		}
	})
}

// FuzzVectors parses arbitrary vectors: no panic, and what is taken can be
// checked.
func FuzzVectors(f *testing.F) {
	data, err := os.ReadFile("testdata/example-modbus.vectors.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	p := example(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := ParseVectors("fuzz.yaml", data, p)
		if err != nil {
			return
		}
		for i := range v.Vectors {
			if err := v.Vectors[i].Check(p); err != nil && err.Error() == "" {
				t.Fatal("an error without words")
			}
		}
	})
}
