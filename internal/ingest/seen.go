package ingest

import (
	"math"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// seen remembers which meter-days were passed on, with a fingerprint of each,
// in four bytes a day.
type seen struct {
	meters map[string]*seenMeter
	last   *seenMeter
	lastID string
}

type seenMeter struct {
	base  curve.Date
	marks []uint32 // by day from base; 0 is not seen
}

func newSeen() seen { return seen{meters: make(map[string]*seenMeter)} }

func (s *seen) meter(id string) *seenMeter {
	if s.last != nil && s.lastID == id {
		return s.last
	}
	m, ok := s.meters[id]
	if !ok {
		m = &seenMeter{}
		s.meters[id] = m
	}
	s.last, s.lastID = m, id
	return m
}

// has reports whether the day was passed on.
func (s *seen) has(id string, date curve.Date) bool {
	m, ok := s.meters[id]
	if !ok {
		return false
	}
	at := int(date - m.base)
	return at >= 0 && at < len(m.marks) && m.marks[at] != 0
}

// day marks the day; first is false where it was marked before, and same says
// whether with the same fingerprint.
func (s *seen) day(id string, date curve.Date, mark uint32) (first, same bool) {
	m := s.meter(id)
	if len(m.marks) == 0 {
		m.base = date
	}
	if date < m.base {
		m.marks = append(make([]uint32, m.base-date), m.marks...)
		m.base = date
	}
	at := int(date - m.base)
	if at >= len(m.marks) {
		m.marks = append(m.marks, make([]uint32, at+1-len(m.marks))...)
	}
	if m.marks[at] != 0 {
		return false, m.marks[at] == mark
	}
	m.marks[at] = mark
	return true, true
}

// fingerprint hashes the energies of a day (FNV-1a over their bits); never 0.
func fingerprint(d *curve.Day) uint32 {
	h := uint64(14695981039346656037)
	for _, e := range d.EnergyKWh {
		h ^= math.Float64bits(e)
		h *= 1099511628211
	}
	return uint32(h>>32) | 1
}
