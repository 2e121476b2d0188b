package ingest

import (
	"fmt"
	"math"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/textfile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// batch is what parsing one block gave.
type batch struct {
	days     []curve.Day
	features []curve.Features // aligned with days, where they were asked for
	counts   []curve.Counts   // aligned with days
	known    []bool           // aligned with days: the registry has the meter
	computed time.Duration    // spent on features
	rows     int
	long     []longRow // of long files
	problems textfile.Problems
}

// newBatch makes room for n days, so that they are not moved as they come.
func newBatch(n int, features bool) *batch {
	b := &batch{days: make([]curve.Day, 0, n), counts: make([]curve.Counts, 0, n), known: make([]bool, 0, n)}
	if features {
		b.features = make([]curve.Features, 0, n)
	}
	return b
}

// maker makes meter-days: it validates, estimates and computes features.
type maker struct {
	network  *grid.Network
	features bool
}

// finish turns the delivered intervals of d into a validated meter-day and
// adds it to b.
func (m *maker) finish(b *batch, d curve.Day, counts curve.Counts) {
	limits, known := curve.Limits{}, true
	if m.network != nil {
		limits = curve.LimitsOf(m.network, d.MeterID, d.Start)
		known = m.network.TransformerOfMeter(d.MeterID) != nil || m.network.UsagePointOfMeter(d.MeterID, d.Start) != nil
	}
	curve.VEE(&d, limits, &counts)
	b.days = append(b.days, d)
	b.counts = append(b.counts, counts)
	b.known = append(b.known, known)
	if m.features {
		began := time.Now()
		b.features = append(b.features, curve.Compute(&d))
		b.computed += time.Since(began)
	}
}

// slab hands out the slices of meter-days from large pieces of memory.
type slab struct {
	energy  []float64
	quality []meter.Quality
}

// slabDays is how many days of 96 intervals one piece holds.
const slabDays = 256

func (s *slab) day(id string, l *layout, interval time.Duration) curve.Day {
	n := l.intervals
	if len(s.energy) < n {
		size := max(n, slabDays*96)
		s.energy, s.quality = make([]float64, size), make([]meter.Quality, size)
	}
	d := curve.Day{MeterID: id, Date: l.date, Start: l.start.UTC(), Interval: interval,
		EnergyKWh: s.energy[:n:n], Quality: s.quality[:n:n]}
	s.energy, s.quality = s.energy[n:], s.quality[n:]
	nan := math.NaN()
	for i := range d.EnergyKWh {
		d.EnergyKWh[i] = nan
		d.Quality[i] = meter.Good
	}
	return d
}

// interner gives back one string for equal byte slices; it is not safe for
// concurrent use.
type interner map[string]string

func (in interner) of(b []byte) string {
	if s, ok := in[string(b)]; ok {
		return s
	}
	s := string(b)
	in[s] = s
	return s
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
