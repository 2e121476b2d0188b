package pluginstore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nightowl makes a plugin of a program and a model in a folder of plugins.
func nightowl(t testing.TB, folder string, k *SecretKey, change func(*Manifest)) string {
	t.Helper()
	dir := filepath.Join(folder, "nightowl")
	write(t, filepath.Join(dir, "bin", "owl"), "#!/bin/sh\necho hoo\n", 0o755)
	write(t, filepath.Join(dir, "model.bin"), "weights", 0o644)
	m := &Manifest{
		Name: "nightowl", Version: "1.2.0", Description: "Load at night", Contract: 1, Executable: "bin/owl", SHA256: sum("#!/bin/sh\necho hoo\n"),
		Files: []File{{"model.bin", sum("weights")}}, Args: []string{"--model", "model.bin"},
	}
	if change != nil {
		change(m)
	}
	text, err := m.Text()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "manifest.json"), string(text), 0o644)
	sign(t, k, filepath.Join(dir, "manifest.json"))
	return dir
}

func sign(t testing.TB, k *SecretKey, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := k.Sign(filepath.Base(file), data, time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	write(t, file+signatureEnd, string(text), 0o644)
}

// admit checks a plugin as the host does: signature, lock and copy.
func admit(t testing.TB, folder, lockFile string, s *Store, keys ...*PublicKey) (*Program, error) {
	t.Helper()
	plugins, err := ReadFolder(folder, keys)
	if err != nil {
		return nil, err
	}
	lock, err := ReadLock(lockFile)
	if err != nil {
		return nil, err
	}
	for _, p := range plugins {
		if p.Name != "nightowl" {
			continue
		}
		if err := p.Err(); err != nil {
			return nil, err
		}
		if err := lock.Check(p, ""); err != nil {
			return nil, err
		}
		return s.Take(t.Context(), p)
	}
	return nil, errors.New("there is no nightowl")
}

func lockIn(t testing.TB, folder, lockFile string, keys ...*PublicKey) {
	t.Helper()
	plugins, err := ReadFolder(folder, keys)
	if err != nil {
		t.Fatal(err)
	}
	if err := Admit(lockFile, plugins, "alice", time.Unix(1_700_000_000, 0)); err != nil {
		t.Fatal(err)
	}
}

func TestASignedAndAdmittedPluginRunsFromItsCopy(t *testing.T) {
	k := newKey(t)
	folder := t.TempDir()
	dir := nightowl(t, folder, k, nil)
	write(t, filepath.Join(folder, "README"), "not a plugin", 0o644)
	write(t, filepath.Join(folder, ".git", "config"), "", 0o644)
	lock := filepath.Join(folder, "plugins.lock")
	lockIn(t, folder, lock, k.Public())
	s := open(t)
	p, err := admit(t, folder, lock, s, k.Public())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"--model", filepath.Join(p.Dir, "model.bin")}
	if !strings.HasPrefix(p.Path, s.dir) || len(p.Args) != 2 || p.Args[0] != want[0] || p.Args[1] != want[1] {
		t.Errorf("program %+v", p)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Sum != sum(string(manifest)) || p.SHA256 != sum("#!/bin/sh\necho hoo\n") {
		t.Errorf("sums %+v", p)
	}
	if again, ok := s.Program(p.Sum); !ok || again.Path != p.Path || again.Dir != p.Dir || again.Args[1] != want[1] {
		t.Errorf("kept as %+v", again)
	}
	// Whatever happens to the folder now, the copy is what was checked.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(p.Path); err != nil || string(data) != "#!/bin/sh\necho hoo\n" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestAProgramAloneIsKnownByItsOwnChecksum(t *testing.T) {
	k, folder, s := newKey(t), t.TempDir(), open(t)
	nightowl(t, folder, k, func(m *Manifest) { m.Files, m.Args = nil, nil })
	lock := filepath.Join(folder, "plugins.lock")
	lockIn(t, folder, lock, k.Public())
	p, err := admit(t, folder, lock, s, k.Public())
	if err != nil {
		t.Fatal(err)
	}
	if p.Sum != p.SHA256 || filepath.Base(p.Path) != "owl" {
		t.Errorf("program %+v", p)
	}
	if path, ok := s.Find(p.Sum); !ok {
		t.Errorf("not found: %s", path)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
}

// Each attack begins with a plugin that is signed and admitted and must end
// with a refusal that says why.
func TestAttacksOnAnAdmittedPlugin(t *testing.T) {
	k, other := newKey(t), newKey(t)
	type place struct{ folder, dir, lock string }
	for name, c := range map[string]struct {
		attack func(*testing.T, place)
		keys   []*PublicKey
		want   string
	}{
		"the program is changed": {func(t *testing.T, p place) {
			write(t, filepath.Join(p.dir, "bin", "owl"), "#!/bin/sh\nrm -rf /\n", 0o755)
		}, nil, "bin/owl: changed: it has the SHA-256"},
		"a file is changed": {func(t *testing.T, p place) {
			write(t, filepath.Join(p.dir, "model.bin"), "other weights", 0o644)
		}, nil, "model.bin: changed"},
		"a file is gone": {func(t *testing.T, p place) {
			if err := os.Remove(filepath.Join(p.dir, "model.bin")); err != nil {
				t.Fatal(err)
			}
		}, nil, "no such file"},
		"the manifest is changed": {func(t *testing.T, p place) {
			file := filepath.Join(p.dir, "manifest.json")
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			write(t, file, strings.Replace(string(data), "1.2.0", "1.2.1", 1), 0o644)
		}, nil, "is not over this file"},
		"the signature is gone": {func(t *testing.T, p place) {
			if err := os.Remove(filepath.Join(p.dir, "manifest.json.minisig")); err != nil {
				t.Fatal(err)
			}
		}, nil, "there is no manifest.json.minisig"},
		"another key signs": {func(t *testing.T, p place) {
			sign(t, other, filepath.Join(p.dir, "manifest.json"))
		}, nil, "signed by " + other.ID.String() + ", which is none of plugins.keys"},
		"another trusted key signs": {func(t *testing.T, p place) {
			sign(t, other, filepath.Join(p.dir, "manifest.json"))
		}, []*PublicKey{k.Public(), other.Public()}, "lock: changed: the key " + k.ID.String() + " was admitted"},
		"the key is removed": {func(*testing.T, place) {}, []*PublicKey{other.Public()}, "none of plugins.keys"},
		"no key is left":     {func(*testing.T, place) {}, []*PublicKey{}, "names no key"},
		"a signed newer version takes its place": {func(t *testing.T, p place) {
			nightowl(t, p.folder, k, func(m *Manifest) { m.Version = "1.3.0" })
		}, nil, "version 1.2.0 was admitted and 1.3.0 is there"},
		"the lock is gone": {func(t *testing.T, p place) {
			if err := os.Remove(p.lock); err != nil {
				t.Fatal(err)
			}
		}, nil, "gridwarden plugins lock -c FILE nightowl"},
		"the lock is edited": {func(t *testing.T, p place) {
			data, err := os.ReadFile(p.lock)
			if err != nil {
				t.Fatal(err)
			}
			write(t, p.lock, strings.Replace(string(data), sum("weights"), sum("evil"), 1), 0o644)
		}, nil, "its files are others"},
		"the lock admits what is not signed": {func(t *testing.T, p place) {
			// Lock and program are changed alike; the manifest cannot be.
			write(t, filepath.Join(p.dir, "model.bin"), "evil", 0o644)
			data, err := os.ReadFile(p.lock)
			if err != nil {
				t.Fatal(err)
			}
			write(t, p.lock, strings.Replace(string(data), sum("weights"), sum("evil"), 1), 0o644)
		}, nil, "its files are others"},
		"everybody writes the lock": {func(t *testing.T, p place) {
			if err := os.Chmod(p.lock, 0o666); err != nil {
				t.Fatal(err)
			}
		}, nil, "chmod o-w"},
		"everybody writes the program": {func(t *testing.T, p place) {
			if err := os.Chmod(filepath.Join(p.dir, "bin", "owl"), 0o777); err != nil {
				t.Fatal(err)
			}
		}, nil, "chmod o-w"},
		"everybody writes a folder": {func(t *testing.T, p place) {
			if err := os.Chmod(filepath.Join(p.dir, "bin"), 0o777); err != nil {
				t.Fatal(err)
			}
		}, nil, "chmod o-w"},
		"everybody writes the plugins folder": {func(t *testing.T, p place) {
			if err := os.Chmod(p.folder, 0o777); err != nil {
				t.Fatal(err)
			}
		}, nil, "chmod o-w"},
		"the program is a link": {func(t *testing.T, p place) {
			moved := filepath.Join(t.TempDir(), "owl")
			if err := errors.Join(os.Rename(filepath.Join(p.dir, "bin", "owl"), moved), os.Symlink(moved, filepath.Join(p.dir, "bin", "owl"))); err != nil {
				t.Fatal(err)
			}
		}, nil, "is a link"},
		"a folder is a link": {func(t *testing.T, p place) {
			moved := filepath.Join(t.TempDir(), "bin")
			if err := errors.Join(os.Rename(filepath.Join(p.dir, "bin"), moved), os.Symlink(moved, filepath.Join(p.dir, "bin"))); err != nil {
				t.Fatal(err)
			}
		}, nil, "is a link"},
		"the plugin is a link": {func(t *testing.T, p place) {
			moved := filepath.Join(t.TempDir(), "nightowl")
			if err := errors.Join(os.Rename(p.dir, moved), os.Symlink(moved, p.dir)); err != nil {
				t.Fatal(err)
			}
		}, nil, "is a link or no folder"},
		"the manifest is without end": {func(t *testing.T, p place) {
			write(t, filepath.Join(p.dir, "manifest.json"), strings.Repeat(" ", maxManifestBytes+1), 0o644)
		}, nil, "so large it is not read"},
		"there are two manifests": {func(t *testing.T, p place) {
			write(t, filepath.Join(p.dir, "manifest.yaml"), "name: nightowl\n", 0o644)
		}, nil, "two manifests"},
		"it is renamed": {func(t *testing.T, p place) {
			nightowl(t, p.folder, k, func(m *Manifest) { m.Name = "nightjar" })
		}, nil, `called nightowl, the plugin in it "nightjar"`},
		"it reaches out of its folder": {func(t *testing.T, p place) {
			nightowl(t, p.folder, k, func(m *Manifest) { m.Executable = "../../bin/sh" })
		}, nil, "leads out of the folder"},
		"it reaches out by an absolute path": {func(t *testing.T, p place) {
			nightowl(t, p.folder, k, func(m *Manifest) { m.Files[0].Path = "/etc/passwd" })
		}, nil, "is an absolute path"},
		"it needs a newer contract": {func(t *testing.T, p place) {
			nightowl(t, p.folder, k, func(m *Manifest) { m.Contract = 99 })
		}, nil, "needs version 99 of the detector contract"},
	} {
		t.Run(name, func(t *testing.T) {
			p := place{folder: t.TempDir()}
			p.dir, p.lock = nightowl(t, p.folder, k, nil), filepath.Join(p.folder, "plugins.lock")
			lockIn(t, p.folder, p.lock, k.Public())
			s := open(t)
			if _, err := admit(t, p.folder, p.lock, s, k.Public()); err != nil {
				t.Fatalf("before the attack: %v", err)
			}
			c.attack(t, p)
			keys := c.keys
			if keys == nil {
				keys = []*PublicKey{k.Public()}
			}
			if got, err := admit(t, p.folder, p.lock, s, keys...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("program %+v, error %v; want %q", got, err, c.want)
			}
		})
	}
}

// The folder is looked at, then changed, and only then is the plugin taken.
func TestASwapBetweenCheckAndStart(t *testing.T) {
	k := newKey(t)
	evil := filepath.Join(t.TempDir(), "evil")
	write(t, evil, "#!/bin/sh\necho evil\n", 0o755)
	for name, swap := range map[string]func(program string) error{
		"by a link":   func(program string) error { return errors.Join(os.Remove(program), os.Symlink(evil, program)) },
		"by a rename": func(program string) error { return os.Rename(evil, program) },
		"in place":    func(program string) error { return os.WriteFile(program, []byte("#!/bin/sh\necho evil\n"), 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			folder, s := t.TempDir(), open(t)
			dir := nightowl(t, folder, k, nil)
			plugins, err := ReadFolder(folder, []*PublicKey{k.Public()})
			if err != nil || plugins[0].Err() != nil || plugins[0].CheckFiles(t.Context()) != nil {
				t.Fatal(err, plugins[0].Err())
			}
			write(t, evil, "#!/bin/sh\necho evil\n", 0o755)
			if err := swap(filepath.Join(dir, "bin", "owl")); err != nil {
				t.Fatal(err)
			}
			if p, err := s.Take(t.Context(), plugins[0]); err == nil {
				t.Errorf("taken: %+v", p)
			}
			if _, ok := s.Find(sum("#!/bin/sh\necho evil\n")); ok {
				t.Error("the evil program is in the store")
			}
		})
	}
	// After it was taken, a swap changes nothing.
	folder, s := t.TempDir(), open(t)
	dir := nightowl(t, folder, k, nil)
	p, err := s.Take(t.Context(), ReadPlugin(dir, []*PublicKey{k.Public()}))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "bin", "owl"), "#!/bin/sh\necho evil\n", 0o755)
	if data, err := os.ReadFile(p.Path); err != nil || string(data) != "#!/bin/sh\necho hoo\n" || p.Check() != nil {
		t.Errorf("%q, %v, %v", data, err, p.Check())
	}
}

