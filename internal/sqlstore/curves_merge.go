package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// merge writes waiting chunks. It returns the keys of those that another
// transaction has made in the meantime: they are to be merged with its days.
func (t *curvesTx) merge(ctx context.Context, keys []int64) (lost []int64, err error) {
	chunks, err := t.stored(ctx, keys)
	if err != nil {
		return nil, err
	}
	open, err := t.storedOpen(ctx, keys)
	if err != nil {
		return nil, err
	}
	all := make([]*merged, len(keys))
	for i, key := range keys {
		if all[i], err = t.decide(ctx, key, chunks[key], open[key]); err != nil {
			return nil, err
		}
	}
	inserted, err := t.insertChunks(ctx, all)
	if err != nil {
		return nil, err
	}
	kept := all[:0]
	for _, m := range all {
		if m.fresh() && !inserted[m.key] {
			lost = append(lost, m.key)
			continue
		}
		for _, p := range t.waiting[m.key].puts {
			t.bytes -= p.size()
		}
		delete(t.waiting, m.key)
		kept = append(kept, m)
	}
	return lost, t.apply(ctx, kept)
}

// fresh reports whether the chunk gets its row now.
func (m *merged) fresh() bool { return m.changed && !m.stored && m.chunk.present != 0 }

// stored reads chunks and keeps others from changing them.
func (t *curvesTx) stored(ctx context.Context, keys []int64) (map[int64]*chunk, error) {
	chunks := map[int64]*chunk{}
	err := eachIn(t.conn, keys, func(in string, args []any) error {
		return t.query(ctx, func(rows *sql.Rows) error {
			var key int64
			var index, features, curves []byte
			if err := rows.Scan(&key, &index, &features, &curves); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			c := new(chunk)
			chunks[key] = c
			return decodeChunk(c, index, features, curves)
		}, `SELECT id, days, features, curves FROM day_chunks WHERE id `+in+` ORDER BY id`+t.engine.forUpdate(), args...)
	})
	if err != nil {
		return nil, fmt.Errorf("read chunks: %w", err)
	}
	return chunks, nil
}

// storedOpen reads the open days of chunks, by chunk and slot.
func (t *curvesTx) storedOpen(ctx context.Context, keys []int64) (map[int64]map[int]record, error) {
	open := map[int64]map[int]record{}
	err := eachIn(t.conn, keys, func(in string, args []any) error {
		return t.query(ctx, func(rows *sql.Rows) error {
			var key, meter int64
			r := record{open: true}
			if err := rows.Scan(&key, &meter, &r.version, &r.at, &r.origin.Rule, &r.origin.Author, &r.origin.Reason, &r.curve); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			if open[key] == nil {
				open[key] = map[int]record{}
			}
			open[key][int(meter%chunkMeters)] = r
			return nil
		}, `SELECT chunk, meter, version, at, rule, author, reason, curve FROM open_days WHERE chunk `+in+` ORDER BY chunk, meter`+t.engine.forUpdate(), args...)
	})
	if err != nil {
		return nil, fmt.Errorf("read open days: %w", err)
	}
	return open, nil
}

// insertChunks makes the rows of chunks that had none and returns which of
// them it made.
func (t *curvesTx) insertChunks(ctx context.Context, all []*merged) (map[int64]bool, error) {
	inserted := map[int64]bool{}
	var args []any
	for _, m := range all {
		if m.fresh() {
			index, features, curves := m.chunk.encode()
			args = append(args, m.key, index, features, curves)
		}
	}
	columns := []string{"id", "days", "features", "curves"}
	for len(args) > 0 {
		n := len(args) / len(columns)
		for n&(n-1) != 0 { // few sizes, so that few statements are prepared
			n &= n - 1
		}
		err := t.query(ctx, func(rows *sql.Rows) error {
			var key int64
			if err := rows.Scan(&key); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			inserted[key] = true
			return nil
		}, insertStatement("day_chunks", columns, "ON CONFLICT (id) DO NOTHING RETURNING id", n), args[:n*len(columns)]...)
		if err != nil {
			return nil, fmt.Errorf("insert chunks: %w", err)
		}
		args = args[n*len(columns):]
	}
	return inserted, nil
}

// apply stores the rest of what becomes of chunks.
func (t *curvesTx) apply(ctx context.Context, all []*merged) error {
	for _, m := range all {
		if err := t.updateChunk(ctx, m); err != nil {
			return err
		}
	}
	if err := t.archiveVersions(ctx, all); err != nil {
		return err
	}
	if err := t.storeOpen(ctx, all); err != nil {
		return err
	}
	for _, m := range all {
		for _, a := range m.announce {
			if err := t.letters.add(dateOf(m.key), a); err != nil {
				return err
			}
		}
	}
	return t.postLetters(ctx, false)
}

func (t *curvesTx) updateChunk(ctx context.Context, m *merged) error {
	if !m.changed || !m.stored {
		return nil
	}
	if m.chunk.present == 0 {
		if _, err := t.exec(ctx, `DELETE FROM day_chunks WHERE id = ?`, m.key); err != nil {
			return fmt.Errorf("remove an empty chunk: %w", err)
		}
		return nil
	}
	index, features, curves := m.chunk.encode()
	if _, err := t.exec(ctx, `UPDATE day_chunks SET days = ?, features = ?, curves = ? WHERE id = ?`, index, features, curves, m.key); err != nil {
		return fmt.Errorf("update a chunk: %w", err)
	}
	return nil
}

func (t *curvesTx) archiveVersions(ctx context.Context, all []*merged) error {
	var versions []replaced
	var dates []curve.Date
	for _, m := range all {
		for _, v := range m.archive {
			versions = append(versions, v)
			dates = append(dates, dateOf(m.key))
		}
	}
	columns := []string{"meter", "day", "version", "at", "rule", "author", "reason", "features", "curve"}
	err := t.insertRows(ctx, "day_versions", columns, "", len(versions), func(i int) ([]any, error) {
		v := &versions[i]
		return []any{v.meter, int64(dates[i]), v.version, v.at, v.origin.Rule, v.origin.Author, v.origin.Reason, v.features, v.curve}, nil
	})
	if err != nil {
		return fmt.Errorf("keep earlier versions: %w", err)
	}
	return nil
}

func (t *curvesTx) storeOpen(ctx context.Context, all []*merged) error {
	var opened []replaced
	var keys []int64
	for _, m := range all {
		for _, o := range m.opened {
			opened = append(opened, o)
			keys = append(keys, m.key)
		}
		err := eachIn(t.conn, m.closed, func(in string, args []any) error {
			_, err := t.exec(ctx, `DELETE FROM open_days WHERE meter `+in+` AND chunk = ?`, append(args, m.key)...)
			return err
		})
		if err != nil {
			return fmt.Errorf("close open days: %w", err)
		}
	}
	columns := []string{"chunk", "meter", "version", "at", "rule", "author", "reason", "curve"}
	err := t.insertRows(ctx, "open_days", columns, `ON CONFLICT (chunk, meter) DO UPDATE SET version = excluded.version, at = excluded.at,
		rule = excluded.rule, author = excluded.author, reason = excluded.reason, curve = excluded.curve`, len(opened), func(i int) ([]any, error) {
		o := &opened[i]
		return []any{keys[i], o.meter, o.version, o.at, o.origin.Rule, o.origin.Author, o.origin.Reason, o.curve}, nil
	})
	if err != nil {
		return fmt.Errorf("store open days: %w", err)
	}
	return nil
}
