package backup

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
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
	defer a.Close() //nolint:errcheck // read only
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
			defer a.Close() //nolint:errcheck // read only
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
	defer a.Close() //nolint:errcheck // read only
	to, got, _ := target(filepath.Join(t.TempDir(), "data"))
	to.After = true
	if err := a.Restore(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(*got, []string{"messages of READINGS", "messages of DEAD", "400000"}) {
		t.Errorf("restored %v", *got)
	}
}

// entry is one part of an archive made by hand.
type entry struct {
	name, text string
	method     uint16
}

// byHand writes an archive whose manifest is true to the entries, unless edit
// changes it.
func byHand(t testing.TB, entries []entry, edit func(m *Manifest)) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	m := &Manifest{Format: Format}
	for _, e := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: e.name, Method: e.method})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, e.text)
		sum := sha256.Sum256([]byte(e.text))
		m.Parts = append(m.Parts, Part{Name: e.name, Bytes: int64(len(e.text)), SHA256: hex.EncodeToString(sum[:])})
	}
	if edit != nil {
		edit(m)
	}
	w, err := z.CreateHeader(&zip.FileHeader{Name: manifestName})
	if err != nil {
		t.Fatal(err)
	}
	return finish(t, z, w, m, &b)
}

func finish(t testing.TB, z *zip.Writer, w io.Writer, m *Manifest, b *bytes.Buffer) string {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(data)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "hand.gwb")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestHostileArchivesAreRefusedWithNothingWritten(t *testing.T) {
	database := entry{DatabasePart, "dump", zip.Store}
	s, _ := source(t)
	honest, err := os.ReadFile(create(t, s))
	if err != nil {
		t.Fatal(err)
	}
	bytesAs := func(data []byte) string {
		file := filepath.Join(t.TempDir(), "bytes.gwb")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	flipped := bytes.Clone(honest)
	flipped[bytes.Index(flipped, []byte("row row"))+2] = 'X'
	forged := bytes.Clone(honest) // the archive's own sums are right, the manifest's are not
	bomb := strings.Repeat("\x00", 64<<20)
	files := map[string]string{
		"nothing": bytesAs(nil), "text": bytesAs([]byte("a letter")), "cut": bytesAs(honest[:len(honest)/2]), "cut by a byte": bytesAs(honest[:len(honest)-1]),
		"flipped": bytesAs(flipped), "without a database": byHand(t, []entry{{"files/" + keyFile, "k", zip.Store}}, nil),
		"bomb":          byHand(t, []entry{{DatabasePart, bomb, zip.Deflate}}, nil),
		"wrong sum":     byHand(t, []entry{database}, func(m *Manifest) { m.Parts[0].SHA256 = strings.Repeat("ab", 32) }),
		"wrong size":    byHand(t, []entry{database}, func(m *Manifest) { m.Parts[0].Bytes++ }),
		"negative size": byHand(t, []entry{database}, func(m *Manifest) { m.Parts[0].Bytes = -4 }),
		"part missing":  byHand(t, []entry{database}, func(m *Manifest) { m.Parts = append(m.Parts, Part{Name: "streams/DEAD", SHA256: m.Parts[0].SHA256}) }),
		"part besides":  byHand(t, []entry{database, {"streams/DEAD", "x", zip.Store}}, func(m *Manifest) { m.Parts = m.Parts[:1] }),
		"twice":         byHand(t, []entry{database, database}, nil), "another format": byHand(t, []entry{database}, func(m *Manifest) { m.Format = 2 }),
		"no manifest":           bytesAs(bytes.ReplaceAll(forged, []byte(manifestName), []byte("manifest.jso_"))),
		"directory without end": bytesAs(endless(t)),
	}
	for _, name := range []string{
		"../evil", "files/../evil", "files/pki/../../evil", "/etc/passwd", "files//etc/passwd", "files/pki/..", "files/pki/.", "files/pki/a/../b", "files/pki/a//b",
		`files/pki\..\evil`, "files/gridwarden.db", "files/control.sock", "files/stream/x", "files/pki/C:evil", "files/pki/a\x00b", "files/pki/a\nb", "streams/../x", "streams/readings", "streams/", "database.dump/x", "evil",
		"files/pki/" + strings.Repeat("a/", 9) + "b",
	} {
		files["name "+name] = byHand(t, []entry{database, {name, "evil", zip.Store}}, nil)
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			a, err := Open(file)
			dir := t.TempDir()
			if err == nil {
				defer a.Close() //nolint:errcheck // read only
				to, got, _ := target(filepath.Join(dir, "data"))
				if err = a.Restore(t.Context(), to); len(*got) > 0 {
					t.Errorf("%v was restored", *got)
				}
			}
			if err == nil {
				t.Error("taken")
			}
			onlyThere(t, dir)
		})
	}
}

// endless is an archive that consists of its directory.
func endless(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	head := make([]byte, 46)
	binary.LittleEndian.PutUint32(head, 0x02014b50)
	binary.LittleEndian.PutUint16(head[28:], uint16(len(DatabasePart)))
	for b.Len() < 2*maxDirectory {
		b.Write(head)
		b.WriteString(DatabasePart)
	}
	n := b.Len() / (len(head) + len(DatabasePart))
	// A directory of more than 65,535 parts needs the 64-bit end.
	end := make([]byte, 56+20+22)
	binary.LittleEndian.PutUint32(end, 0x06064b50)
	binary.LittleEndian.PutUint64(end[4:], 44)
	binary.LittleEndian.PutUint64(end[24:], uint64(n)) //nolint:gosec // positive
	binary.LittleEndian.PutUint64(end[32:], uint64(n)) //nolint:gosec // positive
	binary.LittleEndian.PutUint64(end[40:], uint64(b.Len()))
	binary.LittleEndian.PutUint32(end[56:], 0x07064b50)
	binary.LittleEndian.PutUint64(end[64:], uint64(b.Len()))
	binary.LittleEndian.PutUint32(end[72:], 1)
	binary.LittleEndian.PutUint32(end[76:], 0x06054b50)
	for _, at := range []int{84, 86} {
		binary.LittleEndian.PutUint16(end[at:], 0xffff)
	}
	for _, at := range []int{88, 92} {
		binary.LittleEndian.PutUint32(end[at:], 0xffffffff)
	}
	b.Write(end)
	return b.Bytes()
}

func FuzzManifest(f *testing.F) {
	s, _ := source(f)
	a, err := Open(create(f, s))
	if err != nil {
		f.Fatal(err)
	}
	good, err := json.Marshal(a.Manifest)
	if err != nil {
		f.Fatal(err)
	}
	if err := a.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format":1,"parts":[{"name":"files/pki/../../x","sha256":""}]}`))
	f.Add([]byte(`{"format":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := readManifest(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, name := range m.Files() {
			if p := filepath.Join("/new", filepath.FromSlash(name)); !strings.HasPrefix(p, "/new/") || p == "/new/gridwarden.db" || strings.HasPrefix(p, "/new/stream/") {
				t.Errorf("%q would be written to %s", name, p)
			}
		}
		_, _ = m.Summary(), m.Bytes()
	})
}

func FuzzArchive(f *testing.F) {
	s, _ := source(f)
	s.Database = func(_ context.Context, w io.Writer, _ func(string)) error {
		_, err := w.Write([]byte("rows"))
		return err
	}
	data, err := os.ReadFile(create(f, s))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "f.gwb")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := Open(file)
		if err != nil {
			return
		}
		defer a.Close() //nolint:errcheck // read only
		_ = a.Verify(t.Context(), nil)
		onlyThere(t, dir)
	})
}
