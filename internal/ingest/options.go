package ingest

import (
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

// Options say what to read and how.
type Options struct {
	Files    []string
	Location *time.Location // the site's zone, in which days begin; nil is UTC
	Until    curve.Date     // later days are left out; 0 is no limit
	Network  *grid.Network  // the records, for what a supply can carry; may be nil
	Progress func(Progress) // called now and then from one goroutine; may be nil

	// SinkRollsBack says that what fn received is undone where Read returns an
	// error, as in a transaction. Wide files are read once then instead of
	// twice.
	SinkRollsBack bool

	// Workers is how many goroutines parse; 2 where it is 0.
	Workers int
}

// Progress says how far reading has come.
type Progress struct {
	File        string
	Done, Total int64 // bytes on disk, over all files and passes
	Days        int   // meter-days passed on
}

// Report says what was read.
type Report struct {
	Files      []FileReport
	Days       int // meter-days passed on
	Meters     int // distinct meters among them
	Intervals  int
	First      curve.Date // 0 where there is no day
	Last       curve.Date
	Rules      curve.Counts // intervals by validation rule
	LeftOut    int          // meter-days after Until
	Duplicates int          // meter-days delivered again; the first one counts
	Conflicts  int          // duplicates with other values than the first

	FeatureTime time.Duration // spent on features, about, added up over the workers

	UnknownMeters  int      // distinct meters that the registry does not have
	UnknownExample []string // a few of them
	Warnings       []string // sentences for people
}

// FileReport is what one file held.
type FileReport struct {
	File   string
	Format string // wide CSV with N intervals, long CSV, Parquet
	Rows   int    // without the header
}

const shownUnknown = 5

// finish writes the warnings.
func (r *Report) finish() {
	if r.UnknownMeters > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("meters that are not in the registry: %d, such as %s; add them to usage_points.csv or transformers.csv",
			r.UnknownMeters, quoteAll(r.UnknownExample)))
	}
	if r.Duplicates > 0 {
		w := fmt.Sprintf("meter-days delivered more than once: %d; the first of each counts", r.Duplicates)
		if r.Conflicts > 0 {
			w += fmt.Sprintf(" (%d came with other values)", r.Conflicts)
		}
		r.Warnings = append(r.Warnings, w)
	}
	if r.LeftOut > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("meter-days left out because they come after the last day asked for: %d", r.LeftOut))
	}
	if n := r.Rules[curve.RuleNoSuchHour]; n > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("values in columns of hours that their day does not have: %d; check the time zone", n))
	}
}

func quoteAll(ids []string) string {
	s := ""
	for i, id := range ids {
		if i > 0 {
			s += ", "
		}
		s += textfile.Quote(id)
	}
	return s
}
