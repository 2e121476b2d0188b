package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// module is the import path that the tree's packages begin with.
const module = "github.com/gridwarden/gridwarden"

// file is one Go file of the tree.
type file struct {
	name      string // slash-separated path from the root
	pkg       string // folder of the package from the root
	test      bool
	generated bool
	lines     int
	imports   []imported
	syntax    *ast.File
	fset      *token.FileSet
}

// imported is one import of a file: own packages by their folder, others by
// their path.
type imported struct {
	path string
	own  bool
	line int
}

// std reports whether the import is of the standard library.
func (i imported) std() bool {
	first, _, _ := strings.Cut(i.path, "/")
	return !i.own && !strings.Contains(first, ".")
}

// text is any file of the tree that people read.
type text struct {
	name string
	data []byte
}

// tree is the repository as the rules see it.
type tree struct {
	files []*file
	texts []text
}

// load reads the tree; folders that are made, fetched or test data are left
// out of the Go files.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if foreign(name) {
				return fs.SkipDir
			}
			return nil
		}
		if !readable(name) {
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		t.texts = append(t.texts, text{name, data})
		if path.Ext(name) == ".go" && !strings.Contains("/"+name, "/testdata/") {
			f, err := parse(name, data)
			if err != nil {
				return err
			}
			t.files = append(t.files, f)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the tree: %w", err)
	}
	return t, nil
}

func foreign(dir string) bool {
	switch dir {
	case ".git", "bin", "var", "scan-out":
		return true
	}
	return path.Base(dir) == "node_modules"
}

func readable(name string) bool {
	switch path.Ext(name) {
	case ".go", ".md", ".yaml", ".yml", ".json", ".proto", ".html", ".css", ".js", ".mjs", ".ts", ".py", ".sh", ".sql", ".csv", ".txt", ".mod":
		return true
	}
	dir, base := path.Split(name)
	return base == "Makefile" || dir == ".ci/" || base == ".npmrc"
}

func parse(name string, data []byte) (*file, error) {
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, name, data, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	f := &file{
		name: name, pkg: path.Dir(name), syntax: syntax, fset: fset,
		test:      strings.HasSuffix(name, "_test.go"),
		generated: ast.IsGenerated(syntax),
		lines:     bytes.Count(data, []byte("\n")),
	}
	for _, spec := range syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		i := imported{path: p, line: fset.Position(spec.Pos()).Line}
		if rest, ok := strings.CutPrefix(p, module+"/"); ok {
			i.path, i.own = rest, true
		}
		f.imports = append(f.imports, i)
	}
	return f, nil
}

// finding is one breach of a rule.
type finding struct {
	name string
	line int
	what string
}

func (f finding) String() string { return fmt.Sprintf("%s:%d: %s", f.name, f.line, f.what) }

// within reports whether a folder or import path is dir or below it.
func within(p string, dirs ...string) bool {
	for _, dir := range dirs {
		if p == dir || strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return false
}
