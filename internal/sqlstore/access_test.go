package sqlstore

import (
	"bytes"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/access"
	"github.com/gridwarden/gridwarden/internal/access/accesstest"
)

func TestUsersConform(t *testing.T) {
	accesstest.Conform(t, func(t *testing.T) access.Store { return open(t).Users() })
}

func TestSessions(t *testing.T) {
	db := open(t)
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
	var rows int
	var hashes []byte
	if err := db.SQL().QueryRowContext(t.Context(), `SELECT count(*), group_concat(token_hash) FROM sessions`).Scan(&rows, &hashes); err != nil || rows != 2 {
		t.Fatalf("%d sessions are kept, %v; the expired one should be gone", rows, err)
	}
	if bytes.Contains(hashes, []byte("token")) {
		t.Error("a token is stored as it is")
	}
	for range 2 { // deleting what is gone is no error
		if err := s.Delete("token"); err != nil {
			t.Fatal(err)
		}
		find("token", "")
	}
}
