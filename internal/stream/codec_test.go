package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func genTime() *rapid.Generator[time.Time] {
	return rapid.OneOf(
		rapid.Just(time.Time{}),
		rapid.Map(rapid.Int64(), func(ns int64) time.Time { return time.Unix(0, ns).UTC() }),
		rapid.Map(rapid.Int64Range(0, 1<<40), func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }),
		rapid.Map(rapid.Int64Range(-62135596800, 253402300799), func(s int64) time.Time { return time.Unix(s, s&0xfffff).UTC() }),
	)
}

func genReading() *rapid.Generator[meter.Reading] {
	return rapid.Custom(func(t *rapid.T) meter.Reading {
		r := meter.Reading{
			DeviceID:    rapid.OneOf(rapid.SampledFrom([]string{"", "d1", "d2"}), rapid.String()).Draw(t, "device"),
			MeterID:     rapid.OneOf(rapid.SampledFrom([]string{"", "m1", "m2"}), rapid.String()).Draw(t, "meter"),
			Quantity:    rapid.OneOf(rapid.SampledFrom(meter.Quantities()), rapid.Map(rapid.String(), func(s string) meter.Quantity { return meter.Quantity(s) })).Draw(t, "quantity"),
			Value:       math.Float64frombits(rapid.Uint64().Draw(t, "bits")),
			EventTime:   genTime().Draw(t, "event"),
			ReceiveTime: genTime().Draw(t, "receive"),
			Quality:     rapid.SampledFrom([]meter.Quality{meter.Bad, meter.Uncertain, meter.Good}).Draw(t, "quality"),
			Flags:       meter.Flags(rapid.Uint16().Draw(t, "flags")),
			Detail:      rapid.String().Draw(t, "detail"),
		}
		if raw := rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "raw"); len(raw) > 0 {
			r.Raw = raw
		}
		return r
	})
}

// same compares to the bit: NaN equals the same NaN.
func same(a, b meter.Reading) bool {
	return a.DeviceID == b.DeviceID && a.MeterID == b.MeterID && a.Quantity == b.Quantity &&
		math.Float64bits(a.Value) == math.Float64bits(b.Value) &&
		a.EventTime == b.EventTime && a.ReceiveTime == b.ReceiveTime &&
		a.Quality == b.Quality && a.Flags == b.Flags && bytes.Equal(a.Raw, b.Raw) && a.Detail == b.Detail
}

func decodeAll(t interface{ Fatalf(string, ...any) }, chunks [][]byte) []meter.Reading {
	var out []meter.Reading
	for _, c := range chunks {
		got, err := Decode(c)
		if err != nil {
			t.Fatalf("decode: %v", err)
		}
		out = append(out, got...)
	}
	return out
}

func TestCodecRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(genReading(), 0, 60).Draw(t, "readings")
		target := rapid.IntRange(1, 4096).Draw(t, "target")
		chunks, err := Encode(in, target)
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		out := decodeAll(t, chunks)
		if len(out) != len(in) {
			t.Fatalf("%d readings in, %d out", len(in), len(out))
		}
		for i := range in {
			if !same(in[i], out[i]) {
				t.Fatalf("reading %d:\n in %+v\nout %+v", i, in[i], out[i])
			}
		}
	})
}

func TestCodecIsCompact(t *testing.T) {
	chunks, err := Encode(sample(10_000), DefaultMessageBytes)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, c := range chunks {
		total += len(c)
	}
	if perReading := float64(total) / 10_000; perReading > 26 {
		t.Errorf("%.1f bytes a reading, at most 26 were expected", perReading)
	}
}

// sample is n readings as a poller hands them over: many devices, a few
// quantities each, raw registers kept.
func sample(n int) []meter.Reading {
	at := time.Date(2026, 3, 29, 1, 0, 0, 123_000_000, time.UTC)
	quantities := meter.Quantities()[:10]
	out := make([]meter.Reading, n)
	for i := range out {
		device := i / len(quantities)
		moment := at.Add(time.Duration(device) * 1_234_567)
		out[i] = meter.Reading{
			DeviceID: "dev-" + string(rune('A'+device%26)), MeterID: "M" + string(rune('A'+device%26)),
			Quantity: quantities[i%len(quantities)], Value: float64(i) / 7,
			EventTime: moment, ReceiveTime: moment.Add(3 * time.Millisecond),
			Quality: meter.Good, Raw: []byte{1, 2, 3, byte(i)},
		}
	}
	return out
}

