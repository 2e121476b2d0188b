package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// report is what a run has to say, in order.
type report struct {
	sections []section
	limits   []limit
}

// section is a heading with tables and words.
type section struct {
	title  string
	blocks []block
}

// block is a paragraph, or a table where it has a head.
type block struct {
	text string
	head []string
	rows [][]string
}

func (r *report) section(title string) *section {
	r.sections = append(r.sections, section{title: title})
	return &r.sections[len(r.sections)-1]
}

func (s *section) say(format string, args ...any) {
	s.blocks = append(s.blocks, block{text: fmt.Sprintf(format, args...)})
}

func (s *section) table(head []string, rows [][]string) {
	s.blocks = append(s.blocks, block{head: head, rows: rows})
}

// text renders the report for a terminal.
func (r *report) text() string {
	var b strings.Builder
	for i := range r.sections {
		s := &r.sections[i]
		fmt.Fprintf(&b, "\n%s\n%s\n", s.title, strings.Repeat("=", utf8.RuneCountInString(s.title)))
		for k := range s.blocks {
			if x := &s.blocks[k]; x.head == nil {
				b.WriteString(x.text + "\n")
			} else {
				x.columns(&b)
			}
		}
	}
	return b.String()
}

// columns renders a table: the first column to the left, the others to the right
// where they hold numbers.
func (x *block) columns(b *strings.Builder) {
	widths := make([]int, len(x.head))
	numeric := make([]bool, len(x.head))
	for c, h := range x.head {
		widths[c], numeric[c] = utf8.RuneCountInString(h), c > 0
		for _, row := range x.rows {
			widths[c] = max(widths[c], utf8.RuneCountInString(row[c]))
			numeric[c] = numeric[c] && (row[c] == "" || strings.ContainsAny(row[c][:1], "0123456789–-+.[") || row[c] == "met" || row[c] == "not met")
		}
	}
	line := func(cells []string) {
		var row strings.Builder
		for c, cell := range cells {
			pad := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell))
			if numeric[c] {
				row.WriteString(pad + cell)
			} else {
				row.WriteString(cell + pad)
			}
			row.WriteString("  ")
		}
		b.WriteString("  " + strings.TrimRight(row.String(), " ") + "\n")
	}
	line(x.head)
	for _, row := range x.rows {
		line(row)
	}
}

// markdown renders the report for RESULTS.md.
func (r *report) markdown() string {
	var b strings.Builder
	for i := range r.sections {
		s := &r.sections[i]
		fmt.Fprintf(&b, "\n## %s\n", s.title)
		for k := range s.blocks {
			x := &s.blocks[k]
			b.WriteString("\n")
			if x.head == nil {
				b.WriteString(x.text + "\n")
				continue
			}
			b.WriteString("| " + strings.Join(x.head, " | ") + " |\n|" + strings.Repeat("---|", len(x.head)) + "\n")
			for _, row := range x.rows {
				b.WriteString("| " + strings.Join(row, " | ") + " |\n")
			}
		}
	}
	return b.String()
}
