package ingest

import (
	"fmt"
	"math"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/textfile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// yield says what is made of validated meter-days.
type yield int

const (
	yieldNothing  yield = iota // a check
	yieldDays                  // for a sink that wants curves
	yieldFeatures              // curves and features
	yieldEncoded               // features and the stored form, for a sink that stores
)

// batch is what parsing one block gave. Batches are used again.
type batch struct {
	made     []made
	counts   []curve.Counts   // of those that met a rule, see made
	days     []curve.Day      // aligned with made, where days are wanted
	features []curve.Features // aligned with made, where they are wanted
	encoded  []curve.Encoded  // aligned with made, where the stored form is wanted
	curves   []byte           // what encoded points into
	origin   curve.Origin     // of encoded
	computed time.Duration    // spent on features, about
	rows     int
	long     []longRow // of long files
	problems textfile.Problems
}

// made is one meter-day.
type made struct {
	meter     int32
	date      curve.Date
	counts    int32 // place in counts, -1 where no rule was met
	intervals int16
	mark      uint16 // fingerprint of the energies
	known     bool   // the registry has the meter
}

// reset empties the batch for its next block. What was handed to a sink that
// may keep it is let go.
func (b *batch) reset() {
	b.made, b.counts, b.encoded, b.curves, b.long = b.made[:0], b.counts[:0], b.encoded[:0], b.curves[:0], b.long[:0]
	b.days, b.features = nil, nil
	b.computed, b.rows, b.problems = 0, 0, textfile.Problems{}
}

// move puts the day at place from into place to.
func (b *batch) move(to, from int) {
	b.made[to] = b.made[from]
	if len(b.days) > 0 {
		b.days[to] = b.days[from]
	}
	if len(b.features) > 0 {
		b.features[to] = b.features[from]
	}
	if len(b.encoded) > 0 {
		b.encoded[to] = b.encoded[from]
	}
}

// cut drops what follows the first n days.
func (b *batch) cut(n int) {
	b.made = b.made[:n]
	b.days, b.features, b.encoded = b.days[:min(n, len(b.days))], b.features[:min(n, len(b.features))], b.encoded[:min(n, len(b.encoded))]
}

// maker turns the delivered intervals of days into validated meter-days; one
// goroutine uses it.
type maker struct {
	*meterView
	yield  yield
	origin curve.Origin // of the days, which names their file

	computed int // days with features so far
}

// finish validates d, a day of meter, and adds it to b.
func (m *maker) finish(b *batch, d *curve.Day, number int32, counts *curve.Counts) {
	record := m.at(number)
	limits, known := m.on(record, d.Start)
	done := made{meter: number, date: d.Date, counts: -1, intervals: int16(len(d.EnergyKWh)), known: known}
	curve.VEE(d, limits, counts)
	if *counts != (curve.Counts{}) {
		done.counts = int32(len(b.counts))
		b.counts = append(b.counts, *counts)
	}
	done.mark = fingerprint(d.EnergyKWh)
	b.made = append(b.made, done)
	switch m.yield {
	case yieldDays:
		b.days = append(b.days, *d)
	case yieldFeatures:
		b.days = append(b.days, *d)
		b.features = append(b.features, m.compute(b, d))
	case yieldEncoded:
		b.origin = m.origin
		at := len(b.curves)
		b.curves = curve.Encode(b.curves, d)
		b.encoded = append(b.encoded, curve.Encoded{MeterID: d.MeterID, Date: d.Date, Features: m.compute(b, d), Curve: b.curves[at:len(b.curves):len(b.curves)]})
	}
}

// timedEvery is how many days stand for one whose features are timed: looking
// at the clock takes as long as some features.
const timedEvery = 16

func (m *maker) compute(b *batch, d *curve.Day) curve.Features {
	if m.computed++; m.computed%timedEvery != 1 {
		return curve.Compute(d)
	}
	began := time.Now()
	f := curve.Compute(d)
	b.computed += timedEvery * time.Since(began)
	return f
}

// keepsDays reports whether the sink may keep the days that are made.
func (m *maker) keepsDays() bool { return m.yield == yieldDays || m.yield == yieldFeatures }

// slab hands out the slices of meter-days: from large pieces of memory where
// the days are kept, else the same ones again.
type slab struct {
	keeps   bool
	energy  []float64
	quality []meter.Quality
}

// slabDays is how many days of 96 intervals one piece holds.
const slabDays = 256

// day returns a day of good quality whose energies are not set.
func (s *slab) day(id string, l *layout, interval time.Duration) curve.Day {
	n := l.intervals
	if len(s.energy) < n {
		size := n
		if s.keeps {
			size = max(n, slabDays*96)
		}
		s.energy, s.quality = make([]float64, size), make([]meter.Quality, size)
		fill(s.quality, meter.Good)
	}
	d := curve.Day{MeterID: id, Date: l.date, Start: l.startUTC, Interval: interval,
		EnergyKWh: s.energy[:n:n], Quality: s.quality[:n:n]}
	if s.keeps {
		s.energy, s.quality = s.energy[n:], s.quality[n:]
	}
	return d
}

// back takes a day's slices back where they are used again.
func (s *slab) back(d *curve.Day) {
	if !s.keeps && d.Flags != nil {
		fill(s.quality, meter.Good)
	}
}

func fill[T any](list []T, v T) {
	for i := range list {
		list[i] = v
	}
}

// fingerprint hashes the energies of a day; never 0.
func fingerprint(energy []float64) uint16 {
	const prime = 1099511628211
	a, b, c := uint64(14695981039346656037), uint64(1), uint64(2)
	for len(energy) >= 3 { // three at a time, as one waits for its multiplication
		a = (a ^ math.Float64bits(energy[0])) * prime
		b = (b ^ math.Float64bits(energy[1])) * prime
		c = (c ^ math.Float64bits(energy[2])) * prime
		energy = energy[3:]
	}
	for _, e := range energy {
		a = (a ^ math.Float64bits(e)) * prime
	}
	a = (a ^ b ^ b>>29) * prime
	a = (a ^ a>>32 ^ c ^ c>>29) * prime
	return uint16(a>>48) | 1
}

const longestID = 128

func checkID(id []byte) error {
	switch {
	case len(id) == 0:
		return fmt.Errorf("meter_id is empty; give every row its meter")
	case len(id) > longestID:
		return fmt.Errorf("meter_id is longer than %d bytes; give the id alone", longestID)
	}
	return nil
}
