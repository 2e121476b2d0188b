package curve

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// The stored form of a working set, version 1:
//
//	byte     version
//	zigzag   date
//	uvarint  interval in seconds
//	zigzag   start of the day less the date's midnight in UTC, milliseconds
//	uvarint  length of the day, milliseconds
//	byte     which of the optional parts follow
//	         [late: from and to, milliseconds since the margin]
//	         [readings of the neighbouring days: time, value]
//	         [an open day of before: its length, the curve]
//	uvarint  intervals of the register: times and values of first readings,
//	         times and values of last ones, uncertain ones, extremes
//	samples  power
//	uvarint  further quantities, each: its code, samples
//
// Times are the second differences of successive ones, Rice-coded; values as
// in a stored curve.

const workVersion = 1

// ErrState says that bytes are not the stored state of a meter.
var ErrState = errors.New("not the state of a meter")

// Optional parts of a stored working set.
const (
	partClosed = 1 << iota
	partLate
	partBefore
	partAfter
	partPowerBefore
	partPowerAfter
	partBase
)

// appendWork appends the stored form of d.
func appendWork(dst []byte, d *workDay) []byte {
	dst = append(dst, workVersion)
	dst = binary.AppendUvarint(dst, zigzag(int64(d.date)))
	dst = binary.AppendUvarint(dst, uint64(d.interval/time.Second))
	dst = binary.AppendUvarint(dst, zigzag(d.start-int64(d.date)*msPerDay))
	dst = binary.AppendUvarint(dst, uint64(d.end-d.start))
	parts := byte(0)
	for _, p := range []struct {
		there bool
		bit   byte
	}{
		{d.closed, partClosed}, {d.lateFrom != 0, partLate}, {d.before.at != 0, partBefore}, {d.after.at != 0, partAfter},
		{d.powerBefore.at != 0, partPowerBefore}, {d.powerAfter.at != 0, partPowerAfter},
		{len(d.base) > 0, partBase},
	} {
		if p.there {
			parts |= p.bit
		}
	}
	dst = append(dst, parts)
	if parts&partLate != 0 {
		dst = binary.AppendUvarint(dst, uint64(d.at(d.lateFrom)))
		dst = binary.AppendUvarint(dst, uint64(d.at(d.lateTo)))
	}
	for _, p := range []point{d.before, d.after} {
		if p.at != 0 {
			dst = binary.AppendUvarint(dst, uint64(p.at)<<1|bit(p.u))
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(p.v))
		}
	}
	for _, s := range []sample{d.powerBefore, d.powerAfter} {
		if s.at != 0 {
			dst = binary.AppendUvarint(dst, uint64(s.at))
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(s.v))
		}
	}
	if len(d.base) > 0 {
		dst = binary.AppendUvarint(dst, uint64(len(d.base)))
		dst = append(dst, d.base...)
	}
	dst = appendSlots(dst, d)
	dst = appendSamples(dst, d.power)
	dst = binary.AppendUvarint(dst, uint64(len(d.means)))
	for i := range d.means {
		dst = append(dst, byte(d.means[i].code))
		dst = appendSamples(dst, d.means[i].samples)
	}
	return dst
}

const msPerDay = 24 * msPerHour

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func appendSlots(dst []byte, d *workDay) []byte {
	n := len(d.register)
	dst = binary.AppendUvarint(dst, uint64(n))
	if n == 0 {
		return dst
	}
	var timeRoom [maxIntervals]int64
	var valueRoom [maxIntervals]float64
	times, values := timeRoom[:n], valueRoom[:n]
	for _, end := range []func(s *slot) *point{func(s *slot) *point { return &s.first }, func(s *slot) *point { return &s.last }} {
		for i := range d.register {
			p := end(&d.register[i])
			times[i], values[i] = int64(p.at)<<1|int64(bit(p.u)), p.v
		}
		dst = appendTimes(dst, times)
		dst = appendColumn(dst, values, false)
	}
	dst = binary.AppendUvarint(dst, uint64(len(d.wild)))
	for _, e := range d.wild {
		dst = binary.AppendUvarint(dst, uint64(e.slot))
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(e.lo))
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(e.hi))
	}
	return dst
}

