package accesstest

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/access"
)

// Conform runs the suite; open returns an empty store for each test.
func Conform(t *testing.T, open func(t *testing.T) access.Store) {
	lin := access.Record{
		User: access.User{
			Login: "lin.wei", DisplayName: "林伟", Roles: []access.Role{access.CaseOfficer, access.Inspector},
			Created: time.Date(2026, 11, 24, 6, 0, 0, 7, time.UTC),
		},
		Hash: "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5",
	}
	t.Run("a user comes back as added", func(t *testing.T) {
		s := open(t)
		if err := s.Add(t.Context(), lin); err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(t.Context(), "lin.wei")
		if err != nil || !reflect.DeepEqual(got, lin) {
			t.Fatalf("got %+v, %v, want %+v", got, err, lin)
		}
		got.Roles[0] = access.Admin // a caller's change must not reach the store
		if again, err := s.Get(t.Context(), "lin.wei"); err != nil || !reflect.DeepEqual(again, lin) {
			t.Fatalf("a caller's change reached the store: %+v, %v", again, err)
		}
	})
	t.Run("a login is there once", func(t *testing.T) {
		s := open(t)
		if err := s.Add(t.Context(), lin); err != nil {
			t.Fatal(err)
		}
		other := lin
		other.Hash = "another"
		if err := s.Add(t.Context(), other); !errors.Is(err, access.ErrExists) {
			t.Fatalf("got %v, want ErrExists", err)
		}
		if got, err := s.Get(t.Context(), "lin.wei"); err != nil || got.Hash != lin.Hash {
			t.Fatalf("the second overwrote the first: %+v, %v", got, err)
		}
	})
	t.Run("an update replaces", func(t *testing.T) {
		s := open(t)
		if err := s.Update(t.Context(), lin); !errors.Is(err, access.ErrNotFound) {
			t.Fatalf("update of nobody: %v, want ErrNotFound", err)
		}
		if err := s.Add(t.Context(), lin); err != nil {
			t.Fatal(err)
		}
		changed := lin
		changed.Disabled, changed.Roles = true, []access.Role{access.Auditor}
		if err := s.Update(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(t.Context(), "lin.wei"); err != nil || !reflect.DeepEqual(got, changed) {
			t.Fatalf("got %+v, %v, want %+v", got, err, changed)
		}
	})
	t.Run("users are listed by login", func(t *testing.T) {
		s := open(t)
		if users, err := s.List(t.Context()); err != nil || len(users) != 0 {
			t.Fatalf("an empty store lists %v, %v", users, err)
		}
		before := lin
		before.Login = "he.jing"
		for _, r := range []access.Record{lin, before} {
			if err := s.Add(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		users, err := s.List(t.Context())
		if err != nil || !reflect.DeepEqual(users, []access.User{before.User, lin.User}) {
			t.Fatalf("listed %+v, %v", users, err)
		}
	})
	t.Run("nobody is found in an empty store", func(t *testing.T) {
		if _, err := open(t).Get(t.Context(), "lin.wei"); !errors.Is(err, access.ErrNotFound) {
			t.Fatalf("got %v, want ErrNotFound", err)
		}
	})
}
