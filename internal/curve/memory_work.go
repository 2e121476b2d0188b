package curve

import (
	"bytes"
	"context"
	"slices"
)

type stateKey struct {
	meterID string
	date    Date
}

type memoryState struct {
	reader string
	data   []byte
}

type memoryReader struct{ token, position uint64 }

// Commit implements WorkStore.
func (m *Memory) Commit(ctx context.Context, c *Commit) error {
	if err := checkPut(ctx, c.Days, c.Features); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.Token < m.readers[c.Reader].token {
		return ErrFenced
	}
	for i := range c.Days {
		if err := m.deliver(c.Days[i].MeterID, stored(&c.Days[i], &c.Features[i])); err != nil {
			return err
		}
	}
	for _, s := range c.States {
		key := stateKey{s.MeterID, s.Date}
		if len(s.Data) == 0 {
			delete(m.states, key)
			continue
		}
		m.states[key] = memoryState{c.Reader, bytes.Clone(s.Data)}
	}
	m.readers[c.Reader] = memoryReader{c.Token, c.Position}
	return nil
}

// Position implements WorkStore.
func (m *Memory) Position(_ context.Context, reader string) (uint64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.readers[reader].position, nil
}

// States implements WorkStore.
func (m *Memory) States(_ context.Context, reader string, fn func(meterID string, data []byte) error) error {
	m.mu.RLock()
	var list []State
	for key, s := range m.states {
		if s.reader == reader && key.date == 0 {
			list = append(list, State{MeterID: key.meterID, Data: s.data})
		}
	}
	m.mu.RUnlock()
	for _, s := range list {
		if err := fn(s.MeterID, s.Data); err != nil {
			return err
		}
	}
	return nil
}

// State implements WorkStore.
func (m *Memory) State(ctx context.Context, meterID string) ([]byte, error) {
	return m.DayState(ctx, meterID, 0)
}

// DayState implements WorkStore.
func (m *Memory) DayState(_ context.Context, meterID string, date Date) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return bytes.Clone(m.states[stateKey{meterID, date}].data), nil
}

// Versions implements History.
func (m *Memory) Versions(_ context.Context, meterID string, date Date) ([]Version, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	list := m.versionsOf(meterID, date)
	out := make([]Version, len(list))
	for i := range list {
		d, err := list[i].day(meterID)
		if err != nil {
			return nil, err
		}
		out[i] = Version{Number: list[i].number, At: list[i].at, Current: i == len(list)-1, Day: d}
	}
	return out, nil
}

// versionsOf returns every version of a day, oldest first; m.mu is held.
func (m *Memory) versionsOf(meterID string, date Date) []memoryDay {
	var list []memoryDay
	for _, v := range m.versions[meterID] {
		if v.date == date {
			list = append(list, v)
		}
	}
	if current, found := m.find(meterID, date); found {
		list = append(list, current)
	}
	return list
}

// lastDelivered returns the newest version that is no edit; m.mu is held.
func (m *Memory) lastDelivered(meterID string, date Date) (*Day, error) {
	for _, v := range slices.Backward(m.versionsOf(meterID, date)) {
		if v.origin.Rule != OriginEdited {
			d, err := v.day(meterID)
			return &d, err
		}
	}
	return nil, nil
}

// Atomically implements Transactional.
func (m *Memory) Atomically(ctx context.Context, fn func(ctx context.Context, tx Store) error) error {
	m.transaction.Lock()
	defer m.transaction.Unlock()
	staged := &memoryTx{Memory: m}
	if err := fn(ctx, staged); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, put := range staged.puts {
		if err := m.deliver(put.meterID, put.day); err != nil {
			return err
		}
	}
	return nil
}

// memoryTx is what fn of Atomically sees: the store as it was, and the days
// that fn itself has put.
type memoryTx struct {
	*Memory

	puts []memoryPut
}

type memoryPut struct {
	meterID string
	day     memoryDay
}

// PutDays implements Store.
func (t *memoryTx) PutDays(ctx context.Context, days []Day, features []Features) error {
	if err := checkPut(ctx, days, features); err != nil {
		return err
	}
	for i := range days {
		t.puts = append(t.puts, memoryPut{days[i].MeterID, stored(&days[i], &features[i])})
	}
	return nil
}

// Days implements Store.
func (t *memoryTx) Days(ctx context.Context, meterID string, first, last Date) ([]Day, error) {
	days, err := t.Memory.Days(ctx, meterID, first, last)
	if err != nil {
		return nil, err
	}
	for i := range t.puts {
		if p := &t.puts[i]; p.meterID == meterID && p.day.date >= first && p.day.date <= last {
			d, err := p.day.day(meterID)
			if err != nil {
				return nil, err
			}
			at, found := slices.BinarySearchFunc(days, d.Date, func(d Day, date Date) int { return int(d.Date - date) })
			if found {
				days[at] = d
			} else {
				days = slices.Insert(days, at, d)
			}
		}
	}
	return days, nil
}
