package curve

import (
	"bytes"
	"encoding/binary"
	"math"
	"sort"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func TestEncodeStoresTheBytesOfTheSlowReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDay(t)
		if got, want := Encode(nil, d), slowEncode(nil, d); !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
	for _, extreme := range []float64{0.49999999999999994, 1 << 51, 1<<51 + 0.5, 1<<52 - 0.5, 1 << 52, -0.5, 4.503599627370495e6, 1e300, math.Inf(1), 0.1 + 0.2} {
		d := dayOf(1, 24, func(h int) float64 { return extreme * float64(h%3) })
		if got, want := Encode(nil, d), slowEncode(nil, d); !bytes.Equal(got, want) {
			t.Errorf("%v: %x, want %x", extreme, got, want)
		}
	}
}

// slowEncode is Encode as it was written first: plainly, one thing after the
// other. Every byte that is stored must be one that it would store.
func slowEncode(dst []byte, d *Day) []byte {
	n := len(d.EnergyKWh)
	dst = append(dst, codecVersion)
	dst = binary.AppendUvarint(dst, uint64(d.Interval/time.Second))
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = binary.AppendUvarint(dst, zigzag(d.Start.Unix()-int64(d.Date)*86400))
	dst = slowAppendColumn(dst, n, func(i int) float64 { return d.EnergyKWh[i] }, false)
	dst = slowAppendRuns(dst, n, func(i int) uint64 { return uint64(d.Quality[i]) })
	dst = slowAppendRuns(dst, n, func(i int) uint64 {
		if d.Flags == nil {
			return 0
		}
		return uint64(d.Flags[i])
	})
	names := make([]string, 0, len(d.Other))
	for q := range d.Other {
		names = append(names, string(q))
	}
	sort.Strings(names)
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, name := range names {
		column := d.Other[meter.Quantity(name)]
		dst = binary.AppendUvarint(dst, uint64(len(name)))
		dst = append(dst, name...)
		dst = slowAppendColumn(dst, n, func(i int) float64 { return float64(column[i]) }, true)
	}
	return dst
}

// slowAppendColumn appends n values; single ones need only come back as float32.
func slowAppendColumn(dst []byte, n int, at func(int) float64, single bool) []byte {
	missing := 0
	exponent := 0
	for i := range n {
		v := at(i)
		if v != v {
			missing++
			continue
		}
		for exponent <= maxExponent && !slowIsDecimal(v, exponent, single) {
			exponent++
		}
		if exponent > maxExponent {
			return slowAppendRaw(dst, n, at, single)
		}
	}
	// A later value may need a higher exponent than an earlier one, at which
	// the earlier one is no longer exact or too large.
	for i := range n {
		if v := at(i); v == v && !slowIsDecimal(v, exponent, single) {
			return slowAppendRaw(dst, n, at, single)
		}
	}
	dst = append(dst, byte(decimalBase+exponent))
	dst = binary.AppendUvarint(dst, uint64(missing))
	if missing > 0 {
		dst = slowAppendRuns(dst, n, func(i int) uint64 {
			if v := at(i); v != v {
				return 1
			}
			return 0
		})
	}
	return slowAppendDeltas(dst, n, exponent, at)
}

func slowIsDecimal(v float64, exponent int, single bool) bool {
	count := math.Round(v * powersOfTen[exponent])
	if math.Abs(count) >= maxCount {
		return false
	}
	back := count / powersOfTen[exponent]
	return back == v || single && float32(back) == float32(v)
}

func slowAppendDeltas(dst []byte, n, exponent int, at func(int) float64) []byte {
	var sum uint64
	count, previous, first := 0, int64(0), int64(0)
	var deltas [maxIntervals]uint64
	for i := range n {
		v := at(i)
		if v != v {
			continue
		}
		whole := int64(math.Round(v * powersOfTen[exponent]))
		if count == 0 {
			first = whole
		} else {
			deltas[count-1] = zigzag(whole - previous)
			sum += deltas[count-1]
		}
		previous = whole
		count++
	}
	if count == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, zigzag(first))
	k := riceParameter(sum, count-1)
	dst = append(dst, byte(k))
	w := slowBitWriter{out: dst}
	for _, v := range deltas[:count-1] {
		w.rice(v, k)
	}
	return w.finish()
}

func slowAppendRaw(dst []byte, n int, at func(int) float64, single bool) []byte {
	if single {
		dst = append(dst, columnRaw32)
		for i := range n {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(at(i))))
		}
		return dst
	}
	dst = append(dst, columnRaw64)
	for i := range n {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(at(i)))
	}
	return dst
}

// slowAppendRuns appends n small numbers as (length, value) runs.
func slowAppendRuns(dst []byte, n int, at func(int) uint64) []byte {
	for i := 0; i < n; {
		v, end := at(i), i+1
		for end < n && at(end) == v {
			end++
		}
		dst = binary.AppendUvarint(dst, uint64(end-i))
		dst = binary.AppendUvarint(dst, v)
		i = end
	}
	return dst
}

// slowBitWriter appends bits, highest first, to a byte slice.
type slowBitWriter struct {
	out  []byte
	acc  uint64
	have uint
}

// write appends the low n bits of v, n ≤ 56.
func (w *slowBitWriter) write(v uint64, n uint) {
	w.acc = w.acc<<n | v&(1<<n-1)
	w.have += n
	for w.have >= 8 {
		w.have -= 8
		w.out = append(w.out, byte(w.acc>>w.have))
	}
}

// finish pads the last byte with zeros and returns the bytes.
func (w *slowBitWriter) finish() []byte {
	if w.have > 0 {
		w.out = append(w.out, byte(w.acc<<(8-w.have)))
		w.have = 0
	}
	return w.out
}

func (w *slowBitWriter) rice(v uint64, k uint) {
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

func BenchmarkSlowEncode(b *testing.B) {
	d := household()
	var buf []byte
	for b.Loop() {
		buf = slowEncode(buf[:0], d)
	}
}
