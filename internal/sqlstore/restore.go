package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// ErrNotEmpty is returned by Restore for a database that holds something.
var ErrNotEmpty = errors.New("the database is not empty; restore into a new one")

// Restore reads a dump into this database, which must be empty: all of it or,
// where the dump is damaged or cut, nothing. progress, if not nil, is told how
// many rows of a table are in.
func (db *DB) Restore(ctx context.Context, r io.Reader, progress func(table string, rows int64)) error {
	in, err := newFrameReader(r)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	release, err := db.wait(ctx)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer release()
	err = db.writeOnce(ctx, func(tx *Tx) error { // r cannot be read twice
		if err := db.withoutTimeout(ctx, tx.conn); err != nil {
			return err
		}
		if err := refuseNotEmpty(ctx, tx); err != nil {
			return err
		}
		s := restoring{tx: tx, progress: progress, done: map[string]bool{}}
		if err := s.frames(ctx, in); err != nil {
			return err
		}
		return s.renumber(ctx)
	})
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

func refuseNotEmpty(ctx context.Context, tx *Tx) error {
	for _, t := range dumped() {
		var there bool
		if err := tx.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM `+t.name+`)`).Scan(&there); err != nil {
			return fmt.Errorf("look into table %s: %w", t.name, err)
		}
		if there {
			return fmt.Errorf("table %s: %w", t.name, ErrNotEmpty)
		}
	}
	return nil
}

// restoring is one Restore under way.
type restoring struct {
	tx       *Tx
	progress func(table string, rows int64)
	done     map[string]bool
	table    *table   // the one whose rows come
	columns  []column // as the dump gives them
	count    int64
}

func (s *restoring) frames(ctx context.Context, in *frameReader) error {
	for {
		kind, payload, err := in.next()
		if err != nil {
			return err
		}
		switch kind {
		case frameEnd:
			return nil
		case frameTable:
			err = s.begin(payload)
		case frameRows:
			err = s.rows(ctx, payload)
		default:
			err = fmt.Errorf("%w (a piece of unknown kind)", errDump)
		}
		if err != nil {
			return err
		}
	}
}

// begin reads the head of a table. A column that the dump lacks is filled with
// zeros: later versions add columns so that this is right.
func (s *restoring) begin(payload []byte) error {
	r := reader{in: payload}
	name, n := r.string(), r.uvarint()
	tables := dumped()
	i := slices.IndexFunc(tables, func(t table) bool { return t.name == name })
	if r.bad || i < 0 || s.done[name] || n == 0 || n > 64 {
		return fmt.Errorf("%w (table %.40q is unknown or comes twice; a newer version may have written it)", errDump, name)
	}
	s.done[name] = true
	s.table, s.columns, s.count = &tables[i], nil, 0
	for range n {
		c := column{name: r.string(), kind: kind(r.byte())}
		if r.bad || !slices.Contains(s.table.columns, c) || slices.Contains(s.columns, c) {
			return fmt.Errorf("%w (column %.40q of table %s is unknown or comes twice; a newer version may have written it)", errDump, c.name, name)
		}
		s.columns = append(s.columns, c)
	}
	if len(r.in) > 0 {
		return fmt.Errorf("%w (head of table %s)", errDump, name)
	}
	return nil
}

// rows inserts the rows of a frame.
func (s *restoring) rows(ctx context.Context, payload []byte) error {
	if s.table == nil {
		return fmt.Errorf("%w (rows before a table)", errDump)
	}
	values, err := s.parse(payload)
	if err != nil {
		return err
	}
	if err := s.tx.insertRows(ctx, s.table.name, s.table.names(), "", len(values), func(i int) ([]any, error) { return values[i], nil }); err != nil {
		return err
	}
	s.count += int64(len(values))
	if s.progress != nil {
		s.progress(s.table.name, s.count)
	}
	return nil
}

func (s *restoring) parse(payload []byte) ([][]any, error) {
	var all [][]any
	for r := (reader{in: payload}); len(r.in) > 0; {
		given := map[column]any{}
		for _, c := range s.columns {
			given[c] = c.read(&r)
		}
		if r.bad {
			return nil, fmt.Errorf("%w (a row of table %s)", errDump, s.table.name)
		}
		values := make([]any, len(s.table.columns))
		for i, c := range s.table.columns {
			v, ok := given[c]
			if !ok {
				v = c.zero()
			}
			values[i] = v
		}
		all = append(all, values)
	}
	return all, nil
}

func (c column) read(r *reader) any {
	switch c.kind {
	case integer:
		return r.varint()
	case text:
		s := r.string()
		r.bad = r.bad || !utf8.ValidString(s)
		return s
	}
	return r.bytes(r.uvarint())
}

func (c column) zero() any {
	switch c.kind {
	case integer:
		return int64(0)
	case text:
		return ""
	}
	return []byte{}
}

// renumber has the engine go on numbering after what came in.
func (s *restoring) renumber(ctx context.Context) error {
	if s.tx.engine != postgresEngine {
		return nil // SQLite goes on after the highest by itself
	}
	for _, t := range dumped() {
		if t.numbers == "" {
			continue
		}
		var next int64
		err := s.tx.queryRow(ctx, `SELECT setval(pg_get_serial_sequence('`+t.name+`', '`+t.numbers+`'),
			(SELECT coalesce(max(`+t.numbers+`), 0) + 1 FROM `+t.name+`), false)`).Scan(&next)
		if err != nil {
			return fmt.Errorf("number table %s: %w", t.name, err)
		}
	}
	return nil
}
