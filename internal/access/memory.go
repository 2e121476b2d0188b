package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Memory is a Store that forgets everything with the process.
type Memory struct {
	mu      sync.Mutex
	records map[string]Record
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{records: map[string]Record{}} }

var _ Store = (*Memory)(nil)

// Add implements Store.
func (m *Memory) Add(_ context.Context, r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.records[r.Login]; ok {
		return fmt.Errorf("login %q: %w", r.Login, ErrExists)
	}
	m.records[r.Login] = r.clone()
	return nil
}

// Update implements Store.
func (m *Memory) Update(_ context.Context, r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.records[r.Login]; !ok {
		return fmt.Errorf("login %q: %w", r.Login, ErrNotFound)
	}
	m.records[r.Login] = r.clone()
	return nil
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, login string) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[login]
	if !ok {
		return Record{}, fmt.Errorf("login %q: %w", login, ErrNotFound)
	}
	return r.clone(), nil
}

// List implements Store.
func (m *Memory) List(_ context.Context) ([]User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	users := make([]User, 0, len(m.records))
	for _, r := range m.records {
		users = append(users, r.clone().User)
	}
	slices.SortFunc(users, func(a, b User) int { return strings.Compare(a.Login, b.Login) })
	return users, nil
}

func (r Record) clone() Record {
	r.Roles = slices.Clone(r.Roles)
	return r
}
