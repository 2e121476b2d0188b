package backup

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
				defer a.Close()
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
		defer a.Close()
		_ = a.Verify(t.Context(), nil)
		onlyThere(t, dir)
	})
}
