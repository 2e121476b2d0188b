package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// trusting is a host's configuration with a plugins folder, and a key.
type trusting struct {
	dir, config, key string
}

func newTrusting(t *testing.T) *trusting {
	t.Helper()
	x := &trusting{dir: t.TempDir()}
	x.key = filepath.Join(x.dir, "utility.key")
	if code, _, stderr := gridwarden(t, "plugins", "keygen", "--public", filepath.Join(x.dir, "utility.pub"), "--secret", x.key); code != 0 {
		t.Fatal(stderr)
	}
	if err := os.Mkdir(filepath.Join(x.dir, "plugins"), 0o755); err != nil {
		t.Fatal(err)
	}
	x.configure(t, "  keys: [utility.pub]")
	return x
}

// configure writes the configuration; no built-in detectors, which have tests
// of their own.
func (x *trusting) configure(t *testing.T, lines ...string) {
	t.Helper()
	x.config = filepath.Join(x.dir, "gridwarden.yaml")
	text := "data_dir: data\nplugins:\n  built_in: []\n  folder: plugins\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(x.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// python packs the example in Python into a folder.
func (x *trusting) python(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "nightload.pyz")
	out, err := exec.Command("/usr/bin/python3", "-m", "zipapp", "--python", "/usr/bin/python3 -I", "--output", program,
		filepath.Join("..", "..", "plugins", "examples", "nightload-python", "src")).CombinedOutput()
	if err != nil {
		t.Fatalf("packing the detector in Python: %v\n%s\nrun: make peers", err, out)
	}
	return program
}

