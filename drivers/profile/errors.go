package profile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Error is one mistake in a profile.
type Error struct {
	File      string
	Line, Col int    // from 1; 0 where the mistake is of the whole file
	What      string // what is wrong
	Mend      string // what would be right
}

// Error returns "file:line:col: what; mend".
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s; %s", e.File, e.What, e.Mend)
	}
	return fmt.Sprintf("%s:%d:%d: %s; %s", e.File, e.Line, e.Col, e.What, e.Mend)
}

// mistakes collects the errors of one file with their positions.
type mistakes struct {
	file string
	root ast.Node
	list []error
}

// add records a mistake at the value found by path (keys and indexes from the
// root), or at the nearest parent that exists.
func (m *mistakes) add(path []any, mend, format string, args ...any) {
	e := &Error{File: m.file, What: fmt.Sprintf(format, args...), Mend: mend}
	e.Line, e.Col, _ = locate(m.root, path)
	m.list = append(m.list, e)
}

// has reports whether the file sets the value at path.
func (m *mistakes) has(path ...any) bool {
	_, _, found := locate(m.root, path)
	return found
}

func (m *mistakes) err() error { return errors.Join(m.list...) }

// locate returns the position of the value at path. Where path leads past
// what the file holds it returns the last part that exists, and false.
func locate(node ast.Node, path []any) (line, col int, found bool) {
	line, col = 1, 1
	for _, step := range path {
		next := child(node, step)
		if next == nil {
			return line, col, false
		}
		node = next
		if t := start(node); t != nil {
			line, col = t.Line, t.Column
		}
	}
	return line, col, true
}

type position struct{ Line, Column int }

// start returns where node begins: a mapping begins at its first key, not at
// the colon that the parser reports.
func start(node ast.Node) *position {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return start(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return start(n.Key)
	}
	if t := node.GetToken(); t != nil && t.Position != nil {
		return &position{t.Position.Line, t.Position.Column}
	}
	return nil
}

func child(node ast.Node, step any) ast.Node {
	switch s := step.(type) {
	case string:
		var values []*ast.MappingValueNode
		switch n := node.(type) {
		case *ast.MappingNode:
			values = n.Values
		case *ast.MappingValueNode:
			values = []*ast.MappingValueNode{n}
		}
		for _, v := range values {
			if v.Key.GetToken() != nil && v.Key.GetToken().Value == s {
				return v.Value
			}
		}
	case int:
		if n, ok := node.(*ast.SequenceNode); ok && s < len(n.Values) {
			return n.Values[s]
		}
	}
	return nil
}

// fromYAML turns an error of the YAML library into ours.
func fromYAML(file string, err error) error {
	var ye yaml.Error
	if !errors.As(err, &ye) {
		return &Error{File: file, Line: 1, Col: 1, What: oneLine(err.Error()), Mend: "write it as in drivers/profile/testdata"}
	}
	e := &Error{File: file, Line: 1, Col: 1, What: oneLine(ye.GetMessage())}
	if t := ye.GetToken(); t != nil && t.Position != nil {
		e.Line, e.Col = t.Position.Line, t.Position.Column
	}
	var (
		unknown   *yaml.UnknownFieldError
		duplicate *yaml.DuplicateKeyError
		overflow  *yaml.OverflowError
		wrongType *yaml.TypeError
	)
	switch {
	case errors.As(err, &unknown):
		e.Mend = "remove it or correct its spelling"
	case errors.As(err, &duplicate):
		e.Mend = "keep one of the two"
	case errors.As(err, &overflow):
		e.What = fmt.Sprintf("the number %s does not fit here", overflow.SrcNum)
		e.Mend = "addresses go from 0 to 65535, and codes are not negative"
	case errors.As(err, &wrongType):
		e.What = fmt.Sprintf("a %s cannot be taken for a %s", kind(wrongType.SrcType.String()), kind(wrongType.DstType.String()))
		e.Mend = "write the kind of value that drivers/profile/testdata shows for this key"
	default:
		e.Mend = "correct the YAML"
	}
	return e
}

// kind names a Go type in words an engineer who writes YAML would use.
func kind(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return "list"
	case strings.Contains(goType, "int"), strings.Contains(goType, "float"):
		return "number"
	case strings.HasPrefix(goType, "map"), strings.HasPrefix(goType, "profile.") && goType != "profile.Order" &&
		goType != "profile.Table" && goType != "profile.Encoding" && goType != "profile.Side" &&
		goType != "profile.Status" && goType != "profile.Protocol":
		return "mapping"
	case goType == "bool":
		return "true or false"
	}
	return "text"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
