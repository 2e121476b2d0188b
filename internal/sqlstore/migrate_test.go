package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/cases/casestest"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/curve/storetest"
)

// released is the newest migration of the first release.
const released = 11

// oldDatabase makes a database as the first release left it, with meters'
// days, versions, an open day, a case, a user and a run.
func oldDatabase(t *testing.T, meters, days int) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "grid.db")
	db, err := openSQLite(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.log = slog.New(slog.DiscardHandler)
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.sql, files, goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), released); err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(tx *Tx) error { return oldRows(t.Context(), tx, meters, days) })
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// oldRows stores with the statements of the first release.
func oldRows(ctx context.Context, tx *Tx, meters, days int) error {
	exec := func(statement string, args ...any) error {
		_, err := tx.exec(ctx, statement, args...)
		return err
	}
	for m := 1; m <= meters; m++ {
		if err := exec(`INSERT INTO meters (id, meter_id) VALUES (?, ?)`, m, fmt.Sprint("M", m)); err != nil {
			return err
		}
		for date := range curve.Date(days) {
			d := storetest.Day(fmt.Sprint("M", m), 20000+date, m)
			f := curve.Compute(&d)
			if err := exec(`INSERT INTO meter_days (day, meter, version, open, features, curve) VALUES (?, ?, 1, 0, ?, ?)`,
				int64(d.Date), m, curve.AppendFeatures(nil, &f), curve.Encode(nil, &d)); err != nil {
				return err
			}
		}
	}
	for version := 1; version <= 2; version++ { // of M3 on the first day; the third is current
		d := storetest.Day("M3", 20000, 1000*version)
		if err := exec(`INSERT INTO meter_day_versions (day, meter, version, replaced_at, features, curve) VALUES (20000, 3, ?, ?, ?, ?)`,
			version, 1700000000+version, []byte{}, curve.Encode(nil, &d)); err != nil {
			return err
		}
	}
	event := casestest.Opening("C-2026-0001", "UP-1")
	c, err := cases.Fold([]cases.Event{event})
	if err != nil {
		return err
	}
	for _, statement := range []string{
		`UPDATE meter_days SET version = 3 WHERE day = 20000 AND meter = 3`,
		`UPDATE meter_days SET open = 1 WHERE day = 20001 AND meter = 4`,
		`INSERT INTO case_numbers (year, last) VALUES (2026, 1)`,
		`INSERT INTO users (login, display_name, roles, hash, created, disabled) VALUES ('lin.wei', 'Lin', '["inspector"]', 'h', 5, 1)`,
		`INSERT INTO detection_runs (run_id, at, result) VALUES ('r1', 7, '{"run_id": "r1", "prior": 0.02}')`,
		`INSERT INTO checkpoints (name, data) VALUES ('accumulator', 'old')`,
	} {
		if err := exec(statement); err != nil {
			return err
		}
	}
	head, err := json.Marshal(c)
	if err != nil {
		return err
	}
	data, err := json.Marshal(event)
	if err != nil {
		return err
	}
	if err := exec(`INSERT INTO cases (id, subject_kind, subject_id, state, version, head) VALUES (?, 'usage_point', 'UP-1', 'open', 1, ?)`, c.ID, head); err != nil {
		return err
	}
	return exec(`INSERT INTO case_events (case_id, seq, at, type, event) VALUES (?, 1, ?, 'opened', ?)`, c.ID, event.At.UnixNano(), data)
}

