package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// engine is which of the two databases runs the statements. Statements are
// written once, with ? for parameters, in what both understand; where they
// differ the difference is asked for here.
type engine uint8

const (
	sqliteEngine engine = iota
	postgresEngine
)

// bind writes the parameters of a statement as the engine wants them.
func (e engine) bind(statement string) string {
	if e == sqliteEngine {
		return statement
	}
	var b strings.Builder
	b.Grow(len(statement) + 16)
	for n := 1; ; n++ {
		before, after, found := strings.Cut(statement, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		statement = after
	}
}

// forUpdate ends a query whose rows are about to be changed. SQLite has one
// writer at a time and needs no word for it.
func (e engine) forUpdate() string {
	if e == postgresEngine {
		return " FOR UPDATE"
	}
	return ""
}

// SQLSTATE codes of PostgreSQL.
const (
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
	pgUnique        = "23505"
	pgDiskFull      = "53100"
)

// again reports whether a transaction that failed so may succeed when it is
// run once more: another one came first.
func (e engine) again(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == pgSerialization || pg.Code == pgDeadlock || pg.Code == pgUnique)
}

// explain adds the mend to errors of the engine that a person must deal with.
func (e engine) explain(err error) error {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	full := errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_FULL || errors.As(err, &pg) && pg.Code == pgDiskFull
	if full && !errors.Is(err, ErrNoRoom) {
		return fmt.Errorf("%w: %w; free or add disk space, then it goes on", ErrNoRoom, err)
	}
	return err
}

// ErrNoRoom says that the disk of the database is full. Nothing of the change
// that met it was stored, and the next one succeeds once there is room.
var ErrNoRoom = errors.New("no room left for the database, nothing of this was stored")

// snapshotLevel is the isolation under which all queries of a transaction see
// one moment. SQLite's are always so.
func (e engine) snapshotLevel() sql.IsolationLevel {
	if e == postgresEngine {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault
}

// unreadable is the mend for a database that cannot even be looked at.
func (e engine) unreadable() string {
	if e == postgresEngine {
		return "see that the server runs, and that address, user and password are right"
	}
	return "if it is no Gridwarden database, name another file"
}
