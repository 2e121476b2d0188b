package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// MaxBytes is the largest file that is read. Hand-edited files are far below.
const MaxBytes = 4 << 20

// Problem is one error at one place of a file.
type Problem struct {
	File      string
	Line, Col int
	Message   string // what is wrong; what would be right
}

// Error returns FILE:LINE:COL: message.
func (p *Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Message)
}

// Problems are all errors of a file, in the order of their lines.
type Problems []*Problem

// Error returns one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Document is a parsed file, kept so that later checks can point into it.
type Document struct {
	File     string
	root     ast.Node
	problems Problems
}

// Decode parses one YAML document into out, a pointer to a struct with `yaml`
// tags. The error is a Problems.
func Decode(file string, data []byte, out any) (*Document, error) {
	one := func(line, col int, format string, args ...any) (*Document, error) {
		return nil, Problems{{File: file, Line: line, Col: col, Message: fmt.Sprintf(format, args...)}}
	}
	if len(data) > MaxBytes {
		return one(1, 1, "the file has %d bytes; at most %d are read", len(data), MaxBytes)
	}
	if !utf8.Valid(data) {
		line, col := invalidUTF8(data)
		return one(line, col, "not UTF-8; save the file as UTF-8")
	}
	if line, col, what := tooDeep(data); what != "" {
		return one(line, col, "%s", what)
	}
	parsed, err := parse(data)
	if err != nil {
		line, col, msg := describe(err)
		return one(line, col, "%s", msg)
	}
	if len(parsed.Docs) != 1 || parsed.Docs[0].Body == nil {
		return one(1, 1, "the file must hold exactly one YAML document that is not empty")
	}
	doc := &Document{File: file, root: parsed.Docs[0].Body}
	if alias := findAlias(doc.root); alias != nil {
		pos := alias.GetToken().Position
		return one(pos.Line, pos.Column, "anchors and aliases are not read, since a few of them can expand without bound; write the value out")
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := safely(func() error { return decoder.Decode(out) }); err != nil {
		line, col, msg := describe(err)
		if m := badDuration.FindStringSubmatch(msg); m != nil {
			line, col = find(doc.root, m[1])
			msg = fmt.Sprintf("%q is not a duration; write it as 1s, 500ms or 5m", m[1])
		}
		if m := typeMismatch.FindStringSubmatch(msg); m != nil {
			msg = fmt.Sprintf("%s stands here; give %s", inWords(m[1]), inWords(m[2]))
		}
		if m := unexpectedNode.FindStringSubmatch(msg); m != nil {
			msg = fmt.Sprintf("%s stands here; give %s", inWords(m[1]), inWords(m[2]))
		}
		if key, ok := strings.CutPrefix(msg, "unknown field "); ok {
			msg = fmt.Sprintf("unknown key %s%s", key, nearest(strings.Trim(key, `"`), keysOf(reflect.TypeOf(out), nil)))
		}
		return one(line, col, "%s", msg)
	}
	return doc, nil
}

// Add records a problem at the node that path names, such as
// "$.devices[3].url"; where there is no such node, at the nearest parent.
func (d *Document) Add(path, format string, args ...any) {
	line, col := d.position(path)
	d.problems = append(d.problems, &Problem{File: d.File, Line: line, Col: col, Message: fmt.Sprintf(format, args...)})
}

// Err returns the recorded problems as an error, nil where there are none.
func (d *Document) Err() error {
	if len(d.problems) == 0 {
		return nil
	}
	sort.SliceStable(d.problems, func(i, j int) bool {
		a, b := d.problems[i], d.problems[j]
		return a.Line < b.Line || a.Line == b.Line && a.Col < b.Col
	})
	return d.problems
}

// At returns FILE:LINE:COL of the node that path names; where there is no such
// node, of the nearest parent.
func (d *Document) At(path string) string {
	line, col := d.position(path)
	return fmt.Sprintf("%s:%d:%d", d.File, line, col)
}

func (d *Document) position(path string) (line, col int) {
	for p := path; p != "" && p != "$"; p = parent(p) {
		query, err := yaml.PathString(p)
		if err != nil {
			continue
		}
		node, err := query.FilterNode(d.root)
		if err != nil || node == nil {
			continue
		}
		// A mapping's token is the ":" of its first pair; its key stands before it.
		if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
			node = m.Values[0].Key
		}
		if t := node.GetToken(); t != nil && t.Position != nil {
			return t.Position.Line, t.Position.Column
		}
	}
	return 1, 1
}

