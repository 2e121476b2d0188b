package sqlstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/curve/storetest"
)

// A full disk is said so, leaves nothing half-stored, and once there is room
// things go on.
func TestFullDisk(t *testing.T) {
	db := openAt(t, newSQLite(t))
	db.sql.SetMaxOpenConns(1) // the limit belongs to a connection
	put := func(date curve.Date) error {
		var days []curve.Day
		for m := range 500 {
			days = append(days, storetest.Day(fmt.Sprint("M", m), date, m))
		}
		return db.Curves().Commit(t.Context(), &curve.Commit{Reader: "r", Position: uint64(date), Days: days, Features: make([]curve.Features, len(days))})
	}
	if err := put(1); err != nil {
		t.Fatal(err)
	}
	limit := func(more string) {
		t.Helper()
		var pages int
		if err := db.sql.QueryRowContext(t.Context(), `PRAGMA page_count`).Scan(&pages); err != nil {
			t.Fatal(err)
		}
		if _, err := db.sql.ExecContext(t.Context(), fmt.Sprintf(`PRAGMA max_page_count = %d%s`, pages, more)); err != nil {
			t.Fatal(err)
		}
	}
	limit("")
	for range 2 {
		err := put(2)
		if !errors.Is(err, ErrNoRoom) || !strings.Contains(err.Error(), "add disk space") {
			t.Fatalf("on a full disk: %v", err)
		}
	}
	check := func(position uint64, days int) {
		t.Helper()
		if got, err := db.Curves().Position(t.Context(), "r"); err != nil || got != position {
			t.Errorf("position %d, %v; want %d", got, err, position)
		}
		for _, id := range []string{"M0", "M499"} {
			if got, err := db.Curves().Days(t.Context(), id, 0, 9); err != nil || len(got) != days {
				t.Errorf("%s has %d days, %v; want %d", id, len(got), err, days)
			}
		}
	}
	check(1, 1)
	limit("000")
	if err := put(2); err != nil {
		t.Fatal(err)
	}
	check(2, 2)
}

func TestErrorsSayTheMend(t *testing.T) {
	full := postgresEngine.explain(fmt.Errorf("insert: %w", &pgconn.PgError{Code: "53100", Message: "could not extend file"}))
	if !errors.Is(full, ErrNoRoom) || !strings.Contains(full.Error(), "could not extend file") {
		t.Errorf("a full disk of the server gives %v", full)
	}
	other := errors.New("other")
	if got := postgresEngine.explain(other); !errors.Is(got, other) || errors.Is(got, ErrNoRoom) {
		t.Errorf("another error gives %v", got)
	}
}
