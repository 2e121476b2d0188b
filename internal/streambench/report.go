package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Bound says on which side of a limit a value must lie.
type Bound string

// The two sides.
const (
	AtLeast Bound = "at least"
	AtMost  Bound = "at most"
)

// Row is one measured value.
type Row struct {
	Name  string
	Value float64
	Unit  string
	Bound Bound   // "" where there is no limit
	Limit float64 // in Unit
}

// missed reports whether the value lies on the wrong side of its limit. What
// is no number misses every limit.
func (r *Row) missed() bool {
	switch r.Bound {
	case AtLeast:
		return !(r.Value >= r.Limit)
	case AtMost:
		return !(r.Value <= r.Limit)
	}
	return false
}

// Report takes what a case measures.
type Report struct {
	Dir   string // a folder for the case's files; kept between runs
	Small bool   // little data is wanted, as a quick check
	Rows  []Row
	Notes []string

	settings settings
	name     string
	about    string
	parts    map[string]Part
	failed   error
	began    time.Time
}

func newReport(s settings, c Case) *Report {
	return &Report{Dir: filepath.Join(s.dir, c.Name), Small: s.small, settings: s, name: c.Name, about: c.About, parts: c.Parts, began: time.Now()}
}

// Measure records a value, such as ("points/s", 120000, "1/s").
func (r *Report) Measure(name string, value float64, unit string) {
	if row := r.row(name); row != nil {
		row.Value, row.Unit = value, unit
	} else {
		r.Rows = append(r.Rows, Row{Name: name, Value: value, Unit: unit})
	}
	r.Log("%s: %s %s", name, figure(value), unit)
}

// Limit says on which side of limit the value must lie; the unit is that of
// the Measure of the same name.
func (r *Report) Limit(name string, value float64, bound Bound, limit float64) {
	row := r.row(name)
	if row == nil {
		r.Rows = append(r.Rows, Row{Name: name})
		row = &r.Rows[len(r.Rows)-1]
	}
	row.Value, row.Bound, row.Limit = value, bound, limit
}

// Note records a sentence that the numbers need.
func (r *Report) Note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// Log shows on standard error how the case goes on.
func (r *Report) Log(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "  %6.1f s  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

// Scale returns full, or small for a quick check.
func (r *Report) Scale(full, small int) int {
	if r.Small {
		return small
	}
	return full
}

func (r *Report) row(name string) *Row {
	for i := range r.Rows {
		if r.Rows[i].Name == name {
			return &r.Rows[i]
		}
	}
	return nil
}

// missed reports whether the case failed or missed a limit. With little data
// limits say nothing.
func (r *Report) missed() bool {
	if r.failed != nil {
		return true
	}
	for i := range r.Rows {
		if r.Rows[i].missed() && !r.Small {
			return true
		}
	}
	return false
}
