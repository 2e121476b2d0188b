package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// chunksAQuery bounds how many chunks one query reads, so that none lasts
// long however slow its reader is.
const chunksAQuery = 2048

// readFeatures reads the chunks of a span in the order of their keys. names
// are those known so far; those that are met are added.
func readFeatures(ctx context.Context, c conn, names *meterNumbers, first, last curve.Date, fn func(meterID string, date curve.Date, f *curve.Features) error) error {
	read, err := readMeters(ctx, c, names.newest()+1, math.MaxInt64)
	if err != nil {
		return err
	}
	names.add(read)
	sweep := featureSweep{c: c, names: names, fn: fn}
	for from, to := chunkKey(first, 0), chunkKey(last, 0)|math.MaxUint32; ; {
		n, err := sweep.some(ctx, from, to)
		if err != nil {
			if sweep.stop != nil {
				return sweep.stop
			}
			return fmt.Errorf("read features: %w", err)
		}
		if n < chunksAQuery {
			return nil
		}
		from = sweep.last + 1
	}
}

// featureSweep reads the features of chunks one after the other.
type featureSweep struct {
	c     conn
	names *meterNumbers
	fn    func(meterID string, date curve.Date, f *curve.Features) error
	last  int64 // key of the last chunk
	stop  error // fn's own, which is passed on as it is
	held  chunk
	f     curve.Features
}

func (s *featureSweep) some(ctx context.Context, from, to int64) (chunks int, err error) {
	var unnamed []heldChunk
	err = s.c.query(ctx, func(rows *sql.Rows) error {
		chunks++
		var index, features sql.RawBytes
		if err := rows.Scan(&s.last, &index, &features); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		names := s.names.ofChunk(groupOf(s.last))
		if !named(&names, index) {
			unnamed = append(unnamed, heldChunk{s.last, append([]byte(nil), index...), append([]byte(nil), features...)})
			return nil
		}
		return s.pass(s.last, index, features, &names, allSlots)
	}, `SELECT id, days, features FROM day_chunks WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?`, from, to, chunksAQuery)
	if err != nil {
		return chunks, err
	}
	for _, h := range unnamed { // meters that another process has added since
		read, err := readMeters(ctx, s.c, groupOf(h.key)*chunkMeters, groupOf(h.key)*chunkMeters+chunkMeters-1)
		if err != nil {
			return chunks, err
		}
		s.names.add(read)
		names := s.names.ofChunk(groupOf(h.key))
		if err := s.pass(h.key, h.index, h.features, &names, allSlots); err != nil {
			return chunks, err
		}
	}
	return chunks, nil
}

type heldChunk struct {
	key             int64
	index, features []byte
}

// named reports whether the names of all meters in a chunk are known.
func named(names *[chunkMeters]string, index []byte) bool {
	x, err := openIndex(index)
	if err != nil {
		return true // reading the chunk says so
	}
	all := true
	slots(x.present, func(slot int) { all = all && names[slot] != "" })
	return all
}

const allSlots = math.MaxUint64

// pass calls fn for the days of one chunk, those of the wanted slots.
func (s *featureSweep) pass(key int64, index, features []byte, names *[chunkMeters]string, wanted uint64) error {
	if features == nil {
		features = []byte{}
	}
	if err := decodeChunk(&s.held, index, features, nil); err != nil {
		return fmt.Errorf("%s: %w", dateOf(key), err)
	}
	date := dateOf(key)
	slots(s.held.present&wanted, func(slot int) {
		if s.stop == nil {
			curve.DecodeFeatures(&s.f, s.held.days[slot].features)
			s.stop = s.fn(names[slot], date, &s.f)
		}
	})
	return s.stop
}

// FeaturesOf calls fn for each closed meter-day of these meters from first to
// last (both inclusive), in any order. It reads the chunks that hold them, so
// meters whose first days came together cost least.
func (c *Curves) FeaturesOf(ctx context.Context, meterIDs []string, first, last curve.Date, fn func(meterID string, date curve.Date, f *curve.Features) error) error {
	q := c.db.read()
	numbers, err := c.numbersOf(ctx, q, meterIDs)
	if err != nil {
		return fmt.Errorf("read features: %w", err)
	}
	first, last, ok, err := clampSpan(ctx, q, first, last)
	if err != nil || !ok {
		return err
	}
	wanted := map[int64]uint64{} // slots by group
	for _, n := range numbers {
		wanted[n/chunkMeters] |= 1 << (n % chunkMeters)
	}
	groups := slices.Sorted(maps.Keys(wanted))
	var keys []int64
	for date := first; date <= last; date++ {
		for _, group := range groups {
			keys = append(keys, chunkKey(date, group*chunkMeters))
		}
	}
	sweep := featureSweep{c: q, names: &c.meters, fn: fn}
	err = eachIn(q, keys, func(in string, args []any) error {
		return q.query(ctx, func(rows *sql.Rows) error {
			var key int64
			var index, features sql.RawBytes
			if err := rows.Scan(&key, &index, &features); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			names := c.meters.ofChunk(groupOf(key))
			return sweep.pass(key, index, features, &names, wanted[groupOf(key)])
		}, `SELECT id, days, features FROM day_chunks WHERE id `+in, args...)
	})
	if err != nil && sweep.stop == nil {
		return fmt.Errorf("read features: %w", err)
	}
	return sweep.stop
}

// numbersOf returns the numbers of those of the meters that have one, and
// remembers them.
func (c *Curves) numbersOf(ctx context.Context, q conn, meterIDs []string) ([]int64, error) {
	var numbers []int64
	var unknown []string
	for _, id := range meterIDs {
		if n, ok := c.meters.number(id); ok {
			numbers = append(numbers, n)
		} else {
			unknown = append(unknown, id)
		}
	}
	read := map[string]int64{}
	err := eachIn(q, unknown, func(in string, args []any) error {
		return q.query(ctx, func(rows *sql.Rows) error {
			var n int64
			var id string
			if err := rows.Scan(&n, &id); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			read[id] = n
			return nil
		}, `SELECT id, meter_id FROM meters WHERE meter_id `+in, args...)
	})
	if err != nil {
		return nil, fmt.Errorf("numbers of meters: %w", err)
	}
	c.meters.add(read)
	return slices.AppendSeq(numbers, maps.Values(read)), nil
}
