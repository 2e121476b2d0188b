package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"github.com/pressly/goose/v3"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// movedAtOnce is how many meter-days one transaction moves: at least a chunk.
const movedAtOnce = 8192

// rowMover is migration 14 of SQLite: meter-days that had a row each move into
// chunks. It works in bounded transactions, each of which takes away what it
// has moved, so that a large database needs little more room and a process
// that was killed goes on where it was.
type rowMover struct {
	db    *DB
	log   *slog.Logger
	batch int
}

func (m *rowMover) migration() *goose.Migration {
	return goose.NewGoMigration(14, &goose.GoFunc{RunDB: func(ctx context.Context, _ *sql.DB) error { return m.run(ctx) }}, nil)
}

func (m *rowMover) run(ctx context.Context) error {
	for {
		left := false
		err := m.db.writeOnce(ctx, func(tx *Tx) (err error) {
			left, err = m.moveDays(ctx, tx)
			return err
		})
		if err != nil {
			return fmt.Errorf("move days into chunks: %w", err)
		}
		if !left {
			break
		}
	}
	for {
		left := false
		err := m.db.writeOnce(ctx, func(tx *Tx) (err error) {
			left, err = m.moveVersions(ctx, tx)
			return err
		})
		if err != nil {
			return fmt.Errorf("move earlier versions of days: %w", err)
		}
		if !left {
			return nil
		}
	}
}

// movedDay is a row of meter_days.
type movedDay struct {
	day, meter int64
	record
}

// moveDays moves the first rows of meter_days and reports whether some are left.
func (m *rowMover) moveDays(ctx context.Context, tx *Tx) (left bool, err error) {
	days, err := m.firstDays(ctx, tx)
	if err != nil || len(days) == 0 {
		return false, err
	}
	whole := len(days)
	if whole == m.batch { // the last chunk may have more rows
		last := &days[whole-1]
		key := chunkKey(curve.Date(last.day), last.meter)
		for whole > 0 && chunkKey(curve.Date(days[whole-1].day), days[whole-1].meter) == key {
			whole--
		}
	}
	days, last := days[:whole], days[whole-1]
	var chunks []*merged
	var open []movedDay
	for i := range days {
		d := &days[i]
		if d.open {
			open = append(open, *d)
			continue
		}
		key := chunkKey(curve.Date(d.day), d.meter)
		if n := len(chunks); n == 0 || chunks[n-1].key != key {
			chunks = append(chunks, &merged{key: key, changed: true})
		}
		chunks[len(chunks)-1].chunk.put(int(d.meter%chunkMeters), d.record)
	}
	if err := m.store(ctx, tx, chunks, open); err != nil {
		return false, err
	}
	if _, err := tx.exec(ctx, `DELETE FROM meter_days WHERE (day, meter) <= (?, ?)`, last.day, last.meter); err != nil {
		return false, fmt.Errorf("take the moved rows away: %w", err)
	}
	m.log.Info("the database is being brought to a new layout: days are moved into chunks", "until", curve.Date(last.day).String(), "days", len(days))
	return true, nil
}

// firstDays reads the first rows. When a version came was kept only where it
// replaced another one.
func (m *rowMover) firstDays(ctx context.Context, tx *Tx) ([]movedDay, error) {
	var days []movedDay
	err := tx.query(ctx, func(rows *sql.Rows) error {
		var d movedDay
		var replaced sql.NullInt64
		if err := rows.Scan(&d.day, &d.meter, &d.version, &d.open, &d.features, &d.curve, &replaced); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		d.at = replaced.Int64 * 1e9
		if d.open {
			d.origin.Rule = curve.OriginPolled
		}
		days = append(days, d)
		return nil
	}, `SELECT day, meter, version, open, features, curve, (SELECT max(replaced_at) FROM meter_day_versions v
			WHERE v.day = meter_days.day AND v.meter = meter_days.meter)
		FROM meter_days ORDER BY day, meter LIMIT ?`, m.batch)
	if err != nil {
		return nil, fmt.Errorf("read days: %w", err)
	}
	return days, nil
}

func (m *rowMover) store(ctx context.Context, tx *Tx, chunks []*merged, open []movedDay) error {
	t := &curvesTx{Tx: tx}
	if _, err := t.insertChunks(ctx, chunks); err != nil {
		return err
	}
	columns := []string{"chunk", "meter", "version", "at", "rule", "author", "reason", "curve"}
	err := tx.insertRows(ctx, "open_days", columns, "", len(open), func(i int) ([]any, error) {
		d := &open[i]
		return []any{chunkKey(curve.Date(d.day), d.meter), d.meter, d.version, d.at, d.origin.Rule, "", "", d.curve}, nil
	})
	if err != nil {
		return fmt.Errorf("store open days: %w", err)
	}
	return nil
}

// moveVersions moves the versions of some days and reports whether some are left.
func (m *rowMover) moveVersions(ctx context.Context, tx *Tx) (left bool, err error) {
	var day, meter sql.NullInt64
	err = tx.queryRow(ctx, `SELECT max(day), max(meter) FROM (SELECT day, meter FROM
		(SELECT day, meter FROM meter_day_versions ORDER BY day, meter LIMIT ?) ORDER BY day DESC, meter DESC LIMIT 1)`, m.batch).Scan(&day, &meter)
	if err != nil {
		return false, fmt.Errorf("read versions: %w", err)
	}
	if !day.Valid {
		return false, nil
	}
	_, err = tx.exec(ctx, `INSERT INTO day_versions (meter, day, version, at, rule, author, reason, features, curve)
		SELECT v.meter, v.day, v.version, coalesce(before.replaced_at * 1000000000, 0), '', '', '', v.features, v.curve
		FROM meter_day_versions v LEFT JOIN meter_day_versions before
			ON before.day = v.day AND before.meter = v.meter AND before.version = v.version - 1
		WHERE (v.day, v.meter) <= (?, ?)`, day.Int64, meter.Int64)
	if err != nil {
		return false, fmt.Errorf("store versions: %w", err)
	}
	if _, err := tx.exec(ctx, `DELETE FROM meter_day_versions WHERE (day, meter) <= (?, ?)`, day.Int64, meter.Int64); err != nil {
		return false, fmt.Errorf("take the moved rows away: %w", err)
	}
	return true, nil
}
