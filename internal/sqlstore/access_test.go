package sqlstore

import (
	"bytes"
	"database/sql"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/access"
	"github.com/gridwarden/gridwarden/internal/access/accesstest"
)

func TestUsersConform(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(testing.TB) string) {
		accesstest.Conform(t, func(t *testing.T) access.Store { return openAt(t, empty(t)).Users() })
	})
}

func TestSessions(t *testing.T) { eachEngine(t, sessions) }

func sessions(t *testing.T, db *DB) {
	now := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	s := db.Sessions(func() time.Time { return now })
	find := func(token, want string) {
		t.Helper()
		data, found, err := s.Find(token)
		if err != nil || found != (want != "") || string(data) != want {
			t.Fatalf("found %q, %v, %v, want %q", data, found, err, want)
		}
	}
	find("token", "")
	for _, data := range []string{"first", "second"} {
		if err := s.Commit("token", []byte(data), now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		find("token", data)
	}
	if err := s.Commit("other", []byte("short"), now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	find("other", "")
	find("token", "second")
	if err := s.Commit("third", []byte("x"), now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	kept := 0
	err := db.read().query(t.Context(), func(rows *sql.Rows) error {
		kept++
		var hash []byte
		if err := rows.Scan(&hash); err != nil {
			return err
		}
		if bytes.Contains(hash, []byte("token")) {
			t.Error("a token is stored as it is")
		}
		return nil
	}, `SELECT token_hash FROM sessions`)
	if err != nil || kept != 2 {
		t.Fatalf("%d sessions are kept, %v; the expired one should be gone", kept, err)
	}
	for range 2 { // deleting what is gone is no error
		if err := s.Delete("token"); err != nil {
			t.Fatal(err)
		}
		find("token", "")
	}
}
