package profile

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// read is when the clocks of tests are read.
var read = time.Date(2024, 5, 6, 7, 8, 9, 5e8, time.UTC)

// parsed returns a profile with the given lines in its section modbus.
func parsed(t testing.TB, lines string) (*Profile, error) {
	t.Helper()
	return Parse("p.yaml", []byte(`name: p
manufacturer: Example
model: EM
source: "the test"
status: paper
protocol: modbus
modbus:
`+lines))
}

func clockProfile(t testing.TB, clock string) *Profile {
	t.Helper()
	p, err := parsed(t, "  points: [{quantity: voltage_a, table: holding, address: 0, encoding: uint16}]\n  clock: "+clock+"\n")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestClocks has dates laid out by hand; each was read at 2024-05-06 07:08:09.5 UTC.
func TestClocks(t *testing.T) {
	for _, c := range []struct {
		name, clock string
		words       []uint16
		want        float64
		why         string // of a bad one
	}{
		{"registers", `{table: holding, address: 9, layout: [year, month, day, hour, minute, second]}`, []uint16{2024, 5, 6, 7, 8, 10}, 0.5, ""},
		{"a year of two digits", `{table: holding, address: 9, layout: [second, minute, hour, day, month, year]}`, []uint16{9, 8, 7, 6, 5, 24}, -0.5, ""},
		{"bytes", `{table: holding, address: 9, layout: ["year|month", "day|hour", "minute|second"]}`, []uint16{0x1805, 0x0607, 0x0809}, -0.5, ""},
		{"swapped bytes", `{table: holding, address: 9, order: BADC, layout: ["year|month", "day|hour", "minute|second"]}`, []uint16{0x0518, 0x0706, 0x0908}, -0.5, ""},
		{"BCD", `{table: holding, address: 9, bcd: true, layout: ["year|month", "day|weekday", "hour|minute", "second|-"]}`, []uint16{0x2405, 0x06FF, 0x0708, 0x1000}, 0.5, ""},
		{"BCD of no digits", `{table: holding, address: 9, bcd: true, layout: ["year|month", "day|hour", "minute|second"]}`, []uint16{0x240A, 0x0607, 0x0810}, 0, "is no BCD"},
		{"milliseconds of the minute", `{table: holding, address: 9, layout: [year, month, day, hour, minute, millisecond]}`, []uint16{2024, 5, 6, 7, 8, 9750}, 0.25, ""},
		{"milliseconds", `{table: holding, address: 9, layout: [year, month, day, hour, minute, second, millisecond]}`, []uint16{2024, 5, 6, 7, 8, 9, 750}, 0.25, ""},
		{"ahead of UTC", `{table: holding, address: 9, zone: "+08:00", layout: [year, month, day, hour, minute, second]}`, []uint16{2024, 5, 6, 15, 8, 9}, -0.5, ""},
		{"unix", `{table: holding, address: 9, layout: [unix]}`, []uint16{0x6638, 0x81DA}, 0.5, ""},
		{"unix, low word first", `{table: holding, address: 9, order: CDAB, layout: [unix]}`, []uint16{0x81DA, 0x6638}, 0.5, ""},
		{"seconds of the wall clock", `{table: holding, address: 9, zone: "+01:00", layout: [unix]}`, []uint16{0x6638, 0x8FEA}, 0.5, ""},
		{"seconds since 2000", `{table: holding, address: 9, epoch: 2000-01-01, layout: [unix]}`, []uint16{0x2DCB, 0x3E5A}, 0.5, ""},
		{"no seconds", `{table: holding, address: 9, layout: [unix]}`, []uint16{0, 0}, 0, "it counts 0x0"},
		{"cp56", `{table: holding, address: 9, layout: [cp56]}`, []uint16{24, 0x0526, 0x0708, 9250}, -0.25, ""},
		{"cp56 in summer", `{table: holding, address: 9, zone: "+01:00", layout: [cp56]}`, []uint16{24, 0x0526, 0x8908, 9250}, -0.25, ""},
		{"cp56, invalid", `{table: holding, address: 9, layout: [cp56]}`, []uint16{24, 0x0526, 0x0788, 9250}, 0, "invalid"},
		{"30 February", `{table: holding, address: 9, layout: [year, month, day, hour, minute, second]}`, []uint16{2024, 2, 30, 7, 8, 10}, 0, "2024-02-30 07:08:10 is not a date"},
		{"nothing set", `{table: holding, address: 9, layout: [year, month, day, hour, minute, second]}`, []uint16{0, 0, 0, 0, 0, 0}, 0, "is not a date"},
		{"all ones", `{table: holding, address: 9, layout: [year, month, day, hour, minute, second]}`, []uint16{65535, 65535, 65535, 65535, 65535, 65535}, 0, "is not a date"},
	} {
		p := clockProfile(t, c.clock)
		blocks := p.Modbus.Blocks(0)
		b := &blocks[len(blocks)-1]
		k := len(b.Points) - 1
		answer := make([]byte, b.AnswerSize())
		copy(answer[len(answer)-2*len(c.words):], words(c.words))
		v, raw := b.Decode(k, answer, read)
		switch {
		case b.Point(k).Quantity != meter.ClockOffset || len(raw) != 2*len(c.words):
			t.Errorf("%s: %+v, % x", c.name, b.Point(k), raw)
		case c.why != "":
			if v.Quality != meter.Bad || v.Flags != meter.Implausible || !math.IsNaN(v.Number) || !strings.Contains(v.Detail, c.why) {
				t.Errorf("%s: %+v", c.name, v)
			}
		case v.Quality != meter.Good || math.Abs(v.Number-c.want) > 1e-9:
			t.Errorf("%s: %+v, want %v", c.name, v, c.want)
		}
		if v := b.Point(k).Decode(raw); v.Quality != meter.Bad {
			t.Errorf("%s: a clock without the moment of reading: %+v", c.name, v)
		}
	}
}

// TestLocalClock reads a device that keeps the time of the machine.
func TestLocalClock(t *testing.T) {
	p := clockProfile(t, `{table: holding, address: 9, zone: local, layout: [year, month, day, hour, minute, second]}`)
	at := time.Date(2024, 1, 6, 7, 8, 9, 0, time.Local) //nolint:gosmopolitan // that is what is tested
	v := p.modbusPoint(meter.ClockOffset).DecodeAt(words([]uint16{2024, 1, 6, 7, 8, 11}), at.UTC())
	if v.Number != 2 || v.Quality != meter.Good {
		t.Errorf("%+v", v)
	}
}

// FuzzClock reads arbitrary registers as every kind of clock.
func FuzzClock(f *testing.F) {
	var clocks []*ModbusPoint
	for _, layout := range []string{
		`layout: [year, month, day, hour, minute, second]`, `layout: ["year|month", "day|hour", "minute|second"], bcd: true`,
		`layout: [cp56], zone: "+01:00"`, `layout: [unix], zone: "-03:30"`, `layout: [unix]`,
	} {
		clocks = append(clocks, clockProfile(f, "{table: holding, address: 9, "+layout+"}").modbusPoint(meter.ClockOffset))
	}
	f.Add(uint8(0), words([]uint16{2024, 5, 6, 7, 8, 9}))
	f.Add(uint8(1), words([]uint16{0x2405, 0x0607, 0x0809}))
	f.Add(uint8(2), words([]uint16{24, 0x0526, 0x8908, 9250}))
	f.Add(uint8(3), words([]uint16{0x6638, 0x81DA}))
	f.Fuzz(func(t *testing.T, which uint8, raw []byte) {
		v := clocks[int(which)%len(clocks)].DecodeAt(raw, read)
		if v.Quality == meter.Good && !(math.Abs(v.Number) < 200*366*86400) || v.Quality != meter.Good && v.Detail == "" {
			t.Fatalf("% x gives %+v", raw, v)
		}
	})
}
