package curve

import (
	"encoding/binary"
	"math"
)

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

// appendColumn appends values; single ones need only come back as float32.
func appendColumn(dst []byte, values []float64, single bool) []byte {
	var room [maxIntervals]int64
	whole := room[:]
	if len(values) > len(room) {
		whole = make([]int64, len(values))
	}
	whole = whole[:len(values)]
	exponent, missing, since := 0, 0, 0
	power := powersOfTen[0]
	for i, v := range values {
		// Nearly every value is a number of the exponent that the first ones
		// have shown; the rest is left to wholeOf.
		if count := v * power; count >= 0 && count < maxCount-0.5 {
			w := int64(count + 0.5)
			if whole[i] = w; float64(w)/power == v {
				continue
			}
		}
		if v != v {
			missing++
			continue
		}
		w, ok := wholeOf(v, power, single)
		for !ok {
			if exponent++; exponent > maxExponent {
				return appendRaw(dst, values, single)
			}
			power, since = powersOfTen[exponent], i
			w, ok = wholeOf(v, power, single)
		}
		whole[i] = w
	}
	// A later value may need a higher exponent than an earlier one, at which
	// the earlier one is no longer exact or too large.
	for i, v := range values[:since] {
		if v != v {
			continue
		}
		w, ok := wholeOf(v, power, single)
		if !ok {
			return appendRaw(dst, values, single)
		}
		whole[i] = w
	}
	dst = append(dst, byte(decimalBase+exponent))
	dst = binary.AppendUvarint(dst, uint64(missing))
	if missing > 0 {
		dst = appendHoles(dst, values)
		kept := 0
		for i, v := range values {
			if v == v {
				whole[kept] = whole[i]
				kept++
			}
		}
		whole = whole[:kept]
	}
	return appendDeltas(dst, whole)
}

// wholeOf returns v times a power of ten as an integer; ok is false where the
// integer divided by it is not v.
func wholeOf(v, power float64, single bool) (w int64, ok bool) {
	count := v * power
	if !(count < maxCount-0.5 && count > 0.5-maxCount) {
		return 0, false
	}
	w = int64(count + math.Copysign(0.5, count))
	back := float64(w) / power
	return w, back == v || single && float32(back) == float32(v)
}

// appendDeltas appends the first of some integers and Rice-codes the
// differences of successive ones; it overwrites them.
func appendDeltas(dst []byte, whole []int64) []byte {
	if len(whole) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, zigzag(whole[0]))
	previous, sum := whole[0], uint64(0)
	for i, w := range whole[1:] {
		z := zigzag(w - previous)
		previous = w
		sum += z
		whole[i] = int64(z) //nolint:gosec // read back as it was
	}
	k := riceParameter(sum, len(whole)-1)
	dst = append(dst, byte(k))
	return appendRice(dst, whole[:len(whole)-1], k)
}

func appendRaw(dst []byte, values []float64, single bool) []byte {
	if single {
		dst = append(dst, columnRaw32)
		for _, v := range values {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v)))
		}
		return dst
	}
	dst = append(dst, columnRaw64)
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}

// appendHoles appends where values are missing, as runs of 0 and 1.
func appendHoles(dst []byte, values []float64) []byte {
	holes := make([]byte, len(values))
	for i, v := range values {
		if v != v {
			holes[i] = 1
		}
	}
	return appendRuns(dst, holes)
}

// appendRuns appends small numbers as (length, value) runs.
func appendRuns[T ~uint8 | ~uint16](dst []byte, values []T) []byte {
	for i := 0; i < len(values); {
		v, end := values[i], i+1
		for end < len(values) && values[end] == v {
			end++
		}
		dst = binary.AppendUvarint(dst, uint64(end-i))
		dst = binary.AppendUvarint(dst, uint64(v))
		i = end
	}
	return dst
}

// appendTimes appends moments as the Rice-coded differences of their
// differences; it overwrites them.
func appendTimes(dst []byte, times []int64) []byte {
	previous := int64(0)
	for i, t := range times {
		times[i], previous = t-previous, t
	}
	dst = binary.AppendUvarint(dst, zigzag(times[0]))
	return appendDeltas(dst, times[1:])
}

// times reads n moments, n > 0.
func (c *cursor) times(n int, set func(int, int64)) {
	t := unzigzag(c.uvarint())
	set(0, t)
	if n == 1 || c.bad {
		return
	}
	step, k := unzigzag(c.uvarint()), uint(c.byte())
	if c.bad || k > maxRice {
		c.bad = true
		return
	}
	r := bitReader{in: c.in}
	for i := 1; i < n; i++ {
		if i > 1 {
			step += unzigzag(r.rice(k))
		}
		t += step
		set(i, t)
		if c.bad {
			return
		}
	}
	c.follow(&r)
}

// follow goes on where r has stopped.
func (c *cursor) follow(r *bitReader) {
	in, ok := r.rest()
	c.in, c.bad = in, c.bad || !ok
}

// column reads as many values as there is room for.
func (c *cursor) column(values []float64) {
	n := len(values)
	switch kind := c.byte(); {
	case c.bad:
	case kind == columnRaw64:
		for i, raw := 0, c.bytes(uint64(8*n)); i < n && !c.bad; i++ {
			values[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
		}
	case kind == columnRaw32:
		for i, raw := 0, c.bytes(uint64(4*n)); i < n && !c.bad; i++ {
			values[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
		}
	case kind <= decimalBase+maxExponent:
		c.decimals(values, powersOfTen[kind-decimalBase])
	default:
		c.bad = true
	}
}

func (c *cursor) decimals(values []float64, divisor float64) {
	count := len(values)
	var missing []bool
	if holes := c.uvarint(); holes > 0 {
		missing = make([]bool, len(values))
		c.runs(len(values), func(from, to int, v uint64) {
			if v != 0 {
				count -= to - from
				fill(missing[from:to], true)
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
	for i := range values {
		if missing != nil && missing[i] {
			values[i] = math.NaN()
			continue
		}
		if !first {
			whole += unzigzag(r.rice(k))
		}
		first = false
		values[i] = float64(whole) / divisor
	}
	c.follow(&r)
}

// runs calls set with the ends of each run of n small numbers.
func (c *cursor) runs(n int, set func(from, to int, v uint64)) {
	for i := 0; i < n && !c.bad; {
		length, v := c.uvarint(), c.uvarint()
		if length == 0 || length > uint64(n-i) { //nolint:gosec // i is below n
			c.bad = true
			return
		}
		set(i, i+int(length), v) //nolint:gosec // at most n
		i += int(length)         //nolint:gosec // at most n
	}
}

func fill[T any](list []T, v T) {
	for i := range list {
		list[i] = v
	}
}
