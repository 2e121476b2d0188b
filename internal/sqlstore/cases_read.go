package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/gridwarden/gridwarden/internal/cases"
)

// Get implements cases.Store. The case is added up from its events, not taken
// from the row that lists read.
func (s *Cases) Get(ctx context.Context, id string) (*cases.Case, error) {
	var events []cases.Event
	err := s.db.read().query(ctx, func(rows *sql.Rows) error {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		var e cases.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("event %d is damaged: %w; restore the database from a backup", len(events)+1, err)
		}
		events = append(events, e)
		return nil
	}, `SELECT event FROM case_events WHERE case_id = ? ORDER BY seq`, id)
	if err != nil {
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
	c, err := readHead(s.db.read().queryRow(ctx, `SELECT head FROM cases WHERE subject_kind = ? AND subject_id = ?`,
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
		limit = math.MaxInt32
	}
	var where strings.Builder
	var args []any
	for _, condition := range []struct{ column, value string }{
		{"state", string(f.State)}, {"subject_kind", string(f.Subject.Kind)}, {"subject_id", f.Subject.ID},
	} {
		if condition.value != "" {
			where.WriteString(" AND " + condition.column + " = ?")
			args = append(args, condition.value)
		}
	}
	var list []cases.Case
	err := s.db.read().query(ctx, func(rows *sql.Rows) error {
		c, err := readHead(rows)
		if err != nil {
			return err
		}
		list = append(list, *c)
		return nil
	}, `SELECT head FROM cases WHERE 1 = 1`+where.String()+` ORDER BY serial DESC LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("list cases: %w", err)
	}
	return list, nil
}

// Count implements cases.Store.
func (s *Cases) Count(ctx context.Context) (map[cases.State]int, error) {
	counts := map[cases.State]int{}
	err := s.db.read().query(ctx, func(rows *sql.Rows) error {
		var state string
		var n int
		if err := rows.Scan(&state, &n); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		counts[cases.State(state)] = n
		return nil
	}, `SELECT state, count(*) FROM cases GROUP BY state`)
	if err != nil {
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