// aliasFinder looks for the first anchor or alias.
type aliasFinder struct{ found ast.Node }

// Visit implements ast.Visitor.
func (f *aliasFinder) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		f.found = n
	}
	if f.found != nil {
		return nil
	}
	return f
}

// textFinder looks for the first text of a value.
type textFinder struct {
	value string
	found ast.Node
}

// Visit implements ast.Visitor.
func (f *textFinder) Visit(n ast.Node) ast.Visitor {
	if s, ok := n.(*ast.StringNode); ok && s.Value == f.value && f.found == nil {
		f.found = n
	}
	if f.found != nil {
		return nil
	}
	return f
}

// find returns where a text stands first; the start of the file where it does not.
func find(root ast.Node, value string) (line, col int) {
	f := textFinder{value: value}
	ast.Walk(&f, root)
	if f.found == nil || f.found.GetToken() == nil {
		return 1, 1
	}
	at := f.found.GetToken().Position
	return at.Line, at.Column
}

func findAlias(root ast.Node) ast.Node {
	var f aliasFinder
	ast.Walk(&f, root)
	return f.found
}

func parent(path string) string {
	cut := max(strings.LastIndexByte(path, '.'), strings.LastIndexByte(path, '['))
	if cut <= 0 {
		return ""
	}
	return path[:cut]
}

// badDuration is how the standard library words a text that is no duration; the
// YAML library passes that on without a place.
var badDuration = regexp.MustCompile(`^time: .*duration "(.*)"$`)

// typeMismatch is how the YAML library words a value of the wrong type.
var typeMismatch = regexp.MustCompile(`^cannot unmarshal (\S+) into Go .*of type (\S+)`)

// unexpectedNode and duplicateKey are its words for a wrong shape and for a
// key that is there twice.
var (
	unexpectedNode = regexp.MustCompile(`^(\S+) was used where (\S+) is expected`)
	duplicateKey   = regexp.MustCompile(`^mapping key (".*") already defined at \[(.*)\]`)
)

// inWords names a type for a reader who does not program.
func inWords(goType string) string {
	switch {
	case goType == "time.Duration":
		return "a duration such as 500ms, 30s or 1h"
	case strings.HasPrefix(goType, "[]"), goType == "slice", goType == "sequence":
		return "a list"
	case strings.HasPrefix(goType, "map"):
		return "a block of key: value lines"
	case strings.Contains(goType, "int"):
		return "a whole number"
	case strings.Contains(goType, "float"):
		return "a number"
	case goType == "bool":
		return "true or false"
	case goType == "string":
		return "a text"
	}
	return "a block of key: value lines"
}

func describe(err error) (line, col int, msg string) {
	var located yaml.Error
	if errors.As(err, &located) {
		line, col = 1, 1
		if t := located.GetToken(); t != nil && t.Position != nil {
			line, col = t.Position.Line, t.Position.Column
		}
		msg = located.GetMessage()
		if m := duplicateKey.FindStringSubmatch(msg); m != nil {
			msg = fmt.Sprintf("key %s stands at %s already; keep one of them", m[1], m[2])
		}
		return line, col, msg
	}
	return 1, 1, strings.SplitN(err.Error(), "\n", 2)[0]
}

func invalidUTF8(data []byte) (line, col int) {
	line, col = 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size <= 1 {
			break
		}
		if r == '\n' {
			line, col = line+1, 1
		} else {
			col++
		}
		data = data[size:]
	}
	return line, col
}
