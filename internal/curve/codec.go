package curve

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// The stored form of a curve, version 1:
//
//	byte     version
//	uvarint  interval in seconds
//	uvarint  number of intervals
//	zigzag   start of the day less the date's midnight in UTC, seconds
//	column   energies
//	runs     quality
//	runs     flags
//	uvarint  number of further columns, each: uvarint length, name, column
//
// A column is integers with one decimal exponent for the day, the differences
// of successive ones Rice-coded; where the values are no such decimals, the
// raw floating-point numbers. Integers are divided by the power of ten to get
// the values back, which is exact; multiplying by a decimal fraction is not.

const codecVersion = 1

// maxIntervals is the most that a day may have: 5 minutes over 26 hours.
const maxIntervals = 26 * 12

// Kinds of column; from decimalBase on the exponent is added.
const (
	columnRaw64 = iota
	columnRaw32
	decimalBase
)

const (
	maxExponent = 9
	maxCount    = 1 << 52 // integers beyond are stored raw
)

var powersOfTen = [maxExponent + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// ErrCorrupt says that bytes are not a stored curve.
var ErrCorrupt = errors.New("not a stored curve")

// Encode appends the stored form of d to dst. Negative zeros become zeros.
func Encode(dst []byte, d *Day) []byte {
	n := len(d.EnergyKWh)
	dst = append(dst, codecVersion)
	dst = binary.AppendUvarint(dst, uint64(d.Interval/time.Second))
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = binary.AppendUvarint(dst, zigzag(d.Start.Unix()-int64(d.Date)*86400))
	dst = appendColumn(dst, n, func(i int) float64 { return d.EnergyKWh[i] }, false)
	dst = appendRuns(dst, n, func(i int) uint64 { return uint64(d.Quality[i]) })
	dst = appendRuns(dst, n, func(i int) uint64 {
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
		dst = appendColumn(dst, n, func(i int) float64 { return float64(column[i]) }, true)
	}
	return dst
}

// appendColumn appends n values; single ones need only come back as float32.
func appendColumn(dst []byte, n int, at func(int) float64, single bool) []byte {
	missing := 0
	exponent := 0
	for i := range n {
		v := at(i)
		if v != v {
			missing++
			continue
		}
		for exponent <= maxExponent && !isDecimal(v, exponent, single) {
			exponent++
		}
		if exponent > maxExponent {
			return appendRaw(dst, n, at, single)
		}
	}
	// A later value may need a higher exponent than an earlier one, at which
	// the earlier one is no longer exact or too large.
	for i := range n {
		if v := at(i); v == v && !isDecimal(v, exponent, single) {
			return appendRaw(dst, n, at, single)
		}
	}
	dst = append(dst, byte(decimalBase+exponent))
	dst = binary.AppendUvarint(dst, uint64(missing))
	if missing > 0 {
		dst = appendRuns(dst, n, func(i int) uint64 {
			if v := at(i); v != v {
				return 1
			}
			return 0
		})
	}
	return appendDeltas(dst, n, exponent, at)
}

func isDecimal(v float64, exponent int, single bool) bool {
	count := math.Round(v * powersOfTen[exponent])
	if math.Abs(count) >= maxCount {
		return false
	}
	back := count / powersOfTen[exponent]
	return back == v || single && float32(back) == float32(v)
}

func appendDeltas(dst []byte, n, exponent int, at func(int) float64) []byte {
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
	w := bitWriter{out: dst}
	for _, v := range deltas[:count-1] {
		w.rice(v, k)
	}
	return w.finish()
}

func appendRaw(dst []byte, n int, at func(int) float64, single bool) []byte {
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

// appendRuns appends n small numbers as (length, value) runs.
func appendRuns(dst []byte, n int, at func(int) uint64) []byte {
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

// Decode reads a stored curve of meterID on date into d, whose slices are
// made anew. Bytes that are no curve give ErrCorrupt.
func Decode(d *Day, meterID string, date Date, data []byte) error {
	c := cursor{in: data}
	if v := c.byte(); v != codecVersion {
		return fmt.Errorf("curve of meter %s on %s: %w (version %d)", meterID, date, ErrCorrupt, v)
	}
	seconds, n, start := c.uvarint(), c.uvarint(), unzigzag(c.uvarint())
	if c.bad || n > maxIntervals || seconds == 0 || seconds > 3600 || start < -86400 || start > 2*86400 {
		return fmt.Errorf("curve of meter %s on %s: %w (header)", meterID, date, ErrCorrupt)
	}
	*d = Day{MeterID: meterID, Date: date, Interval: time.Duration(seconds) * time.Second,
		Start: time.Unix(int64(date)*86400+start, 0).UTC(), EnergyKWh: make([]float64, n), Quality: make([]meter.Quality, n)}
	c.column(int(n), func(i int, v float64) { d.EnergyKWh[i] = v })
	c.runs(int(n), func(i int, v uint64) {
		if v > uint64(meter.Good) {
			c.bad = true
		}
		d.Quality[i] = meter.Quality(v)
	})
	c.runs(int(n), func(i int, v uint64) {
		switch {
		case v > math.MaxUint16:
			c.bad = true
		case v != 0:
			d.Flag(i, meter.Flags(v))
		}
	})
	columns := c.uvarint()
	for range columns {
		if c.bad {
			break
		}
		name := string(c.bytes(c.uvarint()))
		column := make([]float32, n)
		c.column(int(n), func(i int, v float64) { column[i] = float32(v) })
		if d.Other == nil {
			d.Other = make(map[meter.Quantity][]float32)
		}
		d.Other[meter.Quantity(name)] = column
	}
	if c.bad || len(c.in) != 0 {
		return fmt.Errorf("curve of meter %s on %s: %w", meterID, date, ErrCorrupt)
	}
	return nil
}

func (c *cursor) column(n int, set func(int, float64)) {
	switch kind := c.byte(); {
	case c.bad:
	case kind == columnRaw64:
		for i, raw := 0, c.bytes(uint64(8*n)); i < n && !c.bad; i++ {
			set(i, math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
		}
	case kind == columnRaw32:
		for i, raw := 0, c.bytes(uint64(4*n)); i < n && !c.bad; i++ {
			set(i, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))))
		}
	case kind <= decimalBase+maxExponent:
		c.decimals(n, powersOfTen[kind-decimalBase], set)
	default:
		c.bad = true
	}
}

func (c *cursor) decimals(n int, divisor float64, set func(int, float64)) {
	var missing [maxIntervals]bool
	count := n
	if holes := c.uvarint(); holes > 0 {
		c.runs(n, func(i int, v uint64) {
			if v != 0 {
				missing[i] = true
				count--
			}
		})
	}
	whole, k := int64(0), uint(0)
	if count > 0 {
		whole = unzigzag(c.uvarint())
		k = uint(c.byte())
	}
	if c.bad || k > maxRice {
		c.bad = true
		return
	}
	r := bitReader{in: c.in}
	first := true
	for i := range n {
		if missing[i] {
			set(i, math.NaN())
			continue
		}
		if !first {
			whole += unzigzag(r.rice(k))
		}
		first = false
		set(i, float64(whole)/divisor)
	}
	c.in = r.in
	c.bad = c.bad || r.bad
}

func (c *cursor) runs(n int, set func(int, uint64)) {
	for i := 0; i < n && !c.bad; {
		length, v := c.uvarint(), c.uvarint()
		if length == 0 || length > uint64(n-i) {
			c.bad = true
			return
		}
		for range length {
			set(i, v)
			i++
		}
	}
}

// FeatureBytes is the size of stored features.
const FeatureBytes = 4 * FeatureCount

// AppendFeatures appends the stored form of f, little-endian float32.
func AppendFeatures(dst []byte, f *Features) []byte {
	for _, v := range f {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
	}
	return dst
}

// DecodeFeatures reads what AppendFeatures wrote. Features that a later
// version added are NaN.
func DecodeFeatures(f *Features, data []byte) {
	for i := range f {
		f[i] = float32(math.NaN())
		if 4*i+4 <= len(data) {
			f[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
	}
}
