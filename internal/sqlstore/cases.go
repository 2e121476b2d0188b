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
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		var other string
		err := tx.QueryRowContext(ctx, `SELECT id FROM cases WHERE subject_kind = ? AND subject_id = ?`,
			string(subject.Kind), subject.ID).Scan(&other)
		if err == nil {
			return fmt.Errorf("%s %s has case %s: %w", subject.Kind, subject.ID, other, cases.ErrExists)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("look for a case of %s %s: %w", subject.Kind, subject.ID, err)
		}
		var number int
		if err := tx.QueryRowContext(ctx, `INSERT INTO case_numbers (year, last) VALUES (?, 1)
			ON CONFLICT (year) DO UPDATE SET last = last + 1 RETURNING last`, year).Scan(&number); err != nil {
			return fmt.Errorf("take the next case number of %d: %w", year, err)
		}
		event := open(cases.CaseID(year, number))
		if c, err = cases.Fold([]cases.Event{event}); err != nil {
			return err
		}
		head, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("case %s: %w", c.ID, err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO cases (id, subject_kind, subject_id, state, version, head)
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
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		have, err := readHead(tx.QueryRowContext(ctx, `SELECT head FROM cases WHERE id = ?`, id))
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
		if _, err := tx.ExecContext(ctx, `UPDATE cases SET state = ?, version = ?, head = ? WHERE id = ?`,
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

func storeEvent(ctx context.Context, tx *sql.Tx, id string, e *cases.Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("case %s, event %d: %w", id, e.Seq, err)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO case_events (case_id, seq, at, type, event) VALUES (?, ?, ?, ?, ?)`,
		id, e.Seq, e.At.UnixNano(), string(e.Type), data); err != nil {
		return fmt.Errorf("store case %s, event %d: %w", id, e.Seq, err)
	}
	return nil
}
