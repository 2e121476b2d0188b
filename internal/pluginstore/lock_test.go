package pluginstore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAdmittingReplacesWhatWasAdmitted(t *testing.T) {
	k, folder := newKey(t), t.TempDir()
	lock := filepath.Join(t.TempDir(), "plugins.lock")
	nightowl(t, folder, k, nil)
	lockIn(t, folder, lock, k.Public())
	nightowl(t, folder, k, func(m *Manifest) { m.Version = "1.3.0" })
	lockIn(t, folder, lock, k.Public())
	l, err := ReadLock(lock)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Plugins) != 1 {
		t.Fatalf("%+v", l.Plugins)
	}
	a := l.Plugins[0]
	if a.Version != "1.3.0" || a.By != "alice" || a.Admitted != "2023-11-14T22:13:20Z" || a.Key != k.ID.String() || a.Files[0].Path != "bin/owl" || a.Files[1].SHA256 != sum("weights") {
		t.Errorf("%+v", a)
	}
	if _, err := os.Stat(lock + ".new"); err == nil {
		t.Error("a file is left over")
	}
}

func TestWhatIsNotSignedIsNotAdmitted(t *testing.T) {
	k, folder := newKey(t), t.TempDir()
	lock := filepath.Join(t.TempDir(), "plugins.lock")
	nightowl(t, folder, k, nil)
	plugins, err := ReadFolder(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := Admit(lock, plugins, "alice", time.Now()); err == nil || !strings.Contains(err.Error(), "names no key") {
		t.Errorf("error %v", err)
	}
	for _, file := range []string{lock, lock + ".new"} {
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s was written", file)
		}
	}
	write(t, lock+".new", "", 0o644)
	if err := Admit(lock, nil, "alice", time.Now()); err == nil || !strings.Contains(err.Error(), "somebody else admits") {
		t.Errorf("two at once: %v", err)
	}
}

func TestLocksThatAreRefused(t *testing.T) {
	good := "plugins:\n- name: a\n  version: 1.0.0\n  manifest: " + sum("m") + "\n  admitted: \"2026-01-02T03:04:05Z\"\n"
	if _, err := ParseLock("plugins.lock", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2]string{
		"twice":       {good + strings.TrimPrefix(good, "plugins:\n"), "plugins.lock:6:9: \"a\" is no plugin's name or stands here twice"},
		"no checksum": {strings.Replace(good, sum("m"), "abc", 1), "plugins.lock:4:13: not a SHA-256"},
		"no time":     {strings.Replace(good, "2026-01-02", "soon", 1), "plugins.lock:5:13: "},
		"unknown key": {good + "more: 1\n", "unknown key"},
		"no YAML":     {"\x00", "plugins.lock:1:1"},
	} {
		if _, err := ParseLock("plugins.lock", []byte(c[0])); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v; want %q", name, err, c[1])
		}
	}
}

func FuzzLock(f *testing.F) {
	f.Add([]byte("plugins:\n- name: a\n  version: 1.0.0\n  manifest: " + sum("m") + "\n  admitted: \"2026-01-02T03:04:05Z\"\n"))
	f.Add([]byte("plugins: []"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseLock("plugins.lock", data)
		if err != nil {
			return
		}
		p := &Plugin{Name: "a", Manifest: &Manifest{Name: "a"}, Sum: sum("something else")}
		if l.Check(p, "") == nil {
			t.Fatal("admitted")
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"name": "a", "version": "1", "executable": "x", "sha256": "` + sum("x") + `"}`))
	f.Add([]byte("name: a\nversion: 1.0.0\nexecutable: bin/x\nsha256: " + sum("x") + "\nfiles:\n- {path: bin/y, sha256: " + sum("y") + "}\nargs: [bin/y]\n"))
	f.Add([]byte(`{"executable": "../x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest("manifest.json", data)
		if err != nil {
			return
		}
		for _, file := range m.All() {
			if !filepath.IsLocal(file.Path) || strings.Contains(file.Path, "..") && wrongPath(file.Path) != "" {
				t.Fatalf("path %q", file.Path)
			}
		}
		text, err := m.Text()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseManifest("manifest.json", text)
		if err != nil || again.Name != m.Name || len(again.All()) != len(m.All()) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}

// Ids and versions that could be read as numbers must come back as they are.
func TestWhatIsAdmittedIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Admission{
			Name: "a", Manifest: sum("m"), Admitted: "2026-01-02T03:04:05Z",
			Version: rapid.OneOf(rapid.SampledFrom([]string{"1.10", "1e5", "true", "null", "0x10", "2026-01-02", "1_000", "no", "0o7", "1.0.0+b.1"}), rapid.StringMatching(`[0-9A-Za-z][0-9A-Za-z.+-]{0,20}`)).Draw(t, "version"),
			Key:     rapid.OneOf(rapid.SampledFrom([]string{"0000000000000001", "1234567890123456", "12E4567890123456", "1E00000000000000"}), rapid.StringMatching(`[0-9A-F]{16}`)).Draw(t, "key"),
			By:      rapid.OneOf(rapid.SampledFrom([]string{"alice: bob", "- x", "#", "\"", "Müller, A.", "~", "*a", "&a", "{}", "[]", "!t", "%"}), rapid.StringMatching(`[ -~]{0,20}`)).Draw(t, "by"),
			Files:   []File{{rapid.StringMatching(`[a-z0-9 '"{}#&*!%,-][a-z0-9 '"{}#&*!%,.-]{0,20}`).Draw(t, "path"), sum("x")}},
		}
		l := &Lock{Plugins: []Admission{a}, file: "plugins.lock"}
		if text, err := l.text(); err != nil {
			t.Fatalf("%+v: %v\n%s", a, err, text)
		}
	})
}
