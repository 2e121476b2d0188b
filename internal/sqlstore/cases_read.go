package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gridwarden/gridwarden/internal/cases"
)

// Get implements cases.Store. The case is added up from its events, not taken
// from the row that lists read.
func (s *Cases) Get(ctx context.Context, id string) (*cases.Case, error) {
	rows, err := s.db.sql.QueryContext(ctx, `SELECT event FROM case_events WHERE case_id = ? ORDER BY seq`, id)
	if err != nil {
		return nil, fmt.Errorf("read case %s: %w", id, err)
	}
	defer func() { _ = rows.Close() }()
	var events []cases.Event
	for rows.Next() {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return nil, fmt.Errorf("read case %s: %w", id, err)
		}
		var e cases.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return nil, fmt.Errorf("case %s, event %d is damaged: %w; restore the database from a backup", id, len(events)+1, err)
		}
		events = append(events, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read case %s: %w", id, err)
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("case %s: %w", id, cases.ErrNotFound)
	}
	c, err := cases.Fold(events)
	if err != nil {
		return nil, err
	}
	c.Timeline = events
	return c, nil
}

// BySubject implements cases.Store.
func (s *Cases) BySubject(ctx context.Context, subject cases.Subject) (*cases.Case, error) {
	c, err := readHead(s.db.sql.QueryRowContext(ctx, `SELECT head FROM cases WHERE subject_kind = ? AND subject_id = ?`,
		string(subject.Kind), subject.ID))
	if errors.Is(err, cases.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("case of %s %s: %w", subject.Kind, subject.ID, err)
	}
	return c, nil
}

// List implements cases.Store.
func (s *Cases) List(ctx context.Context, f cases.Filter) ([]cases.Case, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = -1 // no limit
	}
	state, kind, id := string(f.State), string(f.Subject.Kind), f.Subject.ID
	rows, err := s.db.sql.QueryContext(ctx, `SELECT head FROM cases
		WHERE (? = '' OR state = ?) AND (? = '' OR subject_kind = ?) AND (? = '' OR subject_id = ?)
		ORDER BY serial DESC LIMIT ?`, state, state, kind, kind, id, id, limit)
	if err != nil {
		return nil, fmt.Errorf("list cases: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []cases.Case
	for rows.Next() {
		c, err := readHead(rows)
		if err != nil {
			return nil, fmt.Errorf("list cases: %w", err)
		}
		list = append(list, *c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list cases: %w", err)
	}
	return list, nil
}

// Count implements cases.Store.
func (s *Cases) Count(ctx context.Context) (map[cases.State]int, error) {
	rows, err := s.db.sql.QueryContext(ctx, `SELECT state, count(*) FROM cases GROUP BY state`)
	if err != nil {
		return nil, fmt.Errorf("count cases: %w", err)
	}
	defer func() { _ = rows.Close() }()
	counts := map[cases.State]int{}
	for rows.Next() {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return nil, fmt.Errorf("count cases: %w", err)
		}
		counts[cases.State(state)] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count cases: %w", err)
	}
	return counts, nil
}

// readHead reads a case from its row; cases.ErrNotFound where there is none.
func readHead(row interface{ Scan(...any) error }) (*cases.Case, error) {
	var data []byte
	if err := row.Scan(&data); errors.Is(err, sql.ErrNoRows) {
		return nil, cases.ErrNotFound
	} else if err != nil {
		return nil, fmt.Errorf("read case: %w", err)
	}
	var c cases.Case
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("stored case is damaged: %w; restore the database from a backup", err)
	}
	return &c, nil
}
