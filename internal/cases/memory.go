package cases

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Memory is a Store that forgets everything with the process, for tests and
// for scans that store nothing.
type Memory struct {
	mu        sync.Mutex
	events    map[string][]Event
	order     []string // ids as they were opened
	bySubject map[Subject]string
	numbers   map[int]int // last number of each year
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{events: map[string][]Event{}, bySubject: map[Subject]string{}, numbers: map[int]int{}}
}

var _ Store = (*Memory)(nil)

// Create implements Store.
func (m *Memory) Create(_ context.Context, year int, subject Subject, open func(id string) Event) (*Case, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id, ok := m.bySubject[subject]; ok {
		return nil, fmt.Errorf("%s %s has case %s: %w", subject.Kind, subject.ID, id, ErrExists)
	}
	id := CaseID(year, m.numbers[year]+1)
	event := open(id)
	c, err := Fold([]Event{event})
	if err != nil {
		return nil, err
	}
	m.numbers[year]++
	m.events[id] = []Event{event}
	m.order = append(m.order, id)
	m.bySubject[subject] = id
	return c, nil
}

// Append implements Store.
func (m *Memory) Append(_ context.Context, id string, version int, events []Event) (*Case, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	have, ok := m.events[id]
	if !ok {
		return nil, fmt.Errorf("case %s: %w", id, ErrNotFound)
	}
	if len(have) != version {
		return nil, fmt.Errorf("case %s is at version %d, not %d: %w", id, len(have), version, ErrConflict)
	}
	all := append(slices.Clone(have), events...)
	c, err := Fold(all)
	if err != nil {
		return nil, err
	}
	m.events[id] = all
	return c, nil
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, id string) (*Case, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	events, ok := m.events[id]
	if !ok {
		return nil, fmt.Errorf("case %s: %w", id, ErrNotFound)
	}
	c, err := Fold(events)
	if err != nil {
		return nil, err
	}
	c.Timeline = slices.Clone(events)
	return c, nil
}

// BySubject implements Store.
func (m *Memory) BySubject(_ context.Context, subject Subject) (*Case, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.bySubject[subject]
	if !ok {
		return nil, nil
	}
	return Fold(m.events[id])
}

// List implements Store.
func (m *Memory) List(_ context.Context, f Filter) ([]Case, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Case
	for _, id := range slices.Backward(m.order) {
		c, err := Fold(m.events[id])
		if err != nil {
			return nil, err
		}
		if f.matches(c) {
			out = append(out, *c)
		}
		if f.Limit > 0 && len(out) == f.Limit {
			break
		}
	}
	return out, nil
}

// Count implements Store.
func (m *Memory) Count(_ context.Context) (map[State]int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := map[State]int{}
	for _, events := range m.events {
		c, err := Fold(events)
		if err != nil {
			return nil, err
		}
		counts[c.State]++
	}
	return counts, nil
}
