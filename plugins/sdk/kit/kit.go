package kit

import (
	"embed"
	"errors"
	"fmt"
	"go/build"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

//go:embed template/usage_point template/transformer_area template/fleet template/README.md.in template/Makefile.in template/gitignore.in
var templates embed.FS

// sdkModule is the module that has the SDK.
const sdkModule = "github.com/gridwarden/gridwarden"

// Options say what to make.
type Options struct {
	Name    string    // of the detector
	Dir     string    // where to; it must not exist, or be empty
	Scope   sdk.Scope // empty is ScopeUsagePoint
	Module  string    // of Go; empty is example.org/NAME
	Version string    // of the SDK's module: v1.2.3; not needed with SDK
	SDK     string    // folder of the SDK's sources, to build against instead of a released version
}

// New makes the project and returns its files, relative to Options.Dir. It
// writes nothing where an option is wrong or the folder is in use.
func New(o Options) ([]string, error) {
	if o.Scope == "" {
		o.Scope = sdk.ScopeUsagePoint
	}
	if o.Module == "" {
		o.Module = "example.org/" + o.Name
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	files, err := o.files()
	if err != nil {
		return nil, err
	}
	if err := free(o.Dir); err != nil {
		return nil, err
	}
	for _, f := range files {
		to := filepath.Join(o.Dir, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // sources are for all to read
			return nil, fmt.Errorf("making the project: %w", err)
		}
		if err := os.WriteFile(to, f.data, 0o644); err != nil { //nolint:gosec // sources are for all to read
			return nil, fmt.Errorf("making the project: %w", err)
		}
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.name
	}
	return names, nil
}

// check holds the options against what Go and the host can work with.
func (o *Options) check() error {
	if !sdk.ValidCode(o.Name) {
		return fmt.Errorf("%q cannot be a detector's name; write lower-case letters, digits and \"_\", starting with a letter, such as night_load", o.Name)
	}
	if o.Name == "main" || strings.HasSuffix(o.Name, "_test") || conditional(o.Name) {
		return fmt.Errorf("%q cannot be a detector's name: Go gives a file %s.go a meaning of its own; choose another, such as %s_load", o.Name, o.Name, strings.SplitN(o.Name, "_", 2)[0])
	}
	if _, err := fs.Stat(templates, "template/"+string(o.Scope)); err != nil {
		return fmt.Errorf("scope %q is unknown; choose %s, %s or %s", o.Scope, sdk.ScopeUsagePoint, sdk.ScopeTransformerArea, sdk.ScopeFleet)
	}
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*(/[A-Za-z0-9_][A-Za-z0-9._~-]*)*$`).MatchString(o.Module) || o.Module == sdkModule || strings.HasPrefix(o.Module, sdkModule+"/") {
		return fmt.Errorf("%q cannot be the module's path; write something like example.org/%s", o.Module, o.Name)
	}
	if o.Dir == "" {
		return errors.New("no folder is given; name one that does not exist yet")
	}
	if o.SDK == "" && !regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`).MatchString(o.Version) {
		return fmt.Errorf("this program is of version %q, which nobody can fetch; give the folder of its sources with --sdk PATH", o.Version)
	}
	return nil
}

// conditional reports whether Go would build NAME.go on some systems only.
func conditional(name string) bool {
	nowhere := build.Default
	nowhere.GOOS, nowhere.GOARCH = "none", "none"
	nowhere.OpenFile = func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("package p\n")), nil }
	match, err := nowhere.MatchFile("", name+".go")
	return err != nil || !match
}

// free makes sure that nothing is overwritten.
func free(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s is in the way: %w; choose another folder with --dir", dir, err)
	case len(entries) > 0:
		return fmt.Errorf("%s is there already and not empty; choose another folder with --dir, or remove it", dir)
	}
	return nil
}

// file is one file of the project.
type file struct {
	name string // with slashes, below the project's folder
	data []byte
}

// files returns all the files of the project, by name.
func (o *Options) files() ([]file, error) {
	base := "template/" + string(o.Scope)
	var out []file
	err := fs.WalkDir(templates, base, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := templates.ReadFile(name)
		if err != nil {
			return err //nolint:wrapcheck // wrapped below
		}
		out = append(out, file{o.rename(strings.TrimPrefix(name, base+"/")), o.adapt(data)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the template: %w", err)
	}
	for _, name := range []string{"README.md", "Makefile", "gitignore"} {
		data, err := templates.ReadFile("template/" + name + ".in")
		if err != nil {
			return nil, fmt.Errorf("reading the template: %w", err)
		}
		if name == "gitignore" {
			name = ".gitignore"
		}
		out = append(out, file{name, o.adapt(data)})
	}
	module, err := o.goMod()
	if err != nil {
		return nil, err
	}
	out = append(out, module...)
	slices.SortFunc(out, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// rename turns a template's file name into the project's.
func (o *Options) rename(name string) string {
	switch path.Base(name) {
	case "detector.go":
		return o.Name + ".go"
	case "detector_test.go":
		return o.Name + "_test.go"
	}
	return name
}

// adapt puts the project's names into a template.
func (o *Options) adapt(data []byte) []byte {
	return []byte(strings.NewReplacer(
		"example_"+string(o.Scope), o.Name,
		"@NAME@", o.Name,
		"@SCOPE@", string(o.Scope),
	).Replace(string(data)))
}
