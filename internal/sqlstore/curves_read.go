package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// readDays reads one meter's days: the closed ones cut out of their chunks,
// and the open ones.
func readDays(ctx context.Context, c conn, meterID string, first, last curve.Date) ([]curve.Day, error) {
	var days []curve.Day
	meter, err := numberOf(ctx, c, meterID)
	if err == nil && meter > 0 {
		days, err = readDaysOf(ctx, c, meterID, meter, first, last)
	}
	if err != nil {
		return nil, fmt.Errorf("read days of meter %s: %w", meterID, err)
	}
	return days, nil
}

// numberOf returns the number of a meter, 0 where it has none.
func numberOf(ctx context.Context, c conn, meterID string) (number int64, err error) {
	err = c.queryRow(ctx, `SELECT id FROM meters WHERE meter_id = ?`, meterID).Scan(&number)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("number of the meter: %w", err)
	}
	return number, nil
}

// mostLooked is the longest span in days that is looked up day by day.
const mostLooked = 400

func readDaysOf(ctx context.Context, c conn, meterID string, meter int64, first, last curve.Date) ([]curve.Day, error) {
	// Looking for days that are not there costs less than asking which are,
	// unless it is for years of them.
	if int64(last)-int64(first) > mostLooked {
		var ok bool
		var err error
		if first, last, ok, err = clampSpan(ctx, c, first, last); err != nil || !ok {
			return nil, err
		}
	}
	if first > last {
		return nil, nil
	}
	keys := make([]int64, 0, last-first+1)
	for date := first; date <= last; date++ {
		keys = append(keys, chunkKey(date, meter))
	}
	var days []curve.Day
	add := func(key int64, r *record) error {
		var d curve.Day
		if err := r.decode(&d, meterID, key); err != nil {
			return err
		}
		days = append(days, d)
		return nil
	}
	err := eachIn(c, keys, func(in string, args []any) error {
		if err := readClosed(ctx, c, in, args, int(meter%chunkMeters), add); err != nil {
			return err
		}
		return readOpen(ctx, c, in, args, meter, add)
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(days, func(a, b curve.Day) int { return int(a.Date - b.Date) })
	// Two hosts that put an open and a closed day at once may leave both.
	return slices.CompactFunc(days, func(a, b curve.Day) bool { return a.Date == b.Date }), nil
}

// readClosed cuts the days of one slot out of chunks. On PostgreSQL the server
// does, so that it need not send, nor even read, the other curves.
func readClosed(ctx context.Context, c conn, in string, args []any, slot int, add func(key int64, r *record) error) error {
	cut := "curves"
	if c.engine == postgresEngine {
		cut = cutInServer(slot)
	}
	return c.query(ctx, func(rows *sql.Rows) error {
		var key int64
		var index, curves sql.RawBytes
		if err := rows.Scan(&key, &index, &curves); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		r, from, to, ok, err := locate(index, slot)
		if err != nil || !ok {
			return err
		}
		if c.engine == postgresEngine {
			from, to = 0, to-from
		}
		if to > len(curves) {
			return fmt.Errorf("%s: %w (curves)", dateOf(key), errChunk)
		}
		r.curve = curves[from:to]
		return add(key, &r)
	}, `SELECT id, days, `+cut+` FROM day_chunks WHERE id `+in, args...)
}

// cutInServer is an expression for the curve of one slot.
func cutInServer(slot int) string {
	end := func(slot int) string {
		if slot < 0 {
			return "0"
		}
		at := 1 + endBytes*slot // behind the version
		return fmt.Sprintf("get_byte(days, %d) + 256 * get_byte(days, %d) + 65536 * get_byte(days, %d)", at, at+1, at+2)
	}
	return fmt.Sprintf("substr(curves, 1 + %s, greatest(0, %s - (%s)))", end(slot-1), end(slot), end(slot-1))
}

func readOpen(ctx context.Context, c conn, in string, args []any, meter int64, add func(key int64, r *record) error) error {
	return c.query(ctx, func(rows *sql.Rows) error {
		var key int64
		r := record{open: true}
		if err := rows.Scan(&key, &r.version, &r.at, &r.origin.Rule, &r.origin.Author, &r.origin.Reason, &r.curve); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		return add(key, &r)
	}, `SELECT chunk, version, at, rule, author, reason, curve FROM open_days WHERE chunk `+in+` AND meter = ?`, append(args, meter)...)
}

// clampSpan narrows a span to the days that are there, open ones included.
func clampSpan(ctx context.Context, c conn, first, last curve.Date) (from, to curve.Date, ok bool, err error) {
	var low, high, openLow, openHigh sql.NullInt64
	err = c.queryRow(ctx, `SELECT (SELECT min(id) FROM day_chunks), (SELECT max(id) FROM day_chunks),
		(SELECT min(chunk) FROM open_days), (SELECT max(chunk) FROM open_days)`).Scan(&low, &high, &openLow, &openHigh)
	if err != nil {
		return 0, 0, false, fmt.Errorf("read the span of days: %w", err)
	}
	for _, key := range []sql.NullInt64{low, high, openLow, openHigh} {
		if !key.Valid {
			continue
		}
		date := dateOf(key.Int64)
		if !ok {
			from, to, ok = date, date, true
		}
		from, to = min(from, date), max(to, date)
	}
	from, to = max(first, from), min(last, to)
	return from, to, ok && from <= to, nil
}

// readSpan looks at closed days alone; a chunk without any has no row.
func readSpan(ctx context.Context, c conn) (first, last curve.Date, ok bool, err error) {
	var low, high sql.NullInt64
	err = c.queryRow(ctx, `SELECT (SELECT min(id) FROM day_chunks), (SELECT max(id) FROM day_chunks)`).Scan(&low, &high)
	if err != nil {
		return 0, 0, false, fmt.Errorf("read the span of days: %w", err)
	}
	if !low.Valid {
		return 0, 0, false, nil
	}
	return dateOf(low.Int64), dateOf(high.Int64), true, nil
}
