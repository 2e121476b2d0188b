package pluginstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func sum(data string) string {
	h := sha256.Sum256([]byte(data))
	return hex.EncodeToString(h[:])
}

func write(t testing.TB, name, data string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return name
}

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatIsKeptIsFound(t *testing.T) {
	s := open(t)
	program := write(t, filepath.Join(t.TempDir(), "p"), "first", 0o755)
	for range 2 {
		got, kept, err := s.Keep(t.Context(), program)
		if err != nil || got != sum("first") {
			t.Fatalf("%s, %v", got, err)
		}
		if path, ok := s.Find(got); !ok || path != kept {
			t.Fatalf("found %s, %v; kept %s", path, ok, kept)
		}
		if info, err := os.Stat(kept); err != nil || info.Mode().Perm() != 0o500 {
			t.Fatalf("%v, %v", info.Mode(), err)
		}
	}
	write(t, program, "second", 0o755)
	if _, _, err := s.Keep(t.Context(), program); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"first", "second"} {
		path, ok := s.Find(sum(what))
		if data, err := os.ReadFile(path); !ok || err != nil || string(data) != what {
			t.Errorf("%s: %q, %v", what, data, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(s.dir, "files", "new-*")); err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestWhatIsNotKeptIsNotFound(t *testing.T) {
	s := open(t)
	for _, name := range []string{"", "nothing", sum("nothing"), "../../etc/passwd", strings.ToUpper(sum("nothing"))} {
		if path, ok := s.Find(name); ok {
			t.Errorf("%q: found %s", name, path)
		}
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a store that keeps nothing made its folder: %v", err)
	}
	_, kept, err := s.Keep(t.Context(), write(t, filepath.Join(t.TempDir(), "p"), "first", 0o755))
	if err != nil {
		t.Fatal(err)
	}
	write(t, kept, "other", 0o700)
	if _, ok := s.Find(sum("first")); ok {
		t.Error("a changed file counts as kept")
	}
}

func TestALinkedProgramIsGoneWhenItChanges(t *testing.T) {
	s := open(t)
	program := write(t, filepath.Join(t.TempDir(), "p"), "first", 0o755)
	got, kept, err := s.KeepLinked(t.Context(), program)
	if err != nil {
		t.Fatal(err)
	}
	if path, ok := s.Find(got); !ok || path != kept {
		t.Fatal("not found")
	}
	write(t, program, "changed in place", 0o755)
	if data, err := os.ReadFile(kept); err == nil && string(data) != "first" {
		if _, ok := s.Find(got); ok {
			t.Error("a changed program counts as kept")
		}
	}
	// It is kept anew, as a copy or a link.
	write(t, program, "first", 0o755)
	if _, _, err := s.Keep(t.Context(), program); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Find(got); !ok {
		t.Error("not found again")
	}
}

func TestKeepingIsRefused(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"nothing there": filepath.Join(dir, "none"), "a folder": dir, "a pipe": pipe} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := open(t).Keep(t.Context(), path); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := open(t).Keep(ctx, write(t, filepath.Join(dir, "p"), "first", 0o755)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestAStoreThatOthersWriteIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "chmod go-w") {
		t.Errorf("error %v", err)
	}
	if _, err := Open(write(t, filepath.Join(dir, "file"), "", 0o600)); err == nil {
		t.Error("a file is taken for a store")
	}
	if _, err := Open(""); err == nil {
		t.Error("no folder is taken for a store")
	}
}

func TestManyKeepAtOnce(t *testing.T) {
	s := open(t)
	program := write(t, filepath.Join(t.TempDir(), "p"), strings.Repeat("program", 10_000), 0o755)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			got, _, err := s.Keep(context.Background(), program)
			if err != nil {
				t.Error(err)
			}
			if _, ok := s.Find(got); !ok {
				t.Error("not found")
			}
		})
	}
	group.Wait()
}
