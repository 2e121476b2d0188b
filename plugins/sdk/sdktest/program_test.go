package sdktest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// TestMain makes copies of the test binary called serve_NAME plugins.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "serve_sound":
		sdk.Serve(sound{scope: sdk.ScopeUsagePoint})
	case "serve_gullible":
		sdk.Serve(sound{scope: sdk.ScopeFleet}, trusting{renamed{"gullible"}})
	case "serve_dying":
		sdk.Serve(spoilt(func(_ context.Context, w *sdk.Window, _ *sdk.Report) error {
			if len(w.Subjects) == 1 {
				os.Exit(4)
			}
			return nil
		}))
	case "serve_nothing":
		fmt.Fprintln(os.Stdout, "hello")
		fmt.Fprintln(os.Stderr, "I am no plugin")
	default:
		goleak.VerifyTestMain(m)
	}
}

// renamed is a sound detector of another name.
type renamed struct{ name string }

func (r renamed) Describe() sdk.Description {
	d := sound{scope: sdk.ScopeUsagePoint}.Describe()
	d.Name = r.name
	return d
}

func (renamed) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	return sound{scope: sdk.ScopeUsagePoint}.Evaluate(ctx, w, out)
}

// trusting takes any configuration.
type trusting struct{ renamed }

func (trusting) Configure([]byte) error { return nil }

// served makes the test binary a plugin.
func served(t *testing.T, name string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "serve_"+name)
	self, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	program, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(program, self); err != nil {
		t.Fatal(err)
	}
	if err := program.Close(); err != nil {
		t.Fatal(err)
	}
	return to
}

// start starts a program for the length of the test.
func start(t *testing.T, path string) []sdk.Detector {
	t.Helper()
	var words bytes.Buffer
	p, err := Start(context.Background(), path, &words)
	if err != nil {
		t.Fatalf("%v\n%s", err, words.String())
	}
	t.Cleanup(p.Close)
	detectors, err := p.Detectors()
	if err != nil {
		t.Fatal(err)
	}
	return detectors
}

func conformsOverTheWire(t *testing.T, d sdk.Detector) {
	t.Helper()
	t.Setenv(WindowsEnv, "50")
	for _, check := range ProgramChecks() {
		if err := check.Run(d); err != nil {
			t.Errorf("%s: %v", check.Name, err)
		}
	}
}

func TestASoundProgramConforms(t *testing.T) {
	conformsOverTheWire(t, start(t, served(t, "sound"))[0])
}

// The example in Python conforms like one in Go.
func TestAProgramInPythonConforms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nightload.pyz")
	cmd := exec.Command("/usr/bin/python3", "-B", "-m", "zipapp", "--python", "/usr/bin/python3 -I", "--output", path, "../../examples/nightload-python/src")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("packing the detector in Python: %v\n%s\nrun: make peers", err, out)
	}
	conformsOverTheWire(t, start(t, path)[0])
}

func TestAProgramThatDoesNotConform(t *testing.T) {
	failing := func(d sdk.Detector, name string) string {
		for _, check := range ProgramChecks() {
			if check.Name == name {
				if err := check.Run(d); err != nil {
					return err.Error()
				}
			}
		}
		return ""
	}
	detectors := start(t, served(t, "gullible"))
	if len(detectors) != 2 {
		t.Fatalf("%d detectors", len(detectors))
	}
	for _, d := range detectors {
		got := failing(d, "configuration")
		if want := d.Describe().Name == "gullible"; strings.Contains(got, "must be refused") != want {
			t.Errorf("%s: %q", d.Describe().Name, got)
		}
	}
	if got := failing(start(t, served(t, "dying"))[0], "one subject"); !strings.Contains(got, "its process or its answer failed") {
		t.Errorf("a process that died: %q", got)
	}
}

func TestWhatIsNoPlugin(t *testing.T) {
	for _, path := range []string{served(t, "nothing"), filepath.Join(t.TempDir(), "missing")} {
		var words bytes.Buffer
		if _, err := Start(context.Background(), path, &words); err == nil || !strings.Contains(err.Error(), "does not start as a plugin") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