func TestTheCopyIsCheckedBeforeEachStart(t *testing.T) {
	k, folder, s := newKey(t), t.TempDir(), open(t)
	dir := nightowl(t, folder, k, nil)
	plugin := ReadPlugin(dir, []*PublicKey{k.Public()})
	p, err := s.Take(t.Context(), plugin)
	if err != nil {
		t.Fatal(err)
	}
	left := write(t, filepath.Join(p.Dir, "bin", "__pycache__", "numpy.pyc"), "not checked", 0o644)
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a plugin left is still there: %v", err)
	}
	write(t, p.Path, "changed", 0o700)
	if err := p.Check(); !errors.Is(err, ErrChanged) {
		t.Errorf("a changed copy: %v", err)
	}
	if _, ok := s.Program(p.Sum); ok {
		t.Error("a changed copy is found")
	}
	// Taken again, it is whole again.
	if p, err = s.Take(t.Context(), plugin); err != nil || p.Check() != nil {
		t.Errorf("%v", err)
	}
}

func TestFoldersThatAreNoPlugins(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "empty", "x"), "", 0o644)
	write(t, filepath.Join(folder, "Bad\x1b[2J", "manifest.json"), "{}", 0o644)
	write(t, filepath.Join(folder, "broken", "manifest.json"), "{\n  \"name\": 3x,\n  \"nmae\": 1\n}", 0o644)
	plugins, err := ReadFolder(folder, nil)
	if err != nil || len(plugins) != 3 {
		t.Fatal(plugins, err)
	}
	for i, want := range []string{"is not a plugin's name", "broken/manifest.json:3:", "holds no manifest.json"} {
		if err := plugins[i].Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", plugins[i].Name, err, want)
		}
		if strings.ContainsRune(plugins[i].Name, 0x1b) {
			t.Errorf("%q would reach a terminal", plugins[i].Name)
		}
	}
	if _, err := ReadFolder(filepath.Join(folder, "none"), nil); err == nil || !strings.Contains(err.Error(), "plugins.folder") {
		t.Errorf("no folder: %v", err)
	}
}

