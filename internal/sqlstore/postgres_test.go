package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/curve/storetest"
	"github.com/gridwarden/gridwarden/internal/sqlstore/pgtest"
)

func TestPasswordComesFromAFile(t *testing.T) {
	cluster, err := postgres.get()
	if err != nil {
		t.Fatal(err)
	}
	exec := func(statement string) {
		t.Helper()
		if err := cluster.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE ROLE warden LOGIN PASSWORD 'first secret'`)
	exec(`CREATE SCHEMA warden AUTHORIZATION warden`)
	where := strings.Replace(cluster.URL("postgres"), "gridwarden@", "warden@", 1) + "&search_path=warden"
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first secret\r\nnot the password\n")
	db, err := Open(t.Context(), where, WithPasswordFile(file), WithConnections(2))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	exec(`ALTER ROLE warden PASSWORD 'second secret'`)
	write("second secret")
	db.sql.SetMaxIdleConns(0) // so that new connections are made
	if _, err := db.Users().List(t.Context()); err != nil {
		t.Errorf("after the password was changed: %v", err)
	}
	for name, tc := range map[string]struct{ file, text, want string }{
		"wrong":   {file, "wrong secret", "password authentication failed"},
		"empty":   {file, "\n", "first line of " + file + " is empty"},
		"missing": {file + "2", "", "name a file that can be read"},
	} {
		write(tc.text)
		db, err := Open(t.Context(), where, WithPasswordFile(tc.file))
		if err == nil {
			_ = db.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAddressesOfPostgres(t *testing.T) {
	for where, want := range map[string]string{
		"postgres://u:secret@127.0.0.1:1/name?sslmode=disable": "see that the server runs",
		"postgres://u:secret@127.0.0.1:no/name":                "write it as postgres://",
		"postgres://u:secret@127.0.0.1/name?sslmode=nonsense":  "write the address as postgres://",
		"postgres://127.0.0.1:1/name?password=secret":          "see that the server runs",
	} {
		db, err := Open(t.Context(), where)
		if err == nil {
			_ = db.Close()
			t.Errorf("%s was opened", where)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want it to say %q", where, err, want)
		}
	}
}

func TestConnectionsUseTLS(t *testing.T) {
	plain := newPostgres(t)
	cluster, err := postgres.get()
	if err != nil {
		t.Fatal(err)
	}
	where := strings.Replace(plain, "sslmode=disable", "sslmode=verify-full&sslrootcert="+url.QueryEscape(cluster.CA()), 1)
	var encrypted bool
	err = openAt(t, where).SQL().QueryRowContext(t.Context(), `SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`).Scan(&encrypted)
	if err != nil || !encrypted {
		t.Errorf("the connection is encrypted: %v, %v", encrypted, err)
	}
	unknown := strings.Replace(plain, "sslmode=disable", "sslmode=verify-full", 1) // the system's authorities
	db, err := Open(t.Context(), unknown)
	if err == nil {
		_ = db.Close()
		t.Fatal("a server whose authority is unknown was trusted")
	}
	if !strings.Contains(err.Error(), "certificate") {
		t.Errorf("the refusal says %v", err)
	}
}

func TestSessionsHaveLimits(t *testing.T) {
	where := newPostgres(t)
	for where, want := range map[string]string{where: "10min", where + "&statement_timeout=7s": "7s"} {
		db := openAt(t, where)
		var got string
		if err := db.SQL().QueryRowContext(t.Context(), `SHOW statement_timeout`).Scan(&got); err != nil || got != want {
			t.Errorf("statements may last %s, %v; want %s", got, err, want)
		}
	}
}

// The server is stopped, and once killed, while readers commit: they get
// errors, commit again when it is back, and nothing is lost, half-done or
// twice. A long transaction that is cut leaves nothing.
func TestServerGoesAwayUnderLoad(t *testing.T) {
	cluster, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	}()
	where, err := cluster.Database(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db := openAt(t, where)
	const readers, commits = 4, 40
	var failures atomic.Int64
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for r := range readers {
		wg.Go(func() { commitThrough(ctx, t, db, r, commits, &failures) })
	}
	halfway := make(chan struct{})
	wg.Go(func() {
		err := db.Curves().Atomically(ctx, func(ctx context.Context, tx curve.Store) error {
			defer close(halfway)
			days := []curve.Day{storetest.Day("import", 20000, 1)}
			if err := tx.PutDays(ctx, days, make([]curve.Features, 1)); err != nil {
				return err
			}
			if _, err := tx.Days(ctx, "import", 0, 30000); err != nil { // writes what waits
				return err
			}
			halfway <- struct{}{}
			<-halfway // the server is away
			return tx.PutDays(ctx, days, make([]curve.Features, 1))
		})
		if err == nil {
			t.Error("a transaction that was cut says that it was stored")
		}
	})
	<-halfway
	for _, end := range []func() error{cluster.Halt, cluster.Kill} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		if err := cluster.Run(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
	}
	halfway <- struct{}{}
	wg.Wait()
	if failures.Load() == 0 {
		t.Error("nobody noticed that the server was away")
	}
	for r := range readers {
		id := fmt.Sprint("R", r)
		days, err := db.Curves().Days(ctx, id, 0, 30000)
		if err != nil || len(days) != commits {
			t.Errorf("reader %d has %d days, %v; want %d", r, len(days), err, commits)
		}
		for _, d := range days {
			if versions, err := db.Curves().Versions(ctx, id, d.Date); err != nil || len(versions) != 1 {
				t.Errorf("reader %d, %s: %d versions, %v; want 1", r, d.Date, len(versions), err)
			}
		}
	}
	if days, err := db.Curves().Days(ctx, "import", 0, 30000); err != nil || len(days) != 0 {
		t.Errorf("the cut transaction left %d days, %v", len(days), err)
	}
}

// commitThrough commits until each is stored, as a reader of the stream does.
func commitThrough(ctx context.Context, t *testing.T, db *DB, r, commits int, failures *atomic.Int64) {
	for n := 1; n <= commits && ctx.Err() == nil; {
		c := curve.Commit{
			Reader: fmt.Sprint("curves.", r), Token: 1, Position: uint64(n), Features: make([]curve.Features, 1),
			Days:   []curve.Day{storetest.Day(fmt.Sprint("R", r), curve.Date(20000+n), n)},
			States: []curve.State{{MeterID: fmt.Sprint("R", r), Data: []byte{byte(n)}}},
		}
		switch err := db.Curves().Commit(ctx, &c); {
		case err == nil:
			n++
			time.Sleep(10 * time.Millisecond)
		case errors.Is(err, curve.ErrFenced):
			t.Error(err)
			return
		default:
			failures.Add(1)
			time.Sleep(20 * time.Millisecond)
		}
	}
	if got, err := db.Curves().Position(ctx, fmt.Sprint("curves.", r)); err != nil || got != uint64(commits) {
		t.Errorf("reader %d is at %d, %v; want %d", r, got, err, commits)
	}
}