func appendSamples(dst []byte, list samples) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	if len(list) == 0 {
		return dst
	}
	var timeRoom [maxIntervals]int64
	var valueRoom [maxIntervals]float64
	times, values := timeRoom[:0], valueRoom[:0]
	for _, s := range list {
		times, values = append(times, int64(s.when())<<1|int64(bit(s.uncertain()))), append(values, float64(s.v))
	}
	dst = appendTimes(dst, times)
	return appendColumn(dst, values, true)
}

// decodeWork reads a stored working set. Bytes that are none give ErrState.
func decodeWork(data []byte) (*workDay, error) {
	c := cursor{in: data}
	d := c.work()
	if d == nil || c.bad || len(c.in) != 0 {
		return nil, ErrState
	}
	return d, nil
}

func (c *cursor) work() *workDay {
	if c.byte() != workVersion {
		c.bad = true
		return nil
	}
	date, seconds, start, length := unzigzag(c.uvarint()), c.uvarint(), unzigzag(c.uvarint()), c.uvarint()
	if c.bad || date < -1e6 || date > 1e6 || !slices.Contains([]uint64{300, 900, 1800, 3600}, seconds) ||
		start < -msPerDay || start > 2*msPerDay || length == 0 || length > 26*msPerHour {
		c.bad = true
		return nil
	}
	d := &workDay{date: Date(date), interval: time.Duration(seconds) * time.Second, start: date*msPerDay + start}
	d.end = d.start + int64(length)
	parts := c.byte()
	d.closed = parts&partClosed != 0
	if parts&partLate != 0 {
		d.lateFrom, d.lateTo = d.ms(c.moment(d)), d.ms(c.moment(d))
		c.bad = c.bad || d.lateFrom == 0 || d.lateFrom > d.lateTo
	}
	for _, p := range []struct {
		bit byte
		to  *point
	}{{partBefore, &d.before}, {partAfter, &d.after}} {
		if parts&p.bit != 0 {
			at := c.uvarint()
			*p.to = point{c.float64(), c.time(d, at>>1), at&1 != 0}
		}
	}
	for _, s := range []struct {
		bit byte
		to  *sample
	}{{partPowerBefore, &d.powerBefore}, {partPowerAfter, &d.powerAfter}} {
		if parts&s.bit != 0 {
			at := c.uvarint()
			*s.to = sample{c.time(d, at&^uncertainBit) | uint32(at&uncertainBit), c.float32()} //nolint:gosec // checked by time
		}
	}
	if parts&partBase != 0 {
		d.base = slices.Clone(c.bytes(c.uvarint()))
		var day Day
		if c.bad = c.bad || len(d.base) == 0 || Decode(&day, "", d.date, d.base) != nil || len(day.EnergyKWh) != d.intervals() || day.Interval != d.interval; c.bad {
			return nil
		}
	}
	c.bad = c.bad || parts >= partBase<<1
	c.slots(d)
	d.power = c.samples(d, powerCells)
	count := c.uvarint()
	for last := -1; count > 0 && !c.bad; count-- {
		code := int(c.byte())
		if code <= last || code >= len(kept) {
			c.bad = true
			return nil
		}
		last = code
		d.means = append(d.means, means{code, c.samples(d, meanCells)})
	}
	return d
}

// time checks a time of a working set, which may be of a neighbouring day.
func (c *cursor) time(d *workDay, at uint64) uint32 {
	if at == 0 || at > uint64(2*margin+d.end-d.start) {
		c.bad = true
		return 0
	}
	return uint32(at)
}

func (c *cursor) moment(d *workDay) uint32 { return c.time(d, c.uvarint()) }

func (c *cursor) float64() float64 {
	raw := c.bytes(8)
	if c.bad {
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(raw))
	c.bad = c.bad || math.IsNaN(v) || math.IsInf(v, 0)
	return v
}

func (c *cursor) float32() float32 {
	raw := c.bytes(4)
	if c.bad {
		return 0
	}
	v := math.Float32frombits(binary.LittleEndian.Uint32(raw))
	c.bad = c.bad || v != v || math.IsInf(float64(v), 0)
	return v
}

// within reports whether a time lies in the day itself.
func (d *workDay) within(at uint32) bool { return int64(at) >= margin && d.holds(d.ms(at)) }

