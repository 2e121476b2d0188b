package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gridwarden/gridwarden/internal/cases"
)

// Cases keeps cases as appended events. It implements cases.Store.
type Cases struct{ db *DB }

var _ cases.Store = (*Cases)(nil)

// Cases returns the store of cases.
func (db *DB) Cases() *Cases { return &Cases{db} }

// Create implements cases.Store.
func (s *Cases) Create(ctx context.Context, year int, subject cases.Subject, open func(id string) cases.Event) (*cases.Case, error) {
	var c *cases.Case
	err := s.db.Write(ctx, func(tx *Tx) error {
		// The number's row stays locked until the end, so that the next one who
		// opens a case sees this one, or takes the same number where it failed.
		var number int
		if err := tx.queryRow(ctx, `INSERT INTO case_numbers (year, last) VALUES (?, 1)
			ON CONFLICT (year) DO UPDATE SET last = case_numbers.last + 1 RETURNING last`, year).Scan(&number); err != nil {
			return fmt.Errorf("take the next case number of %d: %w", year, tx.engine.explain(err))
		}
		var other string
		err := tx.queryRow(ctx, `SELECT id FROM cases WHERE subject_kind = ? AND subject_id = ?`,
			string(subject.Kind), subject.ID).Scan(&other)
		if err == nil {
			return fmt.Errorf("%s %s has case %s: %w", subject.Kind, subject.ID, other, cases.ErrExists)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("look for a case of %s %s: %w", subject.Kind, subject.ID, err)
		}
		event := open(cases.CaseID(year, number))
		if c, err = cases.Fold([]cases.Event{event}); err != nil {
			return err
		}
		head, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("case %s: %w", c.ID, err)
		}
		if _, err := tx.exec(ctx, `INSERT INTO cases (id, subject_kind, subject_id, state, version, head)
			VALUES (?, ?, ?, ?, ?, ?)`, c.ID, string(subject.Kind), subject.ID, string(c.State), c.Version, head); err != nil {
			return fmt.Errorf("store case %s: %w", c.ID, err)
		}
		return storeEvent(ctx, tx, c.ID, &event)
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Append implements cases.Store.
func (s *Cases) Append(ctx context.Context, id string, version int, events []cases.Event) (*cases.Case, error) {
	var c *cases.Case
	err := s.db.Write(ctx, func(tx *Tx) error {
		have, err := readHead(tx.queryRow(ctx, `SELECT head FROM cases WHERE id = ?`+tx.engine.forUpdate(), id))
		if err != nil {
			return fmt.Errorf("case %s: %w", id, err)
		}
		if have.Version != version {
			return fmt.Errorf("case %s is at version %d, not %d: %w", id, have.Version, version, cases.ErrConflict)
		}
		if c, err = have.With(events); err != nil {
			return err
		}
		for i := range events {
			if err := storeEvent(ctx, tx, id, &events[i]); err != nil {
				return err
			}
		}
		head, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("case %s: %w", id, err)
		}
		if _, err := tx.exec(ctx, `UPDATE cases SET state = ?, version = ?, head = ? WHERE id = ?`,
			string(c.State), c.Version, head, id); err != nil {
			return fmt.Errorf("store case %s: %w", id, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func storeEvent(ctx context.Context, tx *Tx, id string, e *cases.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("case %s, event %d: %w", id, e.Seq, err)
	}
	if _, err := tx.exec(ctx, `INSERT INTO case_events (case_id, seq, at, type, event) VALUES (?, ?, ?, ?, ?)`,
		id, e.Seq, e.At.UnixNano(), string(e.Type), data); err != nil {
		return fmt.Errorf("store case %s, event %d: %w", id, e.Seq, err)
	}
	letter := Letter{Topic: topicCaseEvents, Key: id, MsgID: fmt.Sprintf("%s/%d", id, e.Seq), Data: data}
	if err := tx.post(ctx, []Letter{letter}); err != nil {
		return fmt.Errorf("tell of case %s, event %d: %w", id, e.Seq, err)
	}
	return nil
}
