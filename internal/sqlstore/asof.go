package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// AsOf shows the curves as they were stored at a time: what came later, late
// readings, edits and days that closed since, is not there. It reads only.
//
// Days that were still open then are left out, since no version of an open
// day is kept; versions whose time was not kept count as old.
type AsOf struct {
	curves *Curves
	at     time.Time
}

var _ curve.Store = (*AsOf)(nil)

// AsOf returns the curves as of a time.
func (c *Curves) AsOf(at time.Time) *AsOf { return &AsOf{c, at} }

// errPast says that the past cannot be written.
var errPast = errors.New("curves as of a time in the past are for reading")

// PutDays implements curve.Store; it always fails.
func (*AsOf) PutDays(context.Context, []curve.Day, []curve.Features) error { return errPast }

// Span implements curve.Store. Days that came since count.
func (a *AsOf) Span(ctx context.Context) (first, last curve.Date, ok bool, err error) {
	return a.curves.Span(ctx)
}

// meterDay is a day of the meter of that number.
type meterDay struct {
	meter int64
	date  curve.Date
}

// Days implements curve.Store.
func (a *AsOf) Days(ctx context.Context, meterID string, first, last curve.Date) ([]curve.Day, error) {
	var out []curve.Day
	err := a.curves.db.snapshot(ctx, func(q conn) error {
		meter, err := numberOf(ctx, q, meterID)
		if err != nil || meter == 0 {
			return err
		}
		days, err := readDaysOf(ctx, q, meterID, meter, first, last)
		if err != nil {
			return err
		}
		later, err := a.later(ctx, q, []int64{meter}, first, last)
		if err != nil {
			return err
		}
		for _, d := range days {
			if !d.Open && !later[meterDay{meter, d.Date}] {
				out = append(out, d)
			}
		}
		return a.earlier(ctx, q, later, func(k meterDay, r *record) error {
			var d curve.Day
			if err := r.decode(&d, meterID, chunkKey(k.date, k.meter)); err != nil {
				return err
			}
			out = append(out, d)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("days of meter %s as of %s: %w", meterID, a.at.Format(time.RFC3339), err)
	}
	slices.SortFunc(out, func(x, y curve.Day) int { return int(x.Date - y.Date) })
	return out, nil
}

// Features implements curve.Store.
func (a *AsOf) Features(ctx context.Context, first, last curve.Date, fn func(meterID string, date curve.Date, f *curve.Features) error) error {
	return a.features(ctx, nil, first, last, fn, func(pass func(string, curve.Date, *curve.Features) error) error {
		return a.curves.Features(ctx, first, last, pass)
	})
}

// FeaturesOf calls fn for each meter-day of these meters that was closed then.
func (a *AsOf) FeaturesOf(ctx context.Context, meterIDs []string, first, last curve.Date, fn func(meterID string, date curve.Date, f *curve.Features) error) error {
	numbers, err := a.curves.numbersOf(ctx, a.curves.db.read(), meterIDs)
	if err != nil || len(numbers) == 0 {
		return err
	}
	return a.features(ctx, numbers, first, last, fn, func(pass func(string, curve.Date, *curve.Features) error) error {
		return a.curves.FeaturesOf(ctx, meterIDs, first, last, pass)
	})
}

// features passes on what read shows, with what has changed since as it was.
func (a *AsOf) features(ctx context.Context, numbers []int64, first, last curve.Date, fn func(string, curve.Date, *curve.Features) error, read func(func(string, curve.Date, *curve.Features) error) error) error {
	q := a.curves.db.read()
	later, err := a.later(ctx, q, numbers, first, last)
	if err != nil {
		return fmt.Errorf("what came since: %w", err)
	}
	err = read(func(meterID string, date curve.Date, f *curve.Features) error {
		if n, ok := a.curves.meters.number(meterID); ok && later[meterDay{n, date}] {
			return nil
		}
		return fn(meterID, date, f)
	})
	if err != nil {
		return err
	}
	var f curve.Features
	return a.earlier(ctx, q, later, func(k meterDay, r *record) error {
		curve.DecodeFeatures(&f, r.features)
		return fn(a.curves.meters.ofChunk(k.meter / chunkMeters)[k.meter%chunkMeters], k.date, &f)
	})
}

// later finds the closed days of these meters (nil: of all) whose present
// version came after the time.
func (a *AsOf) later(ctx context.Context, q conn, numbers []int64, first, last curve.Date) (map[meterDay]bool, error) {
	first, last, ok, err := clampSpan(ctx, q, first, last)
	out := make(map[meterDay]bool)
	if err != nil || !ok {
		return out, err
	}
	wanted := map[int64]uint64{} // slots by group
	for _, n := range numbers {
		wanted[n/chunkMeters] |= 1 << (n % chunkMeters)
	}
	look := func(rows *sql.Rows) error {
		var key int64
		var index sql.RawBytes
		if err := rows.Scan(&key, &index); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		slots := uint64(allSlots)
		if numbers != nil {
			slots = wanted[groupOf(key)]
		}
		return a.laterIn(out, key, index, slots)
	}
	if numbers == nil {
		err = q.query(ctx, look, `SELECT id, days FROM day_chunks WHERE id BETWEEN ? AND ?`, chunkKey(first, 0), chunkKey(last, 0)|maxGroup)
		return out, err
	}
	var keys []int64
	for date := first; date <= last; date++ {
		for _, group := range slices.Sorted(maps.Keys(wanted)) {
			keys = append(keys, chunkKey(date, group*chunkMeters))
		}
	}
	err = eachIn(q, keys, func(in string, args []any) error {
		return q.query(ctx, look, `SELECT id, days FROM day_chunks WHERE id `+in, args...)
	})
	return out, err
}

// maxGroup fills the part of a chunk's key that numbers the meters.
const maxGroup = 1<<32 - 1

// laterIn looks at one chunk.
func (a *AsOf) laterIn(out map[meterDay]bool, key int64, index []byte, wanted uint64) error {
	x, err := openIndex(index)
	if err != nil {
		return fmt.Errorf("%s: %w", dateOf(key), err)
	}
	for present := x.present; present != 0; present &= present - 1 {
		slot := bits.TrailingZeros64(present)
		r := x.next()
		if x.r.bad {
			return fmt.Errorf("%s: %w (index)", dateOf(key), errChunk)
		}
		if wanted&(1<<slot) != 0 && r.at > a.at.UnixNano() {
			out[meterDay{groupOf(key)*chunkMeters + int64(slot), dateOf(key)}] = true
		}
	}
	return nil
}

// earlier calls fn with the version that each of the days had at the time, in
// order of meters and days; days that were not there then are left out.
func (a *AsOf) earlier(ctx context.Context, q conn, days map[meterDay]bool, fn func(meterDay, *record) error) error {
	keys := slices.SortedFunc(maps.Keys(days), func(x, y meterDay) int {
		if x.meter != y.meter {
			return int(x.meter - y.meter)
		}
		return int(x.date - y.date)
	})
	for _, k := range keys {
		var r record
		err := q.queryRow(ctx, `SELECT version, at, rule, author, reason, features, curve FROM day_versions
			WHERE meter = ? AND day = ? AND at <= ? ORDER BY version DESC LIMIT 1`, k.meter, int64(k.date), a.at.UnixNano()).
			Scan(&r.version, &r.at, &r.origin.Rule, &r.origin.Author, &r.origin.Reason, &r.features, &r.curve)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return fmt.Errorf("version of %s: %w", k.date, err)
		}
		if err := fn(k, &r); err != nil {
			return err
		}
	}
	return nil
}