func TestReleasedDatabaseMigrates(t *testing.T) {
	const meters, days = 150, 3
	path := oldDatabase(t, meters, days)
	halfMoved(t, path)
	db := openAt(t, path)
	s := db.Curves()
	for m := 1; m <= meters; m++ {
		got, err := s.Days(t.Context(), fmt.Sprint("M", m), 0, 30000)
		if err != nil || len(got) != days {
			t.Fatalf("meter %d has %d days, %v", m, len(got), err)
		}
		for i, d := range got {
			want := storetest.Day(d.MeterID, curve.Date(20000+i), m)
			if m == 4 && i == 1 {
				want.Open, want.Origin.Rule = true, curve.OriginPolled
			}
			if !reflect.DeepEqual(d, want) {
				t.Fatalf("read %+v, want %+v", d, want)
			}
		}
	}
	features := 0
	err := s.Features(t.Context(), 20000, 30000, func(id string, date curve.Date, f *curve.Features) error {
		features++
		var m int
		if _, err := fmt.Sscanf(id, "M%d", &m); err != nil {
			return err
		}
		d := storetest.Day(id, date, m)
		if want := curve.Compute(&d); fmt.Sprint(*f) != fmt.Sprint(want) {
			t.Errorf("features of %s on %s: %v, want %v", id, date, *f, want)
		}
		return nil
	})
	if err != nil || features != meters*days-1 {
		t.Errorf("%d features, %v", features, err)
	}
	versions, err := s.Versions(t.Context(), "M3", 20000)
	if err != nil || len(versions) != 3 {
		t.Fatalf("versions %v, %v", versions, err)
	}
	for i, at := range []time.Time{{}, time.Unix(1700000001, 0).UTC(), time.Unix(1700000002, 0).UTC()} {
		v := versions[i]
		want := storetest.Day("M3", 20000, 1000*(i+1))
		if i == 2 {
			want = storetest.Day("M3", 20000, 3)
		}
		if v.Number != i+1 || v.Current != (i == 2) || !v.At.Equal(at) || !reflect.DeepEqual(v.Day, want) {
			t.Errorf("version %d is %+v", i+1, v)
		}
	}
	if c, err := db.Cases().Get(t.Context(), "C-2026-0001"); err != nil || c.Subject.ID != "UP-1" {
		t.Errorf("the case is %+v, %v", c, err)
	}
	if u, err := db.Users().Get(t.Context(), "lin.wei"); err != nil || !u.Disabled {
		t.Errorf("the user is %+v, %v", u, err)
	}
	if r, err := db.Results().LatestResult(t.Context()); err != nil || r.Prior != 0.02 {
		t.Errorf("the run is %+v, %v", r, err)
	}
}

// halfMoved moves some rows and leaves the rest, as a process does that is
// killed while it migrates.
func halfMoved(t *testing.T, path string) {
	t.Helper()
	db, err := openSQLite(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.sql, files, goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 13); err != nil {
		t.Fatal(err)
	}
	mover := rowMover{db: db, log: slog.New(slog.DiscardHandler), batch: 100}
	for range 3 {
		left := false
		err := db.Write(t.Context(), func(tx *Tx) (err error) {
			left, err = mover.moveDays(t.Context(), tx)
			return err
		})
		if err != nil || !left {
			t.Fatalf("rows are left: %v, %v", left, err)
		}
	}
	for table, want := range map[string]int{"meter_days": 450 - 63 - (64 + 23) - 63, "day_chunks": 4} {
		var rows int
		if err := db.read().queryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&rows); err != nil || rows != want {
			t.Errorf("%s has %d rows, %v; want %d", table, rows, err, want)
		}
	}
}

func TestNewerDatabaseIsRefusedUntouched(t *testing.T) {
	onBoth(t, newerDatabase)
}

func newerDatabase(t *testing.T, empty func(testing.TB) string) {
	where := empty(t)
	db := openAt(t, where)
	if _, err := db.read().exec(t.Context(), `DROP TABLE registry_records`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.read().exec(t.Context(), `DELETE FROM goose_db_version WHERE version_id > 1`); err != nil {
		t.Fatal(err)
	}
	insert := `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, `
	if db.engine == postgresEngine {
		insert += `true)`
	} else {
		insert += `1)`
	}
	if _, err := db.read().exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	newer, err := Open(t.Context(), where)
	if err == nil {
		_ = newer.Close()
		t.Fatal("a database of a newer version was opened")
	}
	if !strings.Contains(err.Error(), "version 999") || !strings.Contains(err.Error(), "run the newer program") {
		t.Errorf("the refusal says %v", err)
	}
	var versions int
	if err := db.read().queryRow(t.Context(), `SELECT count(*) FROM goose_db_version`).Scan(&versions); err != nil || versions > 3 {
		t.Errorf("it was migrated all the same: %d versions, %v", versions, err)
	}
}

func TestOpenRefusesWhatIsNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	if err := os.WriteFile(path, []byte("this is a text, and quite a long one at that, so that it is no header of SQLite by any means at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), path)
	if err == nil {
		_ = db.Close()
		t.Fatal("a text file was opened as a database")
	}
	if !strings.Contains(err.Error(), "name another file") {
		t.Errorf("the refusal says %v", err)
	}
}
