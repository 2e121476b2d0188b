package kit

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// repository is where the SDK's sources are, from this package's folder.
const repository = "../../.."

func goTool(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	// What the project needs comes with it: nothing is fetched, nothing changed.
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestEachScopeMakesAProjectThatPasses(t *testing.T) {
	for _, scope := range []sdk.Scope{sdk.ScopeUsagePoint, sdk.ScopeTransformerArea, sdk.ScopeFleet} {
		t.Run(string(scope), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "a project")
			files, err := New(Options{Name: "my_idea", Dir: dir, Scope: scope, Module: "example.org/ideas/mine", SDK: repository})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{".gitignore", "Makefile", "README.md", "go.mod", "go.sum", "main.go", "my_idea.go", "my_idea_test.go"} {
				if !slices.Contains(files, want) {
					t.Errorf("%s is missing in %v", want, files)
				}
			}
			for _, f := range files {
				data, err := os.ReadFile(filepath.Join(dir, f))
				if err != nil {
					t.Fatal(err)
				}
				for _, left := range []string{"example_", "@NAME@", "@SCOPE@"} {
					if strings.Contains(string(data), left) {
						t.Errorf("%s still says %s", f, left)
					}
				}
			}
			goTool(t, dir, "vet", "./...")
			if out := goTool(t, dir, "test", "-v", "./..."); !strings.Contains(out, "--- PASS: TestConformance") || !strings.Contains(out, "--- PASS: TestCases") {
				t.Error(out)
			}
			for _, dep := range strings.Fields(goTool(t, dir, "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")) {
				if own, ok := strings.CutPrefix(dep, sdkModule+"/"); ok && !strings.HasPrefix(own, "plugins/sdk") {
					t.Errorf("the plugin is linked from %s; the SDK must suffice", dep)
				}
			}
		})
	}
}

func TestTheModulesOfTheSDK(t *testing.T) {
	out := goTool(t, ".", "list", "-deps", "-test", "-f", "{{if not .Standard}}{{with .Module}}{{.Path}}{{end}}{{end}}", "./template/...")
	used := strings.Fields(out)
	slices.Sort(used)
	used = slices.DeleteFunc(slices.Compact(used), func(m string) bool { return m == sdkModule })
	if !slices.Equal(used, sdkModules()) {
		t.Errorf("detectors are linked from\n%v\nsdkModules says\n%v", used, sdkModules())
	}
}

func TestTheVersionOfGo(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil || versionOfGo(string(mod)) != goVersion {
		t.Errorf("the SDK builds with Go %s, projects begin with %s (%v)", versionOfGo(string(mod)), goVersion, err)
	}
}

func TestWithoutSources(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	if _, err := New(Options{Name: "x", Dir: dir, Version: "v1.2.3"}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if want := "module example.org/x\n\ngo 1.26.8\n\nrequire github.com/gridwarden/gridwarden v1.2.3\n"; err != nil || string(got) != want {
		t.Errorf("go.mod %q, want %q (%v)", got, want, err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	used := t.TempDir()
	if err := os.WriteFile(filepath.Join(used, "thesis.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := func(o Options) Options {
		if o.Dir == "" {
			o.Dir = filepath.Join(used, "new")
		}
		if o.Version == "" {
			o.Version = "v1.0.0"
		}
		return o
	}
	for name, c := range map[string]struct {
		options Options
		want    string
	}{
		"capitals":        {Options{Name: "NightLoad"}, "lower-case"},
		"empty":           {Options{}, "lower-case"},
		"a path":          {Options{Name: "../x"}, "lower-case"},
		"a system's file": {Options{Name: "load_linux"}, "choose another, such as load_load"},
		"a processor's":   {Options{Name: "load_arm64"}, "a meaning of its own"},
		"a test's file":   {Options{Name: "load_test"}, "a meaning of its own"},
		"main":            {Options{Name: "main"}, "a meaning of its own"},
		"scope":           {Options{Name: "x", Scope: "meter"}, "choose usage_point, transformer_area or fleet"},
		"scope of a path": {Options{Name: "x", Scope: "../template/fleet"}, "unknown"},
		"module":          {Options{Name: "x", Module: "a b"}, "write something like example.org/x"},
		"module of ours":  {Options{Name: "x", Module: sdkModule + "/plugins/x"}, "write something like"},
		"a folder in use": {Options{Name: "x", Dir: used}, "not empty; choose another folder"},
		"a file":          {Options{Name: "x", Dir: filepath.Join(used, "thesis.txt")}, "in the way"},
		"unknown version": {Options{Name: "x", Version: "dev"}, "--sdk PATH"},
		"no such sources": {Options{Name: "x", SDK: used}, "does not hold the sources"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(fresh(c.options)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it says %v; it should say %q", err, c.want)
			}
		})
	}
	if entries, err := os.ReadDir(used); err != nil || len(entries) != 1 {
		t.Errorf("something was written: %v (%v)", entries, err)
	}
}
