package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// source is an installation with a little of everything. log tells in which
// order the parts were taken.
func source(t testing.TB) (s Source, log *[]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		keyFile: "key", importsFile: "{}", "pki/own/private/key.pem": "private", "pki/trusted/certs/Ölwerk [ab12].der": "certificate",
		"gridwarden.db": "not this way", "control.lock": "1",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a test's
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // restored with less
			t.Fatal(err)
		}
	}
	log = new([]string)
	return Source{
		Program: "1.2.3", Site: "North", Where: "a test", DataDir: dir, PKI: filepath.Join(dir, "pki"),
		Now: func() time.Time { return time.Unix(1_800_000_000, 0) },
		Database: func(_ context.Context, w io.Writer, detail func(string)) error {
			*log = append(*log, DatabasePart)
			detail("all rows")
			_, err := w.Write(bytes.Repeat([]byte("row "), 100_000))
			return err
		},
		Topics: []string{"READINGS", "WORK", "DEAD"},
		Stream: func(_ context.Context, topic string, w io.Writer) error {
			if topic == "WORK" {
				return ErrNotThere
			}
			*log = append(*log, topic)
			_, err := io.WriteString(w, "messages of "+topic)
			return err
		},
	}, log
}

// streams keeps what is restored.
type streams struct {
	got    *[]string
	fail   error
	closed *bool
}

func (s streams) Restore(_ context.Context, r io.Reader) error {
	data, err := io.ReadAll(r)
	*s.got = append(*s.got, string(data))
	return errors.Join(err, s.fail)
}

func (s streams) Close() error { *s.closed = true; return nil }

func target(dir string) (t Target, got *[]string, closed *bool) {
	got, closed = new([]string), new(bool)
	return Target{
		Dir: dir,
		Database: func(_ context.Context, dir string, r io.Reader, _ func(string)) error {
			data, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			*got = append(*got, fmt.Sprint(len(data)))
			return os.WriteFile(filepath.Join(dir, "gridwarden.db"), data, 0o600)
		},
		Streams: func(context.Context, string) (Streams, error) { return streams{got, nil, closed}, nil },
	}, got, closed
}

func create(t testing.TB, s Source) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "b.gwb")
	if _, err := Create(t.Context(), file, s); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestABackupComesBack(t *testing.T) {
	s, log := source(t)
	var progress []Progress
	s.Progress = func(p Progress) { progress = append(progress, p) }
	file := create(t, s)
	if !slices.Equal(*log, []string{DatabasePart, "READINGS", "DEAD"}) {
		t.Errorf("taken in the order %v; the database comes before the streams", *log)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if last := progress[len(progress)-1]; !last.Done || last.Part != "streams/DEAD" {
		t.Errorf("progress ends with %+v", last)
	}
	a, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Verify(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	m := a.Manifest
	if m.Parts[0].Name != "files/"+keyFile || m.Program != "1.2.3" || m.Site != "North" || !slices.Equal(m.Streams(), []string{"READINGS", "DEAD"}) || len(m.Files()) != 4 {
		t.Errorf("%s", m.Summary())
	}
	for _, existing := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "new", "data")
		if existing {
			dir = filepath.Join(t.TempDir(), "empty")
			if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // a test's
				t.Fatal(err)
			}
		}
		to, got, closed := target(dir)
		if err := a.Restore(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(*got, []string{"400000", "messages of READINGS", "messages of DEAD"}) || !*closed {
			t.Errorf("restored %v, streams closed %v", *got, *closed)
		}
		for name, want := range map[string]string{keyFile: "key", importsFile: "{}", "pki/own/private/key.pem": "private", "pki/trusted/certs/Ölwerk [ab12].der": "certificate"} {
			path := filepath.Join(dir, filepath.FromSlash(name))
			text, err := os.ReadFile(path)
			if err != nil || string(text) != want {
				t.Errorf("%s: %q, %v", name, text, err)
			}
			if info, err := os.Stat(path); err == nil && info.Mode().Perm() != 0o600 {
				t.Errorf("%s has the mode %v", name, info.Mode())
			}
			if info, err := os.Stat(filepath.Dir(path)); err == nil && info.Mode().Perm() != 0o700 {
				t.Errorf("the folder of %s has the mode %v", name, info.Mode())
			}
		}
		onlyThere(t, filepath.Dir(dir), filepath.Base(dir))
		if err := a.Restore(t.Context(), to); err == nil || !strings.Contains(err.Error(), "is not empty") {
			t.Errorf("restored into a folder that is not empty: %v", err)
		}
	}
}

