package scan

import (
	"context"
	"fmt"
	"slices"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// store keeps the meter-days of a scan in some 250 bytes each: curves in their
// stored form in large pieces of memory, features and the rest in columns. A
// hundred million intervals fit into a few hundred megabytes, without an
// object for each day. A meter-day comes once, as ingest sees to. Days are put
// by one goroutine before any is read.
type store struct {
	numbers map[string]int32
	meters  []shelf
	last    int32 // meter of the last day
	parts   []*part
	days    int
	curves  [][]byte // pieces of curveBytes

	first, final curve.Date // of all days
}

// shelf is what is kept of a meter.
type shelf struct {
	id     string
	newest int32 // the day that came last, which leads to the one before it
	end    curve.Date
}

// Sizes of the pieces.
const (
	partDays   = 1 << 14
	curveBytes = 4 << 20
)

// part holds days in columns.
type part struct {
	features [partDays]curve.Features
	meter    [partDays]int32
	date     [partDays]curve.Date
	before   [partDays]int32 // of the same meter, -1 where none
	piece    [partDays]int32 // of curves
	offset   [partDays]int32 // in the piece
	size     [partDays]uint16
}

var (
	_ curve.Store        = (*store)(nil)
	_ curve.EncodedStore = (*store)(nil)
)

func newStore() *store { return &store{numbers: make(map[string]int32)} }

// PutDays implements curve.Store.
func (s *store) PutDays(ctx context.Context, days []curve.Day, features []curve.Features) error {
	if err := curve.CheckPut(days, features); err != nil {
		return fmt.Errorf("keep days: %w", err)
	}
	encoded := make([]curve.Encoded, len(days))
	for i := range days {
		encoded[i] = curve.Encoded{MeterID: days[i].MeterID, Date: days[i].Date, Features: features[i], Curve: curve.Encode(nil, &days[i])}
	}
	return s.PutEncoded(ctx, curve.Origin{}, encoded)
}

// PutEncoded implements curve.EncodedStore.
func (s *store) PutEncoded(_ context.Context, _ curve.Origin, days []curve.Encoded) error {
	for i := range days {
		d := &days[i]
		if len(d.Curve) > curveBytes || len(d.Curve) > 1<<16-1 {
			return fmt.Errorf("meter %s on %s: a curve of %d bytes", d.MeterID, d.Date, len(d.Curve))
		}
		s.put(d)
	}
	return nil
}

func (s *store) put(d *curve.Encoded) {
	if s.days%partDays == 0 {
		s.parts = append(s.parts, new(part))
	}
	p, at := s.parts[len(s.parts)-1], s.days%partDays
	number := s.number(d.MeterID)
	m := &s.meters[number]
	p.features[at], p.meter[at], p.date[at], p.before[at] = d.Features, number, d.Date, m.newest
	if m.newest < 0 || d.Date > m.end {
		m.end = d.Date
	}
	m.newest = int32(s.days)
	if s.days == 0 || d.Date < s.first {
		s.first = d.Date
	}
	if s.days == 0 || d.Date > s.final {
		s.final = d.Date
	}
	s.days++

	n := len(s.curves) - 1
	if n < 0 || len(s.curves[n])+len(d.Curve) > curveBytes {
		s.curves = append(s.curves, make([]byte, 0, curveBytes))
		n++
	}
	p.piece[at], p.offset[at], p.size[at] = int32(n), int32(len(s.curves[n])), uint16(len(d.Curve))
	s.curves[n] = append(s.curves[n], d.Curve...)
}

// number returns the number of a meter. Files are by meter or by date with the
// same order of meters each day, so that it is mostly the last or the next.
func (s *store) number(id string) int32 {
	for guess := s.last; guess <= s.last+1; guess++ {
		if int(guess) < len(s.meters) && s.meters[guess].id == id {
			s.last = guess
			return guess
		}
	}
	n, ok := s.numbers[id]
	if !ok {
		n = int32(len(s.meters))
		s.numbers[id] = n
		s.meters = append(s.meters, shelf{id: id, newest: -1})
	}
	s.last = n
	return n
}

// Days implements curve.Store.
func (s *store) Days(_ context.Context, meterID string, first, last curve.Date) ([]curve.Day, error) {
	number, ok := s.numbers[meterID]
	if !ok {
		return nil, nil
	}
	var days []curve.Day
	for day := s.meters[number].newest; day >= 0; {
		p, at := s.parts[day/partDays], day%partDays
		if date := p.date[at]; date >= first && date <= last {
			data := s.curves[p.piece[at]][p.offset[at]:][:p.size[at]]
			var d curve.Day
			if err := curve.Decode(&d, meterID, date, data); err != nil {
				return nil, fmt.Errorf("kept curve: %w", err)
			}
			days = append(days, d)
		}
		day = p.before[at]
	}
	slices.SortFunc(days, func(a, b curve.Day) int { return int(a.Date - b.Date) })
	return days, nil
}

// FeaturesOf calls fn for each day of some meters from first to last (both
// inclusive), without going through those of all.
func (s *store) FeaturesOf(ctx context.Context, meterIDs []string, first, last curve.Date, fn func(meterID string, date curve.Date, f *curve.Features) error) error {
	for _, id := range meterIDs {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read features: %w", err)
		}
		number, ok := s.numbers[id]
		if !ok {
			continue
		}
		for day := s.meters[number].newest; day >= 0; {
			p, at := s.parts[day/partDays], day%partDays
			if date := p.date[at]; date >= first && date <= last {
				if err := fn(id, date, &p.features[at]); err != nil {
					return err
				}
			}
			day = p.before[at]
		}
	}
	return nil
}

// Features implements curve.Store.
func (s *store) Features(ctx context.Context, first, last curve.Date, fn func(meterID string, date curve.Date, f *curve.Features) error) error {
	for i, p := range s.parts {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read features: %w", err)
		}
		for at := range min(partDays, s.days-i*partDays) {
			if date := p.date[at]; date >= first && date <= last {
				if err := fn(s.meters[p.meter[at]].id, date, &p.features[at]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Span implements curve.Store.
func (s *store) Span(context.Context) (first, last curve.Date, ok bool, err error) {
	return s.first, s.final, s.days > 0, nil
}
