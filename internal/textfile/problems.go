package textfile

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is one thing wrong in a file, with what would mend it.
type Problem struct {
	File string `json:"file"`
	Line int    `json:"line"` // 1 is the first line; 0 where the file as a whole is meant
	What string `json:"what"`
	Mend string `json:"mend"`
}

// String returns "file:line: what; mend".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	b.WriteString(p.What)
	if p.Mend != "" {
		b.WriteString("; ")
		b.WriteString(p.Mend)
	}
	return b.String()
}

// Error makes a Problem usable as an error.
func (p Problem) Error() string { return p.String() }

// How many problems are kept and how many an error message shows. The rest
// are counted: a file with a million bad rows has one cause, not a million.
const (
	keptProblems  = 1000
	shownProblems = 20
)

// Problems collects problems. The zero value is ready for use.
type Problems struct {
	list  []Problem
	total int
}

// Add records a problem.
func (p *Problems) Add(file string, line int, what, mend string) {
	p.AddProblem(Problem{File: file, Line: line, What: what, Mend: mend})
}

// AddProblem records a problem that is there already.
func (p *Problems) AddProblem(problem Problem) {
	p.total++
	if len(p.list) < keptProblems {
		p.list = append(p.list, problem)
	}
}

// AddError records err: its problems where it carries any, else the error itself.
func (p *Problems) AddError(file string, err error) {
	var several *Problems
	var one Problem
	switch {
	case err == nil:
	case errors.As(err, &several):
		p.total += several.total - len(several.list)
		for _, problem := range several.list {
			p.AddProblem(problem)
		}
	case errors.As(err, &one):
		p.AddProblem(one)
	default:
		p.Add(file, 0, err.Error(), "")
	}
}

// Len returns how many problems there were.
func (p *Problems) Len() int { return p.total }

// List returns the kept problems, the first ones of all.
func (p *Problems) List() []Problem { return p.list }

// Err returns p as an error, nil where there is no problem.
func (p *Problems) Err() error {
	if p.total == 0 {
		return nil
	}
	return p
}

// Error lists the first problems, a line each, and counts the rest.
func (p *Problems) Error() string {
	var b strings.Builder
	for i, problem := range p.list {
		if i == shownProblems {
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(problem.String())
	}
	if more := p.total - shownProblems; more > 0 {
		fmt.Fprintf(&b, "\n… and %d more", more)
	}
	return b.String()
}
