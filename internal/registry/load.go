package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

// Report says what was read.
type Report struct {
	Rows     map[string]int // by file name, without the header
	Warnings []string       // "file:line: what; mend", at most maxWarnings and a count
	warned   int
}

const maxWarnings = 50

func (r *Report) warn(p textfile.Problem) {
	r.warned++
	switch {
	case r.warned <= maxWarnings:
		r.Warnings = append(r.Warnings, p.String())
	case r.warned == maxWarnings+1:
		r.Warnings = append(r.Warnings, "… and more")
	}
}

// WarningCount returns how many warnings there were, shown or not.
func (r *Report) WarningCount() int { return r.warned }

// Option adjusts LoadDir.
type Option func(*loader)

// WithTariffs names the known tariffs; a customer's tariff_id that is not
// among them is a warning. Without it tariff_ids are not checked.
func WithTariffs(ids []string) Option {
	return func(l *loader) {
		l.tariffs = make(map[string]bool, len(ids))
		for _, id := range ids {
			l.tariffs[id] = true
		}
	}
}

// WithLocation sets the zone in which dates without a time begin; UTC by default.
func WithLocation(loc *time.Location) Option {
	return func(l *loader) {
		if loc != nil {
			l.location = loc
		}
	}
}

// LoadDir reads the registry files of dir: transformers.csv, customers.csv
// and usage_points.csv, and where they are there watchlist.csv,
// ip_assignments.csv, weather.csv, calendar.csv, unmetered.csv and
// meter_events.csv, each also with the ending .gz or .zst. uses matches declared uses and may be nil (then
// every use is "other"). The error is a *textfile.Problems that lists
// everything that is wrong; the network is nil then.
func LoadDir(dir string, uses *Uses, opts ...Option) (*grid.Network, *Report, error) {
	l := newLoader(dir, uses, opts)
	for _, t := range l.tables() {
		l.partial[t.name] = !l.read(t)
	}
	return l.finish()
}

func newLoader(dir string, uses *Uses, opts []Option) *loader {
	l := &loader{dir: dir, uses: uses, location: time.UTC, report: &Report{Rows: map[string]int{}}, partial: map[string]bool{}}
	for _, opt := range opts {
		opt(l)
	}
	return l
}

// finish looks at what was read as a whole.
func (l *loader) finish() (*grid.Network, *Report, error) {
	l.checkReferences()
	if err := l.problems.Err(); err != nil {
		return nil, l.report, err
	}
	return grid.NewNetwork(l.records), l.report, nil
}

// loader gathers the records of one folder and what is wrong with them.
type loader struct {
	dir      string
	uses     *Uses
	tariffs  map[string]bool
	location *time.Location

	records  grid.Records
	problems textfile.Problems
	report   *Report
	places   places
	partial  map[string]bool // files of which rows could not be read
}

// place is where a record was written, for problems found later.
type place struct {
	file string
	line int
}

// places are aligned with the slices of records.
type places struct {
	transformers, customers, usagePoints, assignments, unmetered, calendar, events []place
}

// table is one file: its columns and what makes a record of a row.
type table struct {
	name     string
	required bool
	columns  textfile.Columns
	row      func(*row)
}

func (l *loader) tables() []table {
	return []table{
		{"transformers.csv", true, transformerColumns, l.transformer},
		{"customers.csv", true, customerColumns, l.customer},
		{"usage_points.csv", true, usagePointColumns, l.usagePoint},
		{"watchlist.csv", false, watchlistColumns, l.watchlistEntry},
		{"ip_assignments.csv", false, assignmentColumns, l.ipAssignment},
		{"weather.csv", false, weatherColumns, l.weatherPoint},
		{"calendar.csv", false, calendarColumns, l.calendarDay},
		{"unmetered.csv", false, unmeteredColumns, l.unmeteredLoad},
		{"meter_events.csv", false, eventColumns, l.meterEvent},
	}
}

// find returns the path of the table's file, "" where there is none.
func (l *loader) find(name string) string {
	for _, ending := range []string{"", ".gz", ".zst"} {
		path := filepath.Join(l.dir, name+ending)
		if _, err := os.Stat(path); err == nil {
			return path
		} else if !errors.Is(err, fs.ErrNotExist) {
			return path // opening it will say what is wrong
		}
	}
	return ""
}

// read reads one table; it reports whether every row came through.
func (l *loader) read(t table) bool {
	path := l.find(t.name)
	if path == "" {
		if t.required {
			l.problems.Add(filepath.Join(l.dir, t.name), 0, "is not there", "a registry folder holds transformers.csv, customers.csv and usage_points.csv")
		}
		return !t.required
	}
	src, err := textfile.Open(path)
	if err != nil {
		l.problems.AddError(path, err)
		return false
	}
	defer func() { _ = src.Close() }()
	lines := textfile.NewLines(path, src)
	whole := l.readLines(t, path, lines)
	if err := lines.Err(); err != nil {
		l.problems.AddError(path, err)
		return false
	}
	return whole
}

func (l *loader) readLines(t table, path string, lines *textfile.Lines) bool {
	if !lines.Next() {
		if lines.Err() == nil {
			l.problems.Add(path, 1, "the file is empty", "its first line names the columns")
		}
		return false
	}
	header := textfile.ParseHeader(path, lines.Text(), t.columns, &l.problems)
	if header == nil {
		return false
	}
	r := &row{loader: l, file: path, header: header}
	whole := true
	for lines.Next() {
		if len(lines.Text()) == 0 {
			continue
		}
		r.line = lines.Number()
		fields, err := textfile.SplitCSV(lines.Text(), r.fields[:0])
		if err != nil {
			l.problems.Add(path, r.line, err.Error(), "")
			whole = false
			continue
		}
		r.fields = fields
		if len(fields) != header.Width {
			l.problems.Add(path, r.line, fmt.Sprintf("has %d fields, the header has %d", len(fields), header.Width),
				"give every column a field; quote texts that hold a comma")
			whole = false
			continue
		}
		t.row(r)
		l.report.Rows[t.name]++
	}
	if t.required && whole && l.report.Rows[t.name] == 0 {
		l.report.warn(textfile.Problem{File: path, What: "holds no record", Mend: "export it again if there should be some"})
	}
	return whole
}
