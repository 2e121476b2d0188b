package strictyaml

import (
	"bytes"
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Bounds on nesting. The parser's cost grows faster than linearly with it (100
// kB of dashes keep it busy for minutes) and its recursion follows it, so that
// absurd shapes are refused before it starts.
const (
	maxDepth  = 64
	maxDashes = 8 // list dashes on one line
)

// tooDeep looks for shapes that no hand-written file has. It does not know of
// quotes; the bounds leave room for brackets and dashes in a text.
func tooDeep(data []byte) (line, col int, what string) {
	brackets, indents := 0, []int{}
	for n, text := range bytes.Split(data, []byte("\n")) {
		trimmed := bytes.TrimLeft(text, " \t")
		if len(trimmed) == 0 || trimmed[0] == '#' {
			continue
		}
		indent := len(text) - len(trimmed)
		for len(indents) > 0 && indents[len(indents)-1] >= indent {
			indents = indents[:len(indents)-1]
		}
		if indents = append(indents, indent); len(indents) > maxDepth {
			return n + 1, indent + 1, fmt.Sprintf("nested deeper than %d levels; write it flatter", maxDepth)
		}
		dashes := 0
		for rest := trimmed; len(rest) > 1 && (rest[0] == '-' || rest[0] == '?') && (rest[1] == ' ' || rest[1] == '\t'); dashes++ {
			rest = bytes.TrimLeft(rest[1:], " \t")
		}
		if dashes > maxDashes {
			return n + 1, indent + 1, "many list dashes on one line; give each entry a line of its own"
		}
		for i, c := range text {
			switch c {
			case '[', '{':
				brackets++
			case ']', '}':
				brackets = max(0, brackets-1)
			}
			if brackets > maxDepth {
				return n + 1, i + 1, fmt.Sprintf("brackets nested deeper than %d levels; close them, or write it flatter", maxDepth)
			}
		}
	}
	return 0, 0, ""
}

// safely turns a panic of the YAML library into an error: the text comes from
// outside, and a file must never end the program.
func safely(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("not readable as YAML (%v); check indentation, quotes and brackets", p)
		}
	}()
	return fn()
}

func parse(data []byte) (file *ast.File, err error) {
	err = safely(func() (err error) {
		file, err = parser.ParseBytes(data, 0)
		return err //nolint:wrapcheck // the caller gives it its place and form
	})
	return file, err
}
