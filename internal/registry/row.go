package registry

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

// row is the current line of a file with typed access to its fields. Every
// problem is recorded at the row's place; the accessors then return zero.
type row struct {
	loader *loader
	file   string
	line   int
	header *textfile.Header
	fields [][]byte
}

func (r *row) place() place { return place{r.file, r.line} }

func (r *row) problem(what, mend string) { r.loader.problems.Add(r.file, r.line, what, mend) }

func (r *row) warn(what, mend string) {
	r.loader.report.warn(textfile.Problem{File: r.file, Line: r.line, What: what, Mend: mend})
}

// text returns the field of the named column, "" where the file has no such column.
func (r *row) text(column string) string {
	if i := r.header.At(column); i >= 0 {
		return string(r.fields[i])
	}
	return ""
}

// longestID bounds ids; longer ones are a sign of shifted columns.
const longestID = 128

// id returns a field that must not be empty.
func (r *row) id(column string) string {
	s := r.text(column)
	switch {
	case s == "":
		r.problem(column+" is empty", "give every row its "+column)
	case len(s) > longestID:
		r.problem(fmt.Sprintf("%s is longer than %d bytes", column, longestID), "give the id alone")
		return ""
	}
	return s
}

// number returns a number from low to high, 0 where the field is empty.
func (r *row) number(column string, low, high float64, unit string) float64 {
	s := r.text(column)
	if s == "" {
		return 0
	}
	v, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || math.IsNaN(v) || math.IsInf(v, 0) || strings.ContainsAny(s, "xX_"):
		mend := "write it as 12.5, with a point and without a unit"
		r.problem(fmt.Sprintf("%s %s is not a number", column, textfile.Quote(s)), mend)
		return 0
	case v < low || v > high:
		r.problem(fmt.Sprintf("%s %s cannot be", column, s), strings.TrimSpace(fmt.Sprintf("it lies between %v and %v %s", low, high, unit)))
		return 0
	}
	return v
}

// positive returns a number above zero that must be there.
func (r *row) positive(column string, high float64, unit string) float64 {
	if r.text(column) == "" {
		r.problem(column+" is empty", strings.TrimSpace("give a number above 0 "+unit))
		return 0
	}
	before := r.loader.problems.Len()
	v := r.number(column, 0, high, unit)
	if v == 0 && r.loader.problems.Len() == before {
		r.problem(column+" is 0", "it lies above 0")
	}
	return v
}

// ratio returns a transformer ratio or multiplier: above 0, or 0 where the field is empty.
func (r *row) ratio(column string) float64 {
	if r.text(column) == "" {
		return 0
	}
	return r.positive(column, 1e6, "")
}

// code returns a field that must be one of the known codes; empty is allowed
// where optional.
func (r *row) code(column string, optional bool, known ...string) string {
	s := r.text(column)
	if s == "" && optional {
		return ""
	}
	for _, k := range known {
		if s == k {
			return s
		}
	}
	mend := "it is one of " + strings.Join(known, ", ")
	if near := textfile.Nearest(s, known); near != "" && s != "" {
		mend = fmt.Sprintf("did you mean %s? (one of %s)", near, strings.Join(known, ", "))
	}
	r.problem(fmt.Sprintf("%s %s is not known", column, textfile.Quote(s)), mend)
	return ""
}

// boolean returns true or false; empty is false.
func (r *row) boolean(column string) bool {
	switch s := r.text(column); s {
	case "true":
		return true
	case "false", "":
	default:
		r.problem(fmt.Sprintf("%s %s is neither true nor false", column, textfile.Quote(s)), "write true or false")
	}
	return false
}

// Times outside these years are typing errors.
const (
	firstYear = 1900
	lastYear  = 2200
)

// time returns a moment, given as RFC 3339 or as a date, which begins in the
// site's zone; zero where the field is empty.
func (r *row) time(column string, required bool) time.Time {
	s := r.text(column)
	if s == "" {
		if required {
			r.problem(column+" is empty", "write it as 2026-01-31 or 2026-01-31T08:00:00+03:30")
		}
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		date, dateErr := curve.ParseDate(s)
		if dateErr != nil {
			r.problem(fmt.Sprintf("%s %s is not a date or time", column, textfile.Quote(s)), "write it as 2026-01-31 or 2026-01-31T08:00:00+03:30")
			return time.Time{}
		}
		t = date.Start(r.loader.location)
	}
	if t.Year() < firstYear || t.Year() > lastYear {
		r.problem(fmt.Sprintf("%s %s cannot be", column, s), fmt.Sprintf("it lies between the years %d and %d", firstYear, lastYear))
		return time.Time{}
	}
	return t.UTC()
}

// span returns two times of which the second must not come before the first;
// the second is exclusive where strict.
func (r *row) span(from, to string, required, strict bool) (start, end time.Time) {
	start, end = r.time(from, required), r.time(to, false)
	if !start.IsZero() && !end.IsZero() && (end.Before(start) || strict && end.Equal(start)) {
		r.problem(fmt.Sprintf("%s %s does not come after %s %s", to, r.text(to), from, r.text(from)), "swap or correct them")
	}
	return start, end
}

// ip returns an address in its canonical form.
func (r *row) ip(column string) string {
	s := r.id(column)
	if s == "" {
		return ""
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		r.problem(fmt.Sprintf("%s %s is not an IP address", column, textfile.Quote(s)), "write it as 192.0.2.7 or 2001:db8::7, without a port or mask")
		return ""
	}
	return addr.Unmap().WithZone("").String()
}
