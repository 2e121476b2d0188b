package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// querier is what reading needs; *sql.DB and *sql.Tx both are one.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// daysAQuery is how many days one query names. Naming each day lets SQLite
// look every row up by its key, where a range would scan all meters of it.
const daysAQuery = 128

func readDays(ctx context.Context, q querier, meterID string, first, last curve.Date) ([]curve.Day, error) {
	first, last, ok, err := clampSpan(ctx, q, first, last)
	if err != nil || !ok {
		return nil, err
	}
	var meter int64
	err = q.QueryRowContext(ctx, `SELECT id FROM meters WHERE meter_id = ?`, meterID).Scan(&meter)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read days of meter %s: %w", meterID, err)
	}
	var days []curve.Day
	for from := first; from <= last; from += daysAQuery {
		days, err = appendDays(ctx, q, days, meterID, meter, from, min(last, from+daysAQuery-1))
		if err != nil {
			return nil, fmt.Errorf("read days of meter %s: %w", meterID, err)
		}
	}
	return days, nil
}

func appendDays(ctx context.Context, q querier, days []curve.Day, meterID string, meter int64, first, last curve.Date) ([]curve.Day, error) {
	query := `SELECT day, open, curve FROM meter_days WHERE meter = ? AND day IN (` + dayList(first, last) + `) ORDER BY day`
	rows, err := q.QueryContext(ctx, query, meter)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var date int64
		var open bool
		var data sql.RawBytes
		if err := rows.Scan(&date, &open, &data); err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
		var d curve.Day
		if err := curve.Decode(&d, meterID, curve.Date(date), data); err != nil {
			return nil, fmt.Errorf("stored curve: %w", err)
		}
		d.Open = open
		days = append(days, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("rows: %w", err)
	}
	return days, nil
}

func dayList(first, last curve.Date) string {
	var b strings.Builder
	for day := first; day <= last; day++ {
		if day > first {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(day)))
	}
	return b.String()
}

// clampSpan narrows a span to the days that are there, open ones included.
func clampSpan(ctx context.Context, q querier, first, last curve.Date) (from, to curve.Date, ok bool, err error) {
	var low, high sql.NullInt64
	err = q.QueryRowContext(ctx, `SELECT (SELECT min(day) FROM meter_days), (SELECT max(day) FROM meter_days)`).Scan(&low, &high)
	if err != nil {
		return 0, 0, false, fmt.Errorf("read the span of days: %w", err)
	}
	if !low.Valid {
		return 0, 0, false, nil
	}
	from, to = max(first, curve.Date(low.Int64)), min(last, curve.Date(high.Int64))
	return from, to, from <= to, nil
}

func readFeatures(ctx context.Context, q querier, first, last curve.Date, fn func(meterID string, date curve.Date, f *curve.Features) error) error {
	names, err := readMeters(ctx, q)
	if err != nil {
		return err
	}
	rows, err := q.QueryContext(ctx, `SELECT day, meter, features FROM meter_days WHERE day BETWEEN ? AND ? AND open = 0`, int64(first), int64(last))
	if err != nil {
		return fmt.Errorf("read features: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var f curve.Features
	for rows.Next() {
		var day, meter int64
		var data sql.RawBytes
		if err := rows.Scan(&day, &meter, &data); err != nil {
			return fmt.Errorf("read features: %w", err)
		}
		name, ok := names[meter]
		if !ok {
			continue // put since the names were read; the next run sees it
		}
		curve.DecodeFeatures(&f, data)
		if err := fn(name, curve.Date(day), &f); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read features: %w", err)
	}
	return nil
}

func readMeters(ctx context.Context, q querier) (map[int64]string, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, meter_id FROM meters`)
	if err != nil {
		return nil, fmt.Errorf("read meters: %w", err)
	}
	defer func() { _ = rows.Close() }()
	names := make(map[int64]string)
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, fmt.Errorf("read meters: %w", err)
		}
		names[id] = name
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read meters: %w", err)
	}
	return names, nil
}

// readSpan steps over days that hold open meter-days only; there are one or
// two of them, at the end.
func readSpan(ctx context.Context, q querier) (first, last curve.Date, ok bool, err error) {
	var low, high sql.NullInt64
	err = q.QueryRowContext(ctx, `SELECT
		(SELECT day FROM meter_days WHERE open = 0 ORDER BY day LIMIT 1),
		(SELECT day FROM meter_days WHERE open = 0 ORDER BY day DESC LIMIT 1)`).Scan(&low, &high)
	if err != nil {
		return 0, 0, false, fmt.Errorf("read the span of days: %w", err)
	}
	return curve.Date(low.Int64), curve.Date(high.Int64), low.Valid, nil
}