func succeeds(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := gridwarden(t, args...)
	if code != 0 {
		t.Fatalf("%v: exit code %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

func refused(t *testing.T, want string, args ...string) {
	t.Helper()
	code, stdout, stderr := gridwarden(t, args...)
	if all := stdout + stderr; code == 0 || !strings.Contains(all, want) {
		t.Errorf("%v: exit code %d; want %q\n%s", args, code, want, all)
	}
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

// From the author's folder to a plugin that runs, and what stops it then.
func TestAPluginIsSignedAdmittedAndStarted(t *testing.T) {
	x := newTrusting(t)
	dir := filepath.Join(x.dir, "plugins", "nightload_python")
	program := x.python(t, dir)

	contains(t, succeeds(t, "plugins", "sign", dir, "--key", x.key), "nightload_python 1.0.0", "nightload.pyz", "gridwarden plugins lock -c FILE nightload_python")
	refused(t, "admit it with: gridwarden plugins lock -c "+x.config+" nightload_python", "plugins", "verify", "-c", x.config)
	contains(t, succeeds(t, "plugins", "list", "-c", x.config), "refused", "not admitted")
	contains(t, succeeds(t, "plugins", "lock", "-c", x.config, "nightload_python", "--dry-run"), "nothing was written")
	contains(t, succeeds(t, "plugins", "lock", "-c", x.config, "nightload_python", "--by", "alice"), "signed by ", "admitted by alice")
	contains(t, succeeds(t, "plugins", "verify", "-c", x.config), "nightload_python 1.0.0", "by key", "admitted 20", "by alice", "1, as signed", "none given, defaults hold")
	contains(t, succeeds(t, "plugins", "list", "-c", x.config), "nightload_python", "ready")
	contains(t, succeeds(t, "plugins", "describe", "nightload_python", "-c", x.config), "pseudonyms", "daily features", "raw curves", "CONFIGURATION")
	contains(t, succeeds(t, "plugins", "describe", "nightload_python", "-c", x.config, "--json"), `"minimum_quality"`)

	// Its configuration is checked against its schema, at its place in the file.
	x.configure(t, "  keys: [utility.pub]", "  configs:", "    nightload_python:", "      tiems: 3")
	refused(t, x.config+":8:14: tiems: ", "plugins", "verify", "-c", x.config)
	x.configure(t, "  keys: [utility.pub]", "  configs:", "    nightload_python:", "      times: 3")
	contains(t, succeeds(t, "plugins", "verify", "-c", x.config), "given at "+x.config+":8:7")

	// The program is changed: it never starts, whatever the lock says.
	good, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, append(bytes.Clone(good), 0), 0o755); err != nil {
		t.Fatal(err)
	}
	refused(t, "nightload.pyz: changed: it has the SHA-256", "plugins", "verify", "-c", x.config)
	refused(t, "is not admitted", "plugins", "lock", "-c", x.config, "nightload_python")
	refused(t, "changed: it has the SHA-256", "plugins", "sign", dir, "--key", x.key, "--as-is")
	if err := os.WriteFile(program, good, 0o755); err != nil {
		t.Fatal(err)
	}
	succeeds(t, "plugins", "verify", "-c", x.config)

	contains(t, succeeds(t, "plugins", "lock", "-c", x.config, "--remove", "nightload_python"), "admitted no more")
	refused(t, "not admitted", "plugins", "verify", "-c", x.config)
	refused(t, "is not in", "plugins", "lock", "-c", x.config, "--remove", "nightload_python")
	if _, err := os.Stat(filepath.Join(x.dir, "data")); err == nil {
		t.Error("commands wrote into the host's own store")
	}
}

// A manifest that is signed and admitted, and a program that says otherwise.
func TestAPluginThatLiesAboutItself(t *testing.T) {
	x := newTrusting(t)
	dir := filepath.Join(x.dir, "plugins", "nightload_python")
	x.python(t, dir)
	succeeds(t, "plugins", "sign", dir, "--key", x.key)
	manifest := filepath.Join(dir, "manifest.json")
	data, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, from, to, want string }{
		{"nightload_python", `"version": "1.0.0"`, `"version": "0.2.0"`, `says that its version is "1.0.0", its manifest says "0.2.0"`},
		{"another", `"name": "nightload_python"`, `"name": "another"`, `serves no detector "another"`},
	} {
		moved := filepath.Join(x.dir, "plugins", c.name)
		if moved != dir {
			if err := os.Rename(dir, moved); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(moved, "manifest.json"), []byte(strings.Replace(string(data), c.from, c.to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		succeeds(t, "plugins", "sign", moved, "--key", x.key, "--as-is")
		succeeds(t, "plugins", "lock", "-c", x.config, c.name)
		refused(t, c.want, "plugins", "verify", "-c", x.config)
	}
}

// Plugins that the configuration names, with what an interpreter runs.
func TestAPinnedScript(t *testing.T) {
	x := newTrusting(t)
	script := x.python(t, filepath.Join(x.dir, "opt"))
	pins := func() string {
		return fmt.Sprintf("  third_party:\n    - name: nightload_python\n      path: /usr/bin/python3\n      sha256: %s\n      args: [-I, opt/nightload.pyz]\n      pinned: [opt/nightload.pyz=%s]\n      config: {times: 2}",
			sha256Of(t, "/usr/bin/python3"), sha256Of(t, script))
	}
	x.configure(t, "  keys: [utility.pub]", pins())
	contains(t, succeeds(t, "plugins", "verify", "-c", x.config), "nightload_python 1.0.0 (/usr/bin/python3): ok", "fits the schema")

	f, err := os.OpenFile(script, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("#"); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	refused(t, script+": changed: it has the SHA-256", "plugins", "verify", "-c", x.config)
	contains(t, succeeds(t, "plugins", "list", "-c", x.config), "wrong checksum")
	// The file is meant, and pinned anew; what it runs is then checked in turn.
	x.configure(t, "  keys: [utility.pub]", strings.Replace(pins(), "times: 2", "times: 0.5", 1))
	refused(t, x.config+":12:23: times: 0.5", "plugins", "verify", "-c", x.config)
}

func sha256Of(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

func TestKeysAreNotWrittenOver(t *testing.T) {
	x := newTrusting(t)
	public := filepath.Join(x.dir, "utility.pub")
	refused(t, "is there already", "plugins", "keygen", "--public", public, "--secret", x.key)
	refused(t, "is there already", "plugins", "keygen", "--public", public, "--secret", filepath.Join(x.dir, "new.key"))
	if _, err := os.Stat(filepath.Join(x.dir, "new.key")); err == nil {
		t.Error("half a pair was left")
	}
	if info, err := os.Stat(x.key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("secret key: %v, %v", info.Mode(), err)
	}
	refused(t, "no secret key of minisign", "plugins", "sign", x.dir, "--key", x.config)
	refused(t, "no folder \"nobody\"", "plugins", "lock", "-c", x.config, "nobody")
	refused(t, "name the plugins to admit", "plugins", "lock", "-c", x.config)
	refused(t, "no detector \"nobody\"", "plugins", "describe", "nobody")
}
