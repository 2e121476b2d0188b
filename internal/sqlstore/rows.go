package sqlstore

import (
	"context"
	"fmt"
	"strings"
)

// rowsAStatement bounds how many rows one statement inserts.
const rowsAStatement = 256

// insertRows inserts n rows of columns with few statements; row gives the
// values of one of them. conflict ends the statement ("" or ON CONFLICT …).
func (c conn) insertRows(ctx context.Context, table string, columns []string, conflict string, n int, row func(i int) ([]any, error)) error {
	args := make([]any, 0, min(n, rowsAStatement)*len(columns))
	for from := 0; from < n; {
		// Few sizes, so that few statements are prepared.
		size := rowsAStatement
		for size > n-from {
			size /= 2
		}
		args = args[:0]
		for i := from; i < from+size; i++ {
			values, err := row(i)
			if err != nil {
				return err
			}
			args = append(args, values...)
		}
		if _, err := c.exec(ctx, insertStatement(table, columns, conflict, size), args...); err != nil {
			return fmt.Errorf("insert into %s: %w", table, err)
		}
		from += size
	}
	return nil
}

func insertStatement(table string, columns []string, conflict string, rows int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES ", table, strings.Join(columns, ", "))
	one := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	b.WriteString(one)
	for range rows - 1 {
		b.WriteString(", ")
		b.WriteString(one)
	}
	b.WriteByte(' ')
	b.WriteString(conflict)
	return b.String()
}

// How many keys one query names at most: as parameters each, or in an array.
const (
	namedAQuery      = 256
	namedAQueryArray = 4096
)

// eachIn calls fn with a condition and its arguments ("id " + in) for some of
// the keys after the other, so that each is named once. Naming the keys lets
// both engines look every row up, where a range might scan many more.
func eachIn[K int64 | string](c conn, keys []K, fn func(in string, args []any) error) error {
	size := namedAQuery
	if c.engine == postgresEngine {
		size = namedAQueryArray
	}
	for from := 0; from < len(keys); from += size {
		some := keys[from:min(from+size, len(keys))]
		if c.engine == postgresEngine {
			if err := fn("= ANY(?)", []any{some}); err != nil {
				return err
			}
			continue
		}
		args := make([]any, len(some))
		for i, key := range some {
			args[i] = key
		}
		if err := fn("IN (?"+strings.Repeat(",?", len(some)-1)+")", args); err != nil {
			return err
		}
	}
	return nil
}