func TestEncodeRefuses(t *testing.T) {
	long := strings.Repeat("x", maxField+1)
	for name, tc := range map[string]struct {
		r    meter.Reading
		want string
	}{
		"quality": {meter.Reading{DeviceID: "d7", Quality: 3}, `device "d7"`},
		"detail":  {meter.Reading{DeviceID: "d7", Detail: long}, "detail has 65537 bytes; shorten it"},
		"raw":     {meter.Reading{DeviceID: "d7", Raw: []byte(long)}, "raw value has 65537 bytes"},
		"meter":   {meter.Reading{MeterID: long}, "meter id has 65537 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Encode([]meter.Reading{tc.r}, 1000)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestLargestReadingFitsAMessage(t *testing.T) {
	field := func(c string) string { return strings.Repeat(c, maxField) }
	r := meter.Reading{DeviceID: field("d"), MeterID: field("m"), Quantity: meter.Quantity(field("q")), Detail: field("e"), Raw: []byte(field("r"))}
	chunks, err := Encode([]meter.Reading{sample(1)[0], r, r}, maxMessage/2)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range chunks {
		if len(c) > maxMessage {
			t.Errorf("a message of %d bytes", len(c))
		}
	}
	decodeAll(t, chunks)
}

func TestDecodeRefuses(t *testing.T) {
	good, err := Encode(sample(3), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	message := good[0]
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"empty":            {nil, `does not begin with "GWR"`},
		"foreign":          {[]byte("{\"json\":true}"), `does not begin with "GWR"`},
		"later version":    {append([]byte("GWR\x02"), message[4:]...), "version 2, this program knows version 1"},
		"cut":              {message[:len(message)-1], "left"},
		"trailing":         {append(bytes.Clone(message), 0), "1 bytes follow the last reading"},
		"too large":        {make([]byte, maxMessage+1), "bytes, at most"},
		"many names":       {binary.AppendUvarint([]byte("GWR\x01"), math.MaxUint64), "names cannot fit"},
		"many readings":    {binary.AppendUvarint([]byte("GWR\x01\x00"), 1<<40), "readings cannot fit"},
		"name out of dict": {append([]byte("GWR\x01\x00\x01\x00\x05\x00\x00"), make([]byte, 20)...), "device 5 of a dictionary of 0"},
		"no such quality":  {append([]byte("GWR\x01\x00\x01\x03"), make([]byte, 20)...), "head of a reading is 0x03"},
		"reserved bit":     {append([]byte("GWR\x01\x00\x01\x80"), make([]byte, 20)...), "head of a reading is 0x80"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(tc.data)
			if !errors.Is(err, ErrUndecodable) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want ErrUndecodable with %q", err, tc.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, n := range []int{0, 1, 40} {
		chunks, err := Encode(sample(n), 1<<20)
		if err != nil {
			f.Fatal(err)
		}
		for _, c := range chunks {
			f.Add(c)
		}
	}
	f.Add([]byte("GWR\x01\x00\x01\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		readings, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrUndecodable) {
				t.Fatalf("error %v is not ErrUndecodable", err)
			}
			return
		}
		if len(readings)*minRow > len(data) {
			t.Fatalf("%d readings out of %d bytes", len(readings), len(data))
		}
		chunks, err := Encode(readings, maxMessage/2)
		if err != nil {
			t.Fatalf("decoded, but not to be encoded: %v", err)
		}
		again := decodeAll(t, chunks)
		for i := range readings {
			if !same(readings[i], again[i]) {
				t.Fatalf("reading %d changed:\n%+v\n%+v", i, readings[i], again[i])
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	in := sample(10_000)
	for b.Loop() {
		if _, err := Encode(in, DefaultMessageBytes); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(in))*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}

func BenchmarkDecode(b *testing.B) {
	in := sample(10_000)
	chunks, err := Encode(in, DefaultMessageBytes)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		decodeAll(b, chunks)
	}
	b.ReportMetric(float64(len(in))*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}
