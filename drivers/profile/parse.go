package profile

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxSize bounds a profile file: the longest register map known is a tenth of
// it, and a parser should not be handed gigabytes.
const maxSize = 256 << 10

// VectorsSuffix ends the name of the file that holds a profile's test vectors.
const VectorsSuffix = ".vectors.yaml"

// Parse reads one profile. file is used in messages only. The error joins one
// Error for each mistake.
func Parse(file string, data []byte) (*Profile, error) {
	root, err := parseYAML(file, data)
	if err != nil {
		return nil, err
	}
	p := new(Profile)
	if err := decode(file, root, p); err != nil {
		return nil, err
	}
	m := &mistakes{file: file, root: root}
	if p.Modbus != nil {
		p.Modbus.expand(m)
	}
	p.validate(m)
	if err := m.err(); err != nil {
		return nil, err
	}
	p.prepare()
	p.digest = fmt.Sprintf("%x", sha256.Sum256(data))
	return p, nil
}

// LoadFS reads every profile in the root of fsys, by name. A profile's file
// is NAME.yaml; NAME.vectors.yaml beside it holds test vectors and is left
// alone.
func LoadFS(fsys fs.FS) (map[string]*Profile, error) {
	files, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list profiles: %w", err)
	}
	all := make(map[string]*Profile)
	m := new(mistakes)
	for _, file := range files {
		if strings.HasSuffix(file, VectorsSuffix) {
			continue
		}
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, fmt.Errorf("read profile: %w", err)
		}
		p, err := Parse(file, data)
		if err != nil {
			m.list = append(m.list, err)
			continue
		}
		if name := strings.TrimSuffix(path.Base(file), ".yaml"); p.Name != name {
			m.list = append(m.list, &Error{File: file, Line: 1, Col: 1,
				What: fmt.Sprintf("the profile is named %q", p.Name), Mend: fmt.Sprintf("name it %q as its file", name)})
			continue
		}
		all[p.Name] = p
	}
	if err := m.err(); err != nil {
		return nil, err
	}
	return all, nil
}

// parseYAML returns the one document of a file as a syntax tree.
func parseYAML(file string, data []byte) (ast.Node, error) {
	if len(data) > maxSize {
		return nil, &Error{File: file, What: fmt.Sprintf("%d bytes are too long for a profile", len(data)),
			Mend: fmt.Sprintf("at most %d", maxSize)}
	}
	if line, col := invalidUTF8(data); line > 0 {
		return nil, &Error{File: file, Line: line, Col: col, What: "this byte is not UTF-8", Mend: "save the file as UTF-8"}
	}
	var tree *ast.File
	err := safely(func() (err error) {
		tree, err = parser.ParseBytes(data, 0)
		return err //nolint:wrapcheck // fromYAML gives it its place and form
	})
	if err != nil {
		return nil, fromYAML(file, err)
	}
	var root ast.Node
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			e := &Error{File: file, Line: 1, Col: 1, What: "a second document begins here", Mend: "one profile per file"}
			if t := start(doc.Body); t != nil {
				e.Line, e.Col = t.Line, t.Column
			}
			return nil, e
		}
		root = doc.Body
	}
	if root == nil {
		return nil, &Error{File: file, Line: 1, Col: 1, What: "the file is empty", Mend: "write a profile as in drivers/profile/testdata"}
	}
	for _, n := range []ast.NodeType{ast.AnchorType, ast.AliasType, ast.MergeKeyType, ast.TagType} {
		if found := ast.Filter(n, root); len(found) > 0 {
			e := &Error{File: file, Line: 1, Col: 1, What: "anchors, aliases and tags are not taken", Mend: "write the value out"}
			if t := start(found[0]); t != nil {
				e.Line, e.Col = t.Line, t.Column
			}
			return nil, e
		}
	}
	return root, nil
}

// decode fills into strictly from the tree.
func decode(file string, root ast.Node, into any) error {
	err := safely(func() error { return yaml.NodeToValue(root, into, yaml.Strict()) })
	if err != nil {
		return fromYAML(file, err)
	}
	return nil
}

// safely turns a panic of the YAML library into an error: it has faults that
// odd input reaches, and a file must never end the program.
func safely(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it cannot be read as YAML (%v)", r)
		}
	}()
	return f()
}

// invalidUTF8 returns the place of the first byte that is not UTF-8, or 0, 0.
func invalidUTF8(data []byte) (line, col int) {
	line, col = 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			return line, col
		}
		if col++; r == '\n' {
			line, col = line+1, 1
		}
		data = data[size:]
	}
	return 0, 0
}
