package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// Versions implements curve.History. The time of a version that an earlier
// release stored may be zero: it was not kept then.
func (c *Curves) Versions(ctx context.Context, meterID string, date curve.Date) ([]curve.Version, error) {
	var versions []curve.Version
	err := c.db.snapshot(ctx, func(q conn) error {
		meter, err := numberOf(ctx, q, meterID)
		if err != nil || meter == 0 {
			return err
		}
		versions, err = readVersions(ctx, q, meterID, meter, date)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("versions of meter %s on %s: %w", meterID, date, err)
	}
	return versions, nil
}

func readVersions(ctx context.Context, c conn, meterID string, meter int64, date curve.Date) ([]curve.Version, error) {
	var versions []curve.Version
	add := func(r *record, current bool) error {
		v := curve.Version{Number: int(r.version), Current: current}
		if r.at != 0 {
			v.At = time.Unix(0, r.at).UTC()
		}
		if err := r.decode(&v.Day, meterID, chunkKey(date, meter)); err != nil {
			return err
		}
		versions = append(versions, v)
		return nil
	}
	err := c.query(ctx, func(rows *sql.Rows) error {
		var r record
		if err := rows.Scan(&r.version, &r.at, &r.origin.Rule, &r.origin.Author, &r.origin.Reason, &r.curve); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		return add(&r, false)
	}, `SELECT version, at, rule, author, reason, curve FROM day_versions WHERE meter = ? AND day = ? ORDER BY version`, meter, int64(date))
	if err != nil {
		return nil, err
	}
	current := false
	last := func(_ int64, r *record) error {
		if current {
			return nil
		}
		current = true
		return add(r, true)
	}
	err = eachIn(c, []int64{chunkKey(date, meter)}, func(in string, args []any) error {
		if err := readClosed(ctx, c, in, args, int(meter%chunkMeters), last); err != nil {
			return err
		}
		return readOpen(ctx, c, in, args, meter, last)
	})
	return versions, err
}
