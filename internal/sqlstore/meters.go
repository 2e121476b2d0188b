package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// meterNumbers are the numbers of meters that are committed, as far as this
// process has met them. A number is never taken back.
type meterNumbers struct {
	mu      sync.RWMutex
	numbers map[string]int64
	names   []string // by number, empty where not met
}

func (m *meterNumbers) number(id string) (int64, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n, ok := m.numbers[id]
	return n, ok
}

// add takes over what was read from the database or committed to it.
func (m *meterNumbers) add(numbers map[string]int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, n := range numbers {
		m.numbers[id] = n
		if n >= int64(len(m.names)) {
			m.names = append(m.names, make([]string, n+1-int64(len(m.names)))...)
		}
		m.names[n] = id
	}
}

// ofChunk returns the names of the meters of a chunk, by slot.
func (m *meterNumbers) ofChunk(group int64) (names [chunkMeters]string) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if first := group * chunkMeters; first < int64(len(m.names)) {
		copy(names[:], m.names[first:])
	}
	return names
}

func (m *meterNumbers) newest() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return int64(len(m.names)) - 1
}

// readMeters reads the names of the meters from first to last, both inclusive.
func readMeters(ctx context.Context, c conn, first, last int64) (map[string]int64, error) {
	read := map[string]int64{}
	err := c.query(ctx, func(rows *sql.Rows) error {
		var n int64
		var id string
		if err := rows.Scan(&n, &id); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		read[id] = n
		return nil
	}, `SELECT id, meter_id FROM meters WHERE id BETWEEN ? AND ?`, first, last)
	if err != nil {
		return nil, fmt.Errorf("read meters: %w", err)
	}
	return read, nil
}

// number gives n meters numbers in the order in which they come first, so that
// the meters of a file stand together in chunks.
func (t *curvesTx) number(ctx context.Context, n int, id func(i int) string) error {
	var missing []string
	for i := range n {
		name := id(i)
		if _, ok := t.made[name]; ok {
			continue
		}
		if number, ok := t.curves.meters.number(name); ok {
			t.made[name] = number
			continue
		}
		t.made[name] = 0 // once is enough
		missing = append(missing, name)
	}
	size := rowsAStatement
	if t.engine == postgresEngine {
		size = namedAQueryArray
	}
	for from := 0; from < len(missing); from += size {
		if err := t.numberSome(ctx, missing[from:min(from+size, len(missing))]); err != nil {
			return fmt.Errorf("number meters: %w", err)
		}
	}
	return nil
}

func (t *curvesTx) numberSome(ctx context.Context, names []string) error {
	take := func(rows *sql.Rows) error {
		var n int64
		var id string
		if err := rows.Scan(&n, &id); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		t.made[id] = n
		return nil
	}
	err := eachIn(t.conn, names, func(in string, args []any) error {
		return t.query(ctx, take, `SELECT id, meter_id FROM meters WHERE meter_id `+in, args...)
	})
	if err != nil {
		return err
	}
	var fresh []string
	for _, name := range names {
		if t.made[name] == 0 {
			fresh = append(fresh, name)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	// Another process may be adding the same meters; then its numbers hold.
	const conflict = "ON CONFLICT (meter_id) DO UPDATE SET meter_id = excluded.meter_id RETURNING id, meter_id"
	if t.engine == postgresEngine {
		return t.query(ctx, take, `INSERT INTO meters (meter_id) SELECT unnest(?::text[]) `+conflict, fresh)
	}
	args := make([]any, len(fresh))
	for i := range fresh {
		args[i] = fresh[i]
	}
	return t.query(ctx, take, insertStatement("meters", []string{"meter_id"}, conflict, len(fresh)), args...)
}

// meter returns the number that number gave a meter.
func (t *curvesTx) meter(id string) int64 { return t.made[id] }
