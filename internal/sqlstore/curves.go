package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// Curves keeps meter-days: a row for each, by day and meter, so that imports
// append, one day of all meters is one sweep and one meter is a look-up a
// day. It implements curve.KeepingStore and curve.Transactional.
type Curves struct {
	db     *DB
	mu     sync.RWMutex
	meters map[string]int64 // committed meters by id
}

var (
	_ curve.KeepingStore  = (*Curves)(nil)
	_ curve.Transactional = (*Curves)(nil)
)

// Curves returns the store of meter-days.
func (db *DB) Curves() *Curves { return db.curves }

// PutDays implements curve.Store.
func (c *Curves) PutDays(ctx context.Context, days []curve.Day, features []curve.Features) error {
	if len(days) == 0 && len(features) == 0 {
		return nil
	}
	return c.Atomically(ctx, func(ctx context.Context, tx curve.Store) error {
		return tx.PutDays(ctx, days, features)
	})
}

// Atomically implements curve.Transactional: one transaction of the database.
func (c *Curves) Atomically(ctx context.Context, fn func(ctx context.Context, tx curve.Store) error) error {
	var made map[string]int64
	err := c.db.Write(ctx, func(tx *sql.Tx) error {
		t := &curvesTx{curves: c, tx: tx, made: map[string]int64{}}
		made = t.made
		defer t.close()
		return fn(ctx, t)
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	maps.Copy(c.meters, made)
	c.mu.Unlock()
	return nil
}

// Days implements curve.Store.
func (c *Curves) Days(ctx context.Context, meterID string, first, last curve.Date) ([]curve.Day, error) {
	return readDays(ctx, c.db.sql, meterID, first, last)
}

// Features implements curve.Store.
func (c *Curves) Features(ctx context.Context, first, last curve.Date, fn func(meterID string, date curve.Date, f *curve.Features) error) error {
	return readFeatures(ctx, c.db.sql, first, last, fn)
}

// Span implements curve.Store.
func (c *Curves) Span(ctx context.Context) (first, last curve.Date, ok bool, err error) {
	return readSpan(ctx, c.db.sql)
}

// SaveCheckpoint implements curve.Checkpoints.
func (c *Curves) SaveCheckpoint(ctx context.Context, name string, data []byte) error {
	return c.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO checkpoints (name, data) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET data = excluded.data`, name, data)
		if err != nil {
			return fmt.Errorf("store checkpoint %s: %w", name, err)
		}
		return nil
	})
}

// LoadCheckpoint implements curve.Checkpoints.
func (c *Curves) LoadCheckpoint(ctx context.Context, name string) ([]byte, error) {
	var data []byte
	err := c.db.sql.QueryRowContext(ctx, `SELECT data FROM checkpoints WHERE name = ?`, name).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read checkpoint %s: %w", name, err)
	}
	return data, nil
}

// curvesTx is a curve.Store within one transaction.
type curvesTx struct {
	curves *Curves
	tx     *sql.Tx
	made   map[string]int64 // meters that this transaction has added

	insert, addMeter *sql.Stmt
	curve, features  []byte // reused
}

func (t *curvesTx) close() {
	for _, stmt := range []*sql.Stmt{t.insert, t.addMeter} {
		if stmt != nil {
			_ = stmt.Close()
		}
	}
}

func (t *curvesTx) prepare(ctx context.Context) error {
	if t.insert != nil {
		return nil
	}
	var err error
	t.insert, err = t.tx.PrepareContext(ctx, `INSERT INTO meter_days (day, meter, version, open, features, curve)
		VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT DO NOTHING`)
	if err != nil {
		return fmt.Errorf("store days: %w", err)
	}
	t.addMeter, err = t.tx.PrepareContext(ctx, `INSERT INTO meters (meter_id) VALUES (?)
		ON CONFLICT (meter_id) DO UPDATE SET meter_id = excluded.meter_id RETURNING id`)
	if err != nil {
		return fmt.Errorf("store days: %w", err)
	}
	return nil
}

// PutDays implements curve.Store.
func (t *curvesTx) PutDays(ctx context.Context, days []curve.Day, features []curve.Features) error {
	if err := curve.CheckPut(days, features); err != nil {
		return fmt.Errorf("store days: %w", err)
	}
	if err := t.prepare(ctx); err != nil {
		return err
	}
	for i := range days {
		if err := t.put(ctx, &days[i], &features[i]); err != nil {
			return fmt.Errorf("store meter %s on %s: %w", days[i].MeterID, days[i].Date, err)
		}
	}
	return nil
}

func (t *curvesTx) put(ctx context.Context, d *curve.Day, f *curve.Features) error {
	meter, err := t.meter(ctx, d.MeterID)
	if err != nil {
		return err
	}
	t.curve = curve.Encode(t.curve[:0], d)
	t.features = curve.AppendFeatures(t.features[:0], f)
	result, err := t.insert.ExecContext(ctx, int64(d.Date), meter, d.Open, t.features, t.curve)
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err //nolint:wrapcheck // the driver never fails here
	}
	return t.replace(ctx, meter, d)
}

// replace puts a day in the place of the one that is there.
func (t *curvesTx) replace(ctx context.Context, meter int64, d *curve.Day) error {
	var version int64
	var open bool
	var features, old []byte
	err := t.tx.QueryRowContext(ctx, `SELECT version, open, features, curve FROM meter_days WHERE day = ? AND meter = ?`, int64(d.Date), meter).
		Scan(&version, &open, &features, &old)
	if err != nil {
		return fmt.Errorf("read the earlier version: %w", err)
	}
	same := bytes.Equal(old, t.curve)
	if same && open == d.Open && bytes.Equal(features, t.features) {
		return nil
	}
	if !open && (!same || d.Open) {
		_, err := t.tx.ExecContext(ctx, `INSERT INTO meter_day_versions (day, meter, version, replaced_at, features, curve) VALUES (?, ?, ?, ?, ?, ?)`,
			int64(d.Date), meter, version, time.Now().Unix(), features, old)
		if err != nil {
			return fmt.Errorf("keep the earlier version: %w", err)
		}
		version++
	}
	_, err = t.tx.ExecContext(ctx, `UPDATE meter_days SET version = ?, open = ?, features = ?, curve = ? WHERE day = ? AND meter = ?`,
		version, d.Open, t.features, t.curve, int64(d.Date), meter)
	if err != nil {
		return fmt.Errorf("replace: %w", err)
	}
	return nil
}

// meter returns the number of a meter, giving it one where it has none.
func (t *curvesTx) meter(ctx context.Context, id string) (int64, error) {
	if n, ok := t.made[id]; ok {
		return n, nil
	}
	t.curves.mu.RLock()
	n, ok := t.curves.meters[id]
	t.curves.mu.RUnlock()
	if ok {
		return n, nil
	}
	if err := t.addMeter.QueryRowContext(ctx, id).Scan(&n); err != nil {
		return 0, fmt.Errorf("number the meter: %w", err)
	}
	t.made[id] = n
	return n, nil
}

// Days implements curve.Store.
func (t *curvesTx) Days(ctx context.Context, meterID string, first, last curve.Date) ([]curve.Day, error) {
	return readDays(ctx, t.tx, meterID, first, last)
}

// Features implements curve.Store.
func (t *curvesTx) Features(ctx context.Context, first, last curve.Date, fn func(meterID string, date curve.Date, f *curve.Features) error) error {
	return readFeatures(ctx, t.tx, first, last, fn)
}

// Span implements curve.Store.
func (t *curvesTx) Span(ctx context.Context) (first, last curve.Date, ok bool, err error) {
	return readSpan(ctx, t.tx)
}
