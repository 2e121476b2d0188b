package curve

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory is a WorkStore within the process. It keeps curves in their stored
// form, a few bytes an interval. Make it with NewMemory.
type Memory struct {
	mu          sync.RWMutex
	meters      map[string][]memoryDay // by meter, in date order
	versions    map[string][]memoryDay // what was replaced, in the order it was
	states      map[stateKey]memoryState
	readers     map[string]memoryReader
	transaction sync.Mutex // one Atomically at a time
}

type memoryDay struct {
	date     Date
	open     bool
	number   int
	at       time.Time
	origin   Origin
	features Features
	curve    []byte
}

var (
	_ WorkStore     = (*Memory)(nil)
	_ Transactional = (*Memory)(nil)
)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{meters: map[string][]memoryDay{}, versions: map[string][]memoryDay{}, states: map[stateKey]memoryState{},
		readers: map[string]memoryReader{}}
}

// CheckPut returns an error where days and features cannot be stored.
func CheckPut(days []Day, features []Features) error {
	if len(days) != len(features) {
		return fmt.Errorf("%d days come with %d features; give each day its features", len(days), len(features))
	}
	for i := range days {
		d := &days[i]
		n := len(d.EnergyKWh)
		switch {
		case d.MeterID == "":
			return fmt.Errorf("a day on %s has no meter id", d.Date)
		case n == 0 || n > maxIntervals || d.Interval <= 0:
			return fmt.Errorf("meter %s on %s: %d intervals of %v; a day has 1 to %d", d.MeterID, d.Date, n, d.Interval, maxIntervals)
		case len(d.Quality) != n || d.Flags != nil && len(d.Flags) != n:
			return fmt.Errorf("meter %s on %s: %d intervals with %d qualities and %d flags", d.MeterID, d.Date, n, len(d.Quality), len(d.Flags))
		}
		for q, column := range d.Other {
			if len(column) != n {
				return fmt.Errorf("meter %s on %s: %d intervals with %d values of %s", d.MeterID, d.Date, n, len(column), q)
			}
		}
	}
	return nil
}

// PutDays implements Store.
func (m *Memory) PutDays(ctx context.Context, days []Day, features []Features) error {
	if err := checkPut(ctx, days, features); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range days {
		if err := m.deliver(days[i].MeterID, stored(&days[i], &features[i])); err != nil {
			return err
		}
	}
	return nil
}

func stored(d *Day, f *Features) memoryDay {
	return memoryDay{d.Date, d.Open, 1, time.Now().UTC(), d.Origin, *f, bytes.Clone(Encode(nil, d))}
}

func checkPut(ctx context.Context, days []Day, features []Features) error {
	if err := CheckPut(days, features); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store days: %w", err)
	}
	return nil
}

// deliver stores a day; m.mu is held.
func (m *Memory) deliver(meterID string, day memoryDay) error {
	old, found := m.find(meterID, day.date)
	if !found || old.open || day.open || old.origin.Rule != OriginEdited {
		m.put(meterID, day)
		return nil
	}
	current, err := old.day(meterID)
	if err != nil {
		return err
	}
	delivered, err := day.day(meterID)
	if err != nil {
		return err
	}
	versions, err := Supersede(&current, &delivered, func() (*Day, error) { return m.lastDelivered(meterID, day.date) })
	for i := range versions {
		m.put(meterID, stored(&versions[i].Day, &versions[i].Features))
	}
	return err
}

// put makes a day the current one; m.mu is held.
func (m *Memory) put(meterID string, day memoryDay) {
	list := m.meters[meterID]
	at, found := slices.BinarySearchFunc(list, day.date, byDate)
	if !found {
		m.meters[meterID] = slices.Insert(list, at, day)
		return
	}
	old := list[at]
	day.number = old.number
	same := bytes.Equal(old.curve, day.curve)
	if !old.open && (day.open || !same) {
		m.versions[meterID] = append(m.versions[meterID], old)
		day.number++
	}
	if same && old.open == day.open {
		day.origin, day.at = old.origin, old.at
	}
	list[at] = day
}

func byDate(d memoryDay, date Date) int { return int(d.date - date) }

func (m *Memory) find(meterID string, date Date) (day memoryDay, found bool) {
	list := m.meters[meterID]
	at, found := slices.BinarySearchFunc(list, date, byDate)
	if found {
		day = list[at]
	}
	return day, found
}

func (s *memoryDay) day(meterID string) (Day, error) {
	var d Day
	if err := Decode(&d, meterID, s.date, s.curve); err != nil {
		return d, err
	}
	d.Open, d.Origin = s.open, s.origin
	return d, nil
}

// Days implements Store.
func (m *Memory) Days(_ context.Context, meterID string, first, last Date) ([]Day, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Day
	for i := range m.meters[meterID] {
		day := &m.meters[meterID][i]
		if day.date < first || day.date > last {
			continue
		}
		d, err := day.day(meterID)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// Features implements Store.
func (m *Memory) Features(ctx context.Context, first, last Date, fn func(meterID string, date Date, f *Features) error) error {
	m.mu.RLock()
	ids := slices.Sorted(maps.Keys(m.meters))
	m.mu.RUnlock()
	return m.FeaturesOf(ctx, ids, first, last, fn)
}

// Span implements Store.
func (m *Memory) Span(_ context.Context) (first, last Date, ok bool, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, days := range m.meters {
		for i := range days {
			if days[i].open {
				continue
			}
			if !ok || days[i].date < first {
				first = days[i].date
			}
			if !ok || days[i].date > last {
				last = days[i].date
			}
			ok = true
		}
	}
	return first, last, ok, nil
}