func TestPinnedPrograms(t *testing.T) {
	s, dir := open(t), t.TempDir()
	interpreter := write(t, filepath.Join(dir, "bin", "python"), "python", 0o755)
	script := write(t, filepath.Join(dir, "opt", "owl.py"), "import helper", 0o644)
	helper := write(t, filepath.Join(dir, "opt", "lib", "helper.py"), "pass", 0o644)
	pin := Pinned{
		Path: interpreter, SHA256: sum("python"), Args: []string{"-I", script, "--fast"},
		Files: []File{{script, sum("import helper")}, {helper, sum("pass")}},
	}
	p, err := s.Pin(t.Context(), pin)
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != interpreter || p.Args[1] != filepath.Join(p.Dir, "files", "owl.py") || p.Args[2] != "--fast" || p.Sum == p.SHA256 {
		t.Errorf("program %+v", p)
	}
	if data, err := os.ReadFile(filepath.Join(p.Dir, "files", "lib", "helper.py")); err != nil || string(data) != "pass" {
		t.Errorf("%q, %v", data, err)
	}
	if again, ok := s.Program(p.Sum); !ok || again.Args[1] != p.Args[1] {
		t.Errorf("kept as %+v", again)
	}
	alone, err := s.Pin(t.Context(), Pinned{Path: interpreter, SHA256: sum("python")})
	if err != nil || alone.Sum != sum("python") || alone.Check() != nil {
		t.Errorf("%+v, %v", alone, err)
	}

	write(t, helper, "import evil", 0o644)
	if _, err := s.Pin(t.Context(), pin); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), helper) {
		t.Errorf("a changed script: %v", err)
	}
	write(t, interpreter, "other python", 0o755)
	if _, err := s.Pin(t.Context(), pin); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), interpreter) {
		t.Errorf("a changed program: %v", err)
	}
	write(t, alone.Path, "other", 0o700)
	if err := alone.Check(); err == nil {
		t.Error("a changed copy is not seen")
	}
}
