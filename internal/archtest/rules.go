package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// maxLines of a Go file that people write.
const maxLines = 500

// rule is one house rule.
type rule struct {
	name  string
	check func(*tree) []finding
}

func rules() []rule {
	return []rule{
		{"imports", imports},
		{"no init", noInit},
		{"doc.go", docGo},
		{"file length", length},
		{"no skipped tests", noSkip},
		{"no machine paths", machinePaths},
		{"no InfluxDB in go.mod", goMod},
	}
}

func noInit(t *tree) []finding {
	var out []finding
	for _, f := range t.files {
		if f.generated {
			continue
		}
		for _, decl := range f.syntax.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				out = append(out, finding{f.name, f.line(fn.Pos()), "has an init function; wire it explicitly where it is used"})
			}
		}
	}
	return out
}

func (f *file) line(p token.Pos) int { return f.fset.Position(p).Line }

// docGo wants a doc.go with a package comment, but for generated packages. The
// comment of a program, or of a package of one file, may stand in that file.
func docGo(t *tree) []finding {
	files := make(map[string]int)
	for _, f := range t.files {
		if !f.test {
			files[f.pkg]++
		}
	}
	documented := make(map[string]bool)
	for _, f := range t.files {
		place := path.Base(f.name) == "doc.go" || f.syntax.Name.Name == "main" || files[f.pkg] == 1 && !f.test
		if place && f.syntax.Doc != nil {
			documented[f.pkg] = true
		}
	}
	var out []finding
	for _, f := range t.files {
		if !documented[f.pkg] && !f.generated {
			documented[f.pkg] = true // say it once
			out = append(out, finding{path.Join(f.pkg, "doc.go"), 1, "is missing or has no package comment; say what lives here, what does not, and who may import it"})
		}
	}
	return out
}

func length(t *tree) []finding {
	var out []finding
	for _, f := range t.files {
		if !f.generated && f.lines > maxLines {
			out = append(out, finding{f.name, f.lines, fmt.Sprintf("has %d lines; at most %d: ask what wants to leave", f.lines, maxLines)})
		}
	}
	return out
}

// noSkip finds calls of Skip, Skipf and SkipNow in tests: a peer that is
// missing must fail the test, with the command that mends it.
func noSkip(t *tree) []finding {
	var out []finding
	for _, f := range t.files {
		if !f.test {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				if x, ok := sel.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "f", "tb"}, x.Name) {
					out = append(out, finding{f.name, f.line(call.Pos()), "skips; a missing peer fails the test with the command that mends it"})
				}
			}
			return true
		})
	}
	return out
}

// machinePaths finds what belongs to the machine that a file was written on:
// home and work folders, and hosts of package registries.
func machinePaths(t *tree) []finding {
	// Put together from pieces, so that this file passes its own rule.
	dirs := strings.Join([]string{"root", "home", "work", "Users"}, "|")
	hosts := strings.Join([]string{`proxy\.golang` + `\.org`, `registry\.npmjs` + `\.org`, `deb\.debian` + `\.org`, `pypi` + `\.org`}, "|")
	pattern := regexp.MustCompile(`(?m)(?:^|[\s"'` + "`" + `=(:,])(/(?:` + dirs + `)/[\w.-]+)|(` + hosts + `)`)
	var out []finding
	for _, f := range t.texts {
		for _, at := range pattern.FindAllIndex(f.data, -1) {
			line := 1 + bytes.Count(f.data[:at[0]+1], []byte("\n"))
			found := strings.TrimLeft(string(f.data[at[0]:at[1]]), " \t\n\"'`=(:,")
			out = append(out, finding{f.name, line, fmt.Sprintf("names %s, which other machines do not have; use a relative path, a flag or the environment", found)})
		}
	}
	return out
}

func goMod(t *tree) []finding {
	pattern := regexp.MustCompile(`(?m)^.*github\.com/influxdata/influxdb\s`)
	var out []finding
	for _, f := range t.texts {
		if f.name != "go.mod" {
			continue
		}
		for _, at := range pattern.FindAllIndex(f.data, -1) {
			out = append(out, finding{f.name, 1 + bytes.Count(f.data[:at[0]], []byte("\n")), "requires InfluxDB's server; it is a program beside ours (make bin/influxd)"})
		}
	}
	return out
}
