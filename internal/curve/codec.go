package curve

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
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

// ErrCorrupt says that bytes are not a stored curve.
var ErrCorrupt = errors.New("not a stored curve")

// Encode appends the stored form of d to dst. Negative zeros become zeros.
func Encode(dst []byte, d *Day) []byte {
	n := len(d.EnergyKWh)
	dst = append(dst, codecVersion)
	dst = binary.AppendUvarint(dst, uint64(d.Interval/time.Second))
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = binary.AppendUvarint(dst, zigzag(d.Start.Unix()-int64(d.Date)*86400))
	dst = appendColumn(dst, d.EnergyKWh, false)
	dst = appendRuns(dst, d.Quality)
	switch {
	case d.Flags != nil:
		dst = appendRuns(dst, d.Flags)
	case n > 0:
		dst = binary.AppendUvarint(dst, uint64(n))
		dst = append(dst, 0)
	}
	if len(d.Other) == 0 {
		return append(dst, 0)
	}
	names := make([]meter.Quantity, 0, len(d.Other))
	for q := range d.Other {
		names = append(names, q)
	}
	slices.Sort(names)
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	var wide [maxIntervals]float64
	for _, name := range names {
		dst = binary.AppendUvarint(dst, uint64(len(name)))
		dst = append(dst, name...)
		column := wide[:0]
		for _, v := range d.Other[name] {
			column = append(column, float64(v))
		}
		dst = appendColumn(dst, column, true)
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
	c.column(d.EnergyKWh)
	c.runs(int(n), func(from, to int, v uint64) {
		c.bad = c.bad || v > uint64(meter.Good)
		fill(d.Quality[from:to], meter.Quality(v)) //nolint:gosec // checked
	})
	c.runs(int(n), func(from, to int, v uint64) {
		switch {
		case v > math.MaxUint16:
			c.bad = true
		case v != 0:
			if d.Flags == nil {
				d.Flags = make([]meter.Flags, n)
			}
			fill(d.Flags[from:to], meter.Flags(v)) //nolint:gosec // checked
		}
	})
	columns := c.uvarint()
	for range columns {
		if c.bad {
			break
		}
		name := string(c.bytes(c.uvarint()))
		column, wide := make([]float32, n), make([]float64, n)
		c.column(wide)
		for i, v := range wide {
			column[i] = float32(v)
		}
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
