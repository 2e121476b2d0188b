package sqlstore

import (
	"context"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// Curves keeps meter-days. Closed days stand in chunks of 64 meters a day
// (table day_chunks), so that an import writes few rows, one day's features of
// all meters are one sweep and one meter's days are a look-up each. Open days,
// which change every minute, have a row each (open_days) until they close.
// Versions that were replaced have a row each (day_versions). It implements
// curve.WorkStore and curve.Transactional.
type Curves struct {
	db     *DB
	meters meterNumbers
}

var (
	_ curve.WorkStore     = (*Curves)(nil)
	_ curve.Transactional = (*Curves)(nil)
	_ curve.EncodedStore  = (*curvesTx)(nil)
)

func newCurves(db *DB) *Curves {
	return &Curves{db: db, meters: meterNumbers{numbers: map[string]int64{}}}
}

// Curves returns the store of meter-days.
func (db *DB) Curves() *Curves { return db.curves }

// PutDays implements curve.Store.
func (c *Curves) PutDays(ctx context.Context, days []curve.Day, features []curve.Features) error {
	if len(days) == 0 && len(features) == 0 {
		return nil
	}
	return c.transaction(ctx, func(t *curvesTx) error { return t.PutDays(ctx, days, features) })
}

// Atomically implements curve.Transactional: one transaction of the database.
// On PostgreSQL fn is run again where others were in the way.
func (c *Curves) Atomically(ctx context.Context, fn func(ctx context.Context, tx curve.Store) error) error {
	return c.transaction(ctx, func(t *curvesTx) error { return fn(ctx, t) })
}

func (c *Curves) transaction(ctx context.Context, fn func(t *curvesTx) error) error {
	var made map[string]int64
	err := c.db.Write(ctx, func(tx *Tx) error {
		t := newCurvesTx(c, tx)
		made = t.made
		if err := fn(t); err != nil {
			return err
		}
		return t.finish(ctx)
	})
	if err != nil {
		return err
	}
	c.meters.add(made)
	return nil
}

// Days implements curve.Store.
func (c *Curves) Days(ctx context.Context, meterID string, first, last curve.Date) ([]curve.Day, error) {
	return readDays(ctx, c.db.read(), meterID, first, last)
}

// Features implements curve.Store.
func (c *Curves) Features(ctx context.Context, first, last curve.Date, fn func(meterID string, date curve.Date, f *curve.Features) error) error {
	return readFeatures(ctx, c.db.read(), &c.meters, first, last, fn)
}

// Span implements curve.Store.
func (c *Curves) Span(ctx context.Context) (first, last curve.Date, ok bool, err error) {
	return readSpan(ctx, c.db.read())
}
