package sqlstore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// rowsFrame is from how many bytes on a frame of rows is written.
const rowsFrame = 1 << 20

// Dump writes all that is stored, as it is at one moment, in a form that
// either engine takes: a backup, and the way from SQLite to PostgreSQL. Others
// go on writing meanwhile. Memory is bounded by the largest row. progress, if
// not nil, is told how many rows of a table are written.
func (db *DB) Dump(ctx context.Context, w io.Writer, progress func(table string, rows int64)) error {
	err := db.snapshot(ctx, func(c conn) error {
		if err := db.withoutTimeout(ctx, c); err != nil {
			return err
		}
		out, err := newFrameWriter(w)
		if err != nil {
			return err
		}
		for _, t := range dumped() {
			if err := dumpTable(ctx, c, out, &t, progress); err != nil {
				return fmt.Errorf("table %s: %w", t.name, err)
			}
		}
		return out.end()
	})
	if err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	return nil
}

// withoutTimeout lets the statements of a transaction take their time.
func (db *DB) withoutTimeout(ctx context.Context, c conn) error {
	if db.engine != postgresEngine {
		return nil
	}
	if _, err := c.exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
		return fmt.Errorf("set the statement timeout: %w", err)
	}
	return nil
}

func dumpTable(ctx context.Context, c conn, out *frameWriter, t *table, progress func(table string, rows int64)) error {
	head := appendString(nil, t.name)
	head = binary.AppendUvarint(head, uint64(len(t.columns)))
	for _, column := range t.columns {
		head = append(appendString(head, column.name), byte(column.kind))
	}
	if err := out.write(frameTable, head); err != nil {
		return err
	}
	var frame []byte
	count := int64(0)
	flush := func() error {
		if len(frame) == 0 {
			return nil
		}
		err := out.write(frameRows, frame)
		frame = frame[:0]
		if progress != nil {
			progress(t.name, count)
		}
		return err
	}
	row := newRow(t.columns)
	err := c.query(ctx, func(rows *sql.Rows) error {
		if err := rows.Scan(row.targets...); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		frame = row.append(frame)
		count++
		if len(frame) >= rowsFrame {
			return flush()
		}
		return nil
	}, `SELECT `+strings.Join(t.names(), ", ")+` FROM `+t.name+` ORDER BY `+t.order)
	if err != nil {
		return err
	}
	return flush()
}

func appendString[S string | []byte | sql.RawBytes](b []byte, s S) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// row takes the values of one row.
type row struct {
	columns []column
	ints    []int64
	bytes   []sql.RawBytes
	targets []any
}

func newRow(columns []column) *row {
	r := &row{columns: columns, ints: make([]int64, len(columns)), bytes: make([]sql.RawBytes, len(columns))}
	for i := range columns {
		if columns[i].kind == integer {
			r.targets = append(r.targets, &r.ints[i])
		} else {
			r.targets = append(r.targets, &r.bytes[i])
		}
	}
	return r
}

func (r *row) append(b []byte) []byte {
	for i := range r.columns {
		if r.columns[i].kind == integer {
			b = binary.AppendVarint(b, r.ints[i])
		} else {
			b = appendString(b, r.bytes[i])
		}
	}
	return b
}
