package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// merged is what becomes of one chunk.
type merged struct {
	key      int64
	chunk    chunk // as it will be
	stored   bool  // a row is there
	changed  bool
	archive  []replaced // versions to keep
	opened   []replaced // open days to store
	closed   []int64    // meters whose open day is to be removed
	announce []announcement
}

// replaced is a version of a meter's day with its meter.
type replaced struct {
	meter int64
	record
}

// announcement says that a meter's day was closed anew or reopened.
type announcement struct {
	meterID  string
	rule     string
	reopened bool
}

// decide works out what the waiting days of a chunk change. open are the
// chunk's open days by slot.
func (t *curvesTx) decide(ctx context.Context, key int64, have *chunk, open map[int]record) (*merged, error) {
	m := &merged{key: key, stored: have != nil}
	if have != nil {
		m.chunk = *have
	}
	for i := range t.waiting[key].puts {
		p := &t.waiting[key].puts[i]
		versions := []record{p.record}
		if m.chunk.has(p.slot) && !p.open && m.chunk.days[p.slot].origin.Rule == curve.OriginEdited {
			var err error
			if versions, err = t.supersede(ctx, key, p, &m.chunk.days[p.slot]); err != nil {
				return nil, fmt.Errorf("meter %s on %s: %w", p.meterID, dateOf(key), err)
			}
		}
		var running *record
		if r, ok := open[p.slot]; ok {
			running = &r
		}
		var last *record
		for i := range versions {
			if m.take(p.slot, versions[i], running, t.now) {
				last = &versions[i]
			}
		}
		if last != nil {
			m.announce = append(m.announce, announcement{p.meterID, last.origin.Rule, last.open})
		}
	}
	return m, nil
}

// take makes r the current version of a slot; running is the open day that is
// stored there, nil for none. It reports whether that is to be announced: what
// detection sees has changed.
func (m *merged) take(slot int, r record, running *record, now int64) bool {
	meter := groupOf(m.key)*chunkMeters + int64(slot)
	was := running
	if m.chunk.has(slot) {
		was = &m.chunk.days[slot]
	}
	if was != nil && was.same(&r) {
		return false
	}
	wasClosed := was != nil && !was.open
	r.at, r.version = now, 1
	if was != nil {
		r.version = was.version
	}
	if wasClosed {
		if r.open || !bytes.Equal(was.curve, r.curve) {
			m.archive = append(m.archive, replaced{meter, *was})
			r.version++
		} else { // only the features are new
			r.at, r.origin = was.at, was.origin
		}
	}
	if !r.open {
		if running != nil {
			m.closed = append(m.closed, meter)
		}
		m.chunk.put(slot, r)
		m.changed = true
		return true
	}
	if m.chunk.has(slot) {
		m.chunk.drop(slot)
		m.changed = true
	}
	m.opened = append(m.opened, replaced{meter, r})
	return wasClosed
}

// same reports whether storing b over r would change nothing.
func (r *record) same(b *record) bool {
	return r.open == b.open && bytes.Equal(r.curve, b.curve) && (r.open || bytes.Equal(r.features, b.features))
}

// supersede returns the versions that a delivery adds to a day that people
// have edited.
func (t *curvesTx) supersede(ctx context.Context, key int64, p *put, was *record) ([]record, error) {
	var current, delivered curve.Day
	if err := errors.Join(was.decode(&current, p.meterID, key), p.decode(&delivered, p.meterID, key)); err != nil {
		return nil, err
	}
	superseding, err := curve.Supersede(&current, &delivered, func() (*curve.Day, error) { return t.lastDelivered(ctx, key, p) })
	if err != nil {
		return nil, err
	}
	var records []record
	for i := range superseding {
		days, features := []curve.Day{superseding[i].Day}, []curve.Features{superseding[i].Features}
		records = append(records, encodeDays(days, features)...)
	}
	return records, nil
}

func (r *record) decode(d *curve.Day, meterID string, key int64) error {
	if err := curve.Decode(d, meterID, dateOf(key), r.curve); err != nil {
		return err
	}
	d.Open, d.Origin = r.open, r.origin
	return nil
}

// lastDelivered returns the newest kept version that is no edit.
func (t *curvesTx) lastDelivered(ctx context.Context, key int64, p *put) (*curve.Day, error) {
	var r record
	err := t.queryRow(ctx, `SELECT rule, author, reason, curve FROM day_versions
		WHERE meter = ? AND day = ? AND rule <> ? ORDER BY version DESC LIMIT 1`,
		groupOf(key)*chunkMeters+int64(p.slot), int64(dateOf(key)), curve.OriginEdited).
		Scan(&r.origin.Rule, &r.origin.Author, &r.origin.Reason, &r.curve)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the last delivery: %w", err)
	}
	d := new(curve.Day)
	return d, r.decode(d, p.meterID, key)
}
