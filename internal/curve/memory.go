package curve

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Memory is a Store within the process. It keeps curves in their stored form,
// a few bytes an interval. Make it with NewMemory.
type Memory struct {
	mu          sync.RWMutex
	meters      map[string][]memoryDay // by meter, in date order
	versions    map[string][]memoryDay // what was replaced, in the order it was
	checkpoints map[string][]byte
	transaction sync.Mutex // one Atomically at a time
}

type memoryDay struct {
	date     Date
	open     bool
	features Features
	curve    []byte
}

var (
	_ KeepingStore  = (*Memory)(nil)
	_ Transactional = (*Memory)(nil)
)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{meters: map[string][]memoryDay{}, versions: map[string][]memoryDay{}, checkpoints: map[string][]byte{}}
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
	if err := CheckPut(days, features); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store days: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var buf []byte
	for i := range days {
		buf = Encode(buf[:0], &days[i])
		m.put(days[i].MeterID, memoryDay{days[i].Date, days[i].Open, features[i], bytes.Clone(buf)})
	}
	return nil
}

func (m *Memory) put(meterID string, day memoryDay) {
	list := m.meters[meterID]
	at, found := slices.BinarySearchFunc(list, day.date, func(d memoryDay, date Date) int { return int(d.date - date) })
	if !found {
		m.meters[meterID] = slices.Insert(list, at, day)
		return
	}
	old := list[at]
	if !old.open && (day.open || !bytes.Equal(old.curve, day.curve)) {
		m.versions[meterID] = append(m.versions[meterID], old)
	}
	list[at] = day
}

// Days implements Store.
func (m *Memory) Days(_ context.Context, meterID string, first, last Date) ([]Day, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []Day
	for _, stored := range m.meters[meterID] {
		if stored.date < first || stored.date > last {
			continue
		}
		var d Day
		if err := Decode(&d, meterID, stored.date, stored.curve); err != nil {
			return nil, err
		}
		d.Open = stored.open
		out = append(out, d)
	}
	return out, nil
}

// Features implements Store.
func (m *Memory) Features(ctx context.Context, first, last Date, fn func(meterID string, date Date, f *Features) error) error {
	m.mu.RLock()
	ids := slices.Sorted(maps.Keys(m.meters))
	m.mu.RUnlock()
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read features: %w", err)
		}
		m.mu.RLock()
		days := slices.Clone(m.meters[id])
		m.mu.RUnlock()
		for i := range days {
			if d := &days[i]; !d.open && d.date >= first && d.date <= last {
				if err := fn(id, d.date, &d.features); err != nil {
					return err
				}
			}
		}
	}
	return nil
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

// Atomically implements Transactional.
func (m *Memory) Atomically(ctx context.Context, fn func(ctx context.Context, tx Store) error) error {
	m.transaction.Lock()
	defer m.transaction.Unlock()
	staged := NewMemory()
	if err := fn(ctx, staged); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, days := range staged.meters {
		if len(m.meters[id]) == 0 {
			m.meters[id] = days
			continue
		}
		for _, day := range days {
			m.put(id, day)
		}
	}
	return nil
}

// SaveCheckpoint implements Checkpoints.
func (m *Memory) SaveCheckpoint(_ context.Context, name string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.checkpoints[name] = bytes.Clone(data)
	return nil
}

// LoadCheckpoint implements Checkpoints.
func (m *Memory) LoadCheckpoint(_ context.Context, name string) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return bytes.Clone(m.checkpoints[name]), nil
}