func (c *cursor) slots(d *workDay) {
	n := c.uvarint()
	if c.bad || n > uint64(d.intervals()) {
		c.bad = true
		return
	}
	if n > 0 {
		first, last := c.points(d, int(n)), c.points(d, int(n))
		if c.bad {
			return
		}
		d.register = make([]slot, n)
		for i := range d.register {
			d.register[i] = slot{first[i], last[i]}
			k := d.slotOf(first[i].at)
			if first[i].at > last[i].at || k != d.slotOf(last[i].at) || i > 0 && k <= d.slotOf(first[i-1].at) {
				c.bad = true
				return
			}
		}
		for count, before := c.uvarint(), -1; count > 0 && !c.bad; count-- {
			e := extremes{slot: int(min(c.uvarint(), maxIntervals)), lo: c.float64(), hi: c.float64()}
			if e.slot <= before || e.slot >= d.intervals() || e.lo > e.hi {
				c.bad = true
				return
			}
			before = e.slot
			d.wild = append(d.wild, e)
		}
	}
}

// numbers reads values that are all there.
func (c *cursor) numbers(n int) []float64 {
	values := make([]float64, n)
	c.column(values)
	for _, v := range values {
		c.bad = c.bad || math.IsNaN(v) || math.IsInf(v, 0)
	}
	return values
}

func (c *cursor) points(d *workDay, n int) []point {
	list := make([]point, n)
	c.times(n, func(i int, t int64) {
		list[i].at, list[i].u = c.time(d, uint64(t>>1)), t&1 != 0
		c.bad = c.bad || t < 0 || !d.within(list[i].at)
	})
	for i, v := range c.numbers(n) {
		list[i].v = v
	}
	return list
}

func (c *cursor) samples(d *workDay, perInterval int64) samples {
	n := c.uvarint()
	if c.bad || n > uint64(int64(d.intervals())*perInterval) {
		c.bad = true
		return nil
	}
	if n == 0 {
		return nil
	}
	list := make(samples, n)
	cell := uint32(d.width() / perInterval) //nolint:gosec // at most an hour
	c.times(int(n), func(i int, t int64) {
		at := c.time(d, uint64(t>>1))
		c.bad = c.bad || t < 0 || !d.within(at) || i > 0 && at/cell <= list[i-1].when()/cell
		if list[i].at = at; t&1 != 0 {
			list[i].at |= uncertainBit
		}
	})
	for i, v := range c.numbers(int(n)) {
		if list[i].v = float32(v); math.IsInf(float64(list[i].v), 0) {
			c.bad = true
		}
	}
	return list
}

// The stored form of a meter's own state, version 1: how many days have a
// state of their own, their dates, and the working sets of the days in work,
// each with its length before it.

func (t *tracker) appendState(dst []byte) []byte {
	dst = append(dst, workVersion)
	dst = binary.AppendUvarint(dst, uint64(len(t.archived)))
	for _, date := range t.archived {
		dst = binary.AppendUvarint(dst, zigzag(int64(date)))
	}
	var day []byte
	for _, d := range t.days {
		if d.skipped {
			continue
		}
		day = appendWork(day[:0], d)
		dst = binary.AppendUvarint(dst, uint64(len(day)))
		dst = append(dst, day...)
	}
	return dst
}

// decodeState reads a stored state of a meter. Bytes that are none give ErrState.
func decodeState(meterID string, data []byte) (*tracker, error) {
	c := cursor{in: data}
	t := &tracker{id: meterID}
	version, count := c.byte(), c.uvarint()
	if c.bad || version != workVersion || count > uint64(len(c.in)) {
		return nil, fmt.Errorf("meter %s: %w", meterID, ErrState)
	}
	for range count {
		date := unzigzag(c.uvarint())
		if c.bad = c.bad || date < -1e6 || date > 1e6; c.bad {
			break
		}
		t.archived = append(t.archived, Date(date))
	}
	for len(c.in) > 0 && !c.bad {
		d, err := decodeWork(c.bytes(c.uvarint()))
		if err != nil {
			c.bad = true
			break
		}
		d.dirty = d.closed // it was reopened and is to be closed again
		if n := len(t.days); n > 0 && d.start < t.days[n-1].end {
			c.bad = true
			break
		}
		t.days = append(t.days, d)
	}
	if c.bad {
		return nil, fmt.Errorf("meter %s: %w", meterID, ErrState)
	}
	return t, nil
}
