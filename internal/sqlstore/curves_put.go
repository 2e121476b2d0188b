package sqlstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// curvesTx is a curve.Store within one transaction. Days that are put wait
// here until their chunks are full, the budget is spent, or something is read.
type curvesTx struct {
	*Tx
	curves *Curves
	made   map[string]int64 // numbers of the meters that it has met
	now    int64            // Unix nanoseconds; the time of all that it stores

	waiting map[int64]*waitingChunk
	full    []int64 // keys of waiting chunks that are full
	bytes   int     // of what waits
	letters letters
}

// waitingChunk are days of one chunk that are not written yet.
type waitingChunk struct {
	present uint64
	puts    []put
}

// put is a day to be stored.
type put struct {
	slot    int
	meterID string
	record
}

const (
	waitingBudget = 64 << 20 // bytes of days that wait
	putOverhead   = 200      // bytes of a put beside its curve and features
	fullAtOnce    = 64       // full chunks that are written together
)

func newCurvesTx(c *Curves, tx *Tx) *curvesTx {
	return &curvesTx{Tx: tx, curves: c, made: map[string]int64{}, now: time.Now().UnixNano(), waiting: map[int64]*waitingChunk{}}
}

// PutDays implements curve.Store.
func (t *curvesTx) PutDays(ctx context.Context, days []curve.Day, features []curve.Features) error {
	if err := curve.CheckPut(days, features); err != nil {
		return fmt.Errorf("store days: %w", err)
	}
	if err := t.number(ctx, len(days), func(i int) string { return days[i].MeterID }); err != nil {
		return fmt.Errorf("store days: %w", err)
	}
	records := encodeDays(days, features)
	for i := range days {
		if err := t.put(ctx, days[i].MeterID, days[i].Date, records[i]); err != nil {
			return fmt.Errorf("store meter %s on %s: %w", days[i].MeterID, days[i].Date, err)
		}
	}
	return t.flushFull(ctx)
}

// PutEncoded implements curve.EncodedStore.
func (t *curvesTx) PutEncoded(ctx context.Context, origin curve.Origin, days []curve.Encoded) error {
	size := 0
	for i := range days {
		if days[i].MeterID == "" || len(days[i].Curve) == 0 {
			return fmt.Errorf("store days: a day on %s has no meter id or no curve", days[i].Date)
		}
		size += curve.FeatureBytes + len(days[i].Curve)
	}
	if err := t.number(ctx, len(days), func(i int) string { return days[i].MeterID }); err != nil {
		return fmt.Errorf("store days: %w", err)
	}
	arena := make([]byte, 0, size)
	for i := range days {
		d := &days[i]
		from := len(arena)
		arena = curve.AppendFeatures(arena, &d.Features)
		to := len(arena)
		arena = append(arena, d.Curve...)
		r := record{features: arena[from:to:to], curve: arena[to:len(arena):len(arena)], origin: origin}
		if err := t.put(ctx, d.MeterID, d.Date, r); err != nil {
			return fmt.Errorf("store meter %s on %s: %w", d.MeterID, d.Date, err)
		}
	}
	return t.flushFull(ctx)
}

// encodersFrom is from how many days on it pays to encode on two cores.
const encodersFrom = 32

// encodeDays returns the stored form of days.
func encodeDays(days []curve.Day, features []curve.Features) []record {
	records := make([]record, len(days))
	if len(days) < encodersFrom {
		encodeSome(records, days, features)
		return records
	}
	var wg sync.WaitGroup
	half := len(days) / 2
	wg.Go(func() { encodeSome(records[:half], days[:half], features[:half]) })
	encodeSome(records[half:], days[half:], features[half:])
	wg.Wait()
	return records
}