// onlyThere fails where a folder holds anything besides.
func onlyThere(t testing.TB, dir string, names ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range list {
		if !slices.Contains(names, e.Name()) {
			t.Errorf("%s is left in %s", e.Name(), dir)
		}
	}
}

func TestABackupThatFailsLeavesNothing(t *testing.T) {
	for name, change := range map[string]func(s *Source, cancel func()){
		"database": func(s *Source, _ func()) {
			s.Database = func(_ context.Context, w io.Writer, _ func(string)) error {
				_, _ = w.Write([]byte("half"))
				return errors.New("disk failed")
			}
		},
		"stream": func(s *Source, _ func()) {
			s.Stream = func(_ context.Context, _ string, w io.Writer) error {
				_, _ = w.Write([]byte("half"))
				return ErrNotThere // too late
			}
		},
		"given up": func(s *Source, cancel func()) {
			s.Stream = func(_ context.Context, _ string, w io.Writer) error {
				cancel()
				_, err := w.Write([]byte("half"))
				return err
			}
		},
		"given up at the end": func(s *Source, cancel func()) {
			s.Stream = func(context.Context, string, io.Writer) error { cancel(); return nil }
		},
		"large file": func(s *Source, _ func()) {
			if err := os.WriteFile(filepath.Join(s.DataDir, importsFile), make([]byte, maxFile+1), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"odd file": func(s *Source, _ func()) {
			if err := os.WriteFile(filepath.Join(s.PKI, "back\\slash"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := source(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			change(&s, cancel)
			dir := t.TempDir()
			if _, err := Create(ctx, filepath.Join(dir, "b.gwb"), s); err == nil {
				t.Error("taken")
			}
			onlyThere(t, dir)
		})
	}
	s, _ := source(t)
	file := create(t, s)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(t.Context(), file, s); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("written over: %v", err)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Error("the earlier backup was changed")
	}
	if err := os.WriteFile(file+"2.part", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(t.Context(), file+"2", s); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("beside another: %v", err)
	}
}

func TestARestoreThatFailsLeavesNothing(t *testing.T) {
	s, _ := source(t)
	file := create(t, s)
	for name, change := range map[string]func(to *Target, cancel func()){
		"database": func(to *Target, _ func()) {
			to.Database = func(_ context.Context, dir string, _ io.Reader, _ func(string)) error {
				_ = os.WriteFile(filepath.Join(dir, "gridwarden.db"), []byte("half"), 0o600)
				return errors.New("disk failed")
			}
		},
		"streams": func(to *Target, _ func()) {
			to.Streams = func(context.Context, string) (Streams, error) {
				return streams{new([]string), errors.New("no room"), new(bool)}, nil
			}
		},
		"no streams": func(to *Target, _ func()) {
			to.Streams = func(context.Context, string) (Streams, error) { return nil, errors.New("no server") }
		},
		"given up": func(to *Target, cancel func()) {
			to.Progress = func(p Progress) {
				if p.Part == DatabasePart {
					cancel()
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			dir := t.TempDir()
			to, _, _ := target(filepath.Join(dir, "data"))
			change(&to, cancel)
			if err := a.Restore(ctx, to); err == nil || !strings.Contains(err.Error(), "nothing was restored") {
				t.Errorf("restored: %v", err)
			}
			onlyThere(t, dir)
		})
	}
}

// What cannot be taken back comes last.
func TestADatabaseElsewhereIsFilledLast(t *testing.T) {
	s, _ := source(t)
	a, err := Open(create(t, s))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	to, got, _ := target(filepath.Join(t.TempDir(), "data"))
	to.After = true
	if err := a.Restore(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(*got, []string{"messages of READINGS", "messages of DEAD", "400000"}) {
		t.Errorf("restored %v", *got)
	}
}
