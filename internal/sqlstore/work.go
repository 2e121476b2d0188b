package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// Commit implements curve.WorkStore.
func (c *Curves) Commit(ctx context.Context, work *curve.Commit) error {
	err := c.transaction(ctx, func(t *curvesTx) error {
		reader, err := t.advance(ctx, work)
		if err != nil {
			return err
		}
		if err := t.PutDays(ctx, work.Days, work.Features); err != nil {
			return err
		}
		return t.putStates(ctx, reader, work.States)
	})
	if err != nil {
		return fmt.Errorf("reader %s at %d: %w", work.Reader, work.Position, err)
	}
	return nil
}

// advance moves the position of the commit's reader and returns the reader's
// number. The row stays locked until the transaction ends, so that a later
// token waits for this commit and an earlier one that waited is refused.
func (t *curvesTx) advance(ctx context.Context, work *curve.Commit) (reader int64, err error) {
	err = t.queryRow(ctx, `INSERT INTO readers (name, token, position) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET token = excluded.token, position = excluded.position
		WHERE readers.token <= excluded.token RETURNING id`, work.Reader, int64(work.Token), int64(work.Position)).Scan(&reader)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, curve.ErrFenced
	}
	if err != nil {
		return 0, fmt.Errorf("store position: %w", t.engine.explain(err))
	}
	return reader, nil
}

// putStates stores the states of meters, the last where one comes twice.
func (t *curvesTx) putStates(ctx context.Context, reader int64, states []curve.State) error {
	if len(states) == 0 {
		return nil
	}
	if err := t.number(ctx, len(states), func(i int) string { return states[i].MeterID }); err != nil {
		return err
	}
	type key struct {
		meter int64
		date  curve.Date
	}
	keyOf := func(i int) key { return key{t.meter(states[i].MeterID), states[i].Date} }
	place := make(map[key]int, len(states))
	for i := range states {
		place[keyOf(i)] = i
	}
	var kept []int
	for i := range states {
		k := keyOf(i)
		switch {
		case place[k] != i: // a later one follows
		case len(states[i].Data) > 0:
			kept = append(kept, i)
		default:
			if _, err := t.exec(ctx, `DELETE FROM reader_states WHERE meter = ? AND day = ?`, k.meter, int64(k.date)); err != nil {
				return fmt.Errorf("forget a state of meter %s: %w", states[i].MeterID, err)
			}
		}
	}
	err := t.insertRows(ctx, "reader_states", []string{"meter", "day", "reader", "data"},
		"ON CONFLICT (meter, day) DO UPDATE SET reader = excluded.reader, data = excluded.data", len(kept), func(i int) ([]any, error) {
			k := keyOf(kept[i])
			return []any{k.meter, int64(k.date), reader, states[kept[i]].Data}, nil
		})
	if err != nil {
		return fmt.Errorf("store states: %w", err)
	}
	return nil
}

// Position implements curve.WorkStore.
func (c *Curves) Position(ctx context.Context, reader string) (uint64, error) {
	var position int64
	err := c.db.read().queryRow(ctx, `SELECT position FROM readers WHERE name = ?`, reader).Scan(&position)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("position of reader %s: %w", reader, err)
	}
	return uint64(position), nil
}

// States implements curve.WorkStore.
func (c *Curves) States(ctx context.Context, reader string, fn func(meterID string, data []byte) error) error {
	var stop error // fn's own, which is passed on as it is
	err := c.db.read().query(ctx, func(rows *sql.Rows) error {
		var meterID string
		var data sql.RawBytes
		if err := rows.Scan(&meterID, &data); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		stop = fn(meterID, data)
		return stop
	}, `SELECT meters.meter_id, reader_states.data FROM reader_states JOIN meters ON meters.id = reader_states.meter
		WHERE reader_states.day = 0 AND reader_states.reader = (SELECT id FROM readers WHERE name = ?)`, reader)
	if err != nil && stop == nil {
		return fmt.Errorf("states of reader %s: %w", reader, err)
	}
	return stop
}

// State implements curve.WorkStore.
func (c *Curves) State(ctx context.Context, meterID string) ([]byte, error) {
	return c.DayState(ctx, meterID, 0)
}

// DayState implements curve.WorkStore.
func (c *Curves) DayState(ctx context.Context, meterID string, date curve.Date) ([]byte, error) {
	var data []byte
	err := c.db.read().queryRow(ctx, `SELECT data FROM reader_states
		WHERE meter = (SELECT id FROM meters WHERE meter_id = ?) AND day = ?`, meterID, int64(date)).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state of meter %s: %w", meterID, err)
	}
	return data, nil
}