func encodeSome(records []record, days []curve.Day, features []curve.Features) {
	var arena []byte
	for i := range days {
		if cap(arena)-len(arena) < curve.FeatureBytes+roomForCurve {
			arena = make([]byte, 0, max(4096, len(days)*(curve.FeatureBytes+typicalCurve))+curve.FeatureBytes+roomForCurve)
		}
		from := len(arena)
		arena = curve.AppendFeatures(arena, &features[i])
		to := len(arena)
		arena = curve.Encode(arena, &days[i])
		records[i] = record{features: arena[from:to:to], curve: arena[to:len(arena):len(arena)], open: days[i].Open, origin: days[i].Origin}
		if days[i].Open {
			records[i].features = nil
		}
	}
}

// Sizes of stored curves, bytes.
const (
	typicalCurve = 128
	roomForCurve = 1024
)

// put has one day wait for its chunk. A day that already waits in another
// form is written first, so that it is kept as a version.
func (t *curvesTx) put(ctx context.Context, meterID string, date curve.Date, r record) error {
	meter := t.meter(meterID)
	key, slot := chunkKey(date, meter), int(meter%chunkMeters)
	w := t.waiting[key]
	if w != nil && w.present&(1<<slot) != 0 {
		i := slices.IndexFunc(w.puts, func(p put) bool { return p.slot == slot })
		if w.puts[i].same(&r) {
			return nil
		}
		if w.puts[i].open && r.open {
			t.bytes += r.size() - w.puts[i].size()
			w.puts[i].record = r
			return nil
		}
		if err := t.flush(ctx); err != nil {
			return err
		}
		w = nil
	}
	if w == nil {
		w = &waitingChunk{}
		t.waiting[key] = w
	}
	w.present |= 1 << slot
	w.puts = append(w.puts, put{slot: slot, meterID: meterID, record: r})
	t.bytes += r.size()
	if len(w.puts) == chunkMeters {
		t.full = append(t.full, key)
	}
	return nil
}

func (r *record) size() int { return len(r.curve) + len(r.features) + putOverhead }

// flushFull writes the chunks that are full once there are some of them, and
// all that waits where the budget is spent.
func (t *curvesTx) flushFull(ctx context.Context) error {
	if t.bytes > waitingBudget {
		return t.flush(ctx)
	}
	if len(t.full) < fullAtOnce {
		return nil
	}
	keys := t.full
	t.full = nil
	slices.Sort(keys)
	return t.write(ctx, keys)
}

// flush writes all that waits.
func (t *curvesTx) flush(ctx context.Context) error {
	keys := slices.Sorted(maps.Keys(t.waiting))
	t.full = nil
	return t.write(ctx, keys)
}

// write merges waiting chunks with what is stored, some at a time.
func (t *curvesTx) write(ctx context.Context, keys []int64) error {
	for len(keys) > 0 {
		n := min(len(keys), fullAtOnce)
		lost, err := t.merge(ctx, keys[:n])
		if err != nil {
			return fmt.Errorf("store days: %w", err)
		}
		keys = append(lost, keys[n:]...)
	}
	return nil
}

// finish writes what is left before the transaction ends.
func (t *curvesTx) finish(ctx context.Context) error {
	if err := t.flush(ctx); err != nil {
		return err
	}
	return t.postLetters(ctx, true)
}

// Days implements curve.Store.
func (t *curvesTx) Days(ctx context.Context, meterID string, first, last curve.Date) ([]curve.Day, error) {
	if err := t.flush(ctx); err != nil {
		return nil, err
	}
	return readDays(ctx, t.conn, meterID, first, last)
}

// Features implements curve.Store.
func (t *curvesTx) Features(ctx context.Context, first, last curve.Date, fn func(meterID string, date curve.Date, f *curve.Features) error) error {
	if err := t.flush(ctx); err != nil {
		return err
	}
	// Numbers that this transaction gave must not be remembered before it ends.
	own := &meterNumbers{numbers: map[string]int64{}}
	return readFeatures(ctx, t.conn, own, first, last, fn)
}

// Span implements curve.Store.
func (t *curvesTx) Span(ctx context.Context) (first, last curve.Date, ok bool, err error) {
	if err := t.flush(ctx); err != nil {
		return 0, 0, false, err
	}
	return readSpan(ctx, t.conn)
}
