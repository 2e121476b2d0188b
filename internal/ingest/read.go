package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

// Read reads all files and calls fn with the meter-days in batches, from one
// goroutine, in the order of the files. The days of long files come when they
// are complete, the incomplete ones last. fn may keep the days.
//
// Where a file cannot be parsed the error is a *textfile.Problems with
// everything found in any file, and fn has not been called at all, unless
// Options.SinkRollsBack is set.
func Read(ctx context.Context, opts Options, fn func(ctx context.Context, days []curve.Day) error) (*Report, error) {
	return run(ctx, opts, false, func(ctx context.Context, days []curve.Day, _ []curve.Features) error { return fn(ctx, days) })
}

// ReadFeatures is Read with the features of each day, computed where the days
// are parsed, on several cores.
func ReadFeatures(ctx context.Context, opts Options, fn func(ctx context.Context, days []curve.Day, features []curve.Features) error) (*Report, error) {
	return run(ctx, opts, true, fn)
}

// Into reads all files into store with their features, all or none where the
// store is curve.Transactional.
func Into(ctx context.Context, opts Options, store curve.Store) (*Report, error) {
	transactional, ok := store.(curve.Transactional)
	if !ok {
		return ReadFeatures(ctx, opts, store.PutDays)
	}
	opts.SinkRollsBack = true
	var report *Report
	err := transactional.Atomically(ctx, func(ctx context.Context, tx curve.Store) (err error) {
		report, err = ReadFeatures(ctx, opts, tx.PutDays)
		return err
	})
	return report, err // problems stand each on a line of its own: file:line: what; mend
}

// Check parses all files and passes nothing on.
func Check(ctx context.Context, opts Options) (*Report, error) {
	opts.SinkRollsBack = true
	return run(ctx, opts, false, func(context.Context, []curve.Day, []curve.Features) error { return nil })
}

type sink func(ctx context.Context, days []curve.Day, features []curve.Features) error

// reader is one call of Read.
type reader struct {
	Options
	maker    maker
	sink     sink
	report   *Report
	problems textfile.Problems
	inputs   []*input
	done     int64 // bytes of finished passes
	total    int64
	seen     seen
	known    map[string]bool // meters that were looked for in the registry
	long     *assembly
}

// input is one file with what its header says.
type input struct {
	path    string
	size    int64
	wide    *wideFormat
	long    *longFormat
	parquet bool
}

func run(ctx context.Context, opts Options, features bool, fn sink) (*Report, error) {
	if opts.Location == nil {
		opts.Location = time.UTC
	}
	if opts.Workers <= 0 {
		opts.Workers = 2
	}
	r := &reader{Options: opts, sink: fn, report: &Report{}, seen: newSeen(), known: map[string]bool{},
		maker: maker{network: opts.Network, features: features}}
	r.long = newAssembly(opts.Location)
	if len(opts.Files) == 0 {
		r.problems.Add("readings", 0, "no file is named", "name at least one file of readings")
	}
	for _, path := range opts.Files {
		r.open(path)
	}
	if err := r.problems.Err(); err != nil {
		return r.report, err
	}
	err := r.passes(ctx)
	r.report.Meters = len(r.seen.meters)
	r.report.finish()
	if err != nil {
		return r.report, err
	}
	return r.report, nil
}

// passes checks the files that must be checked first, then delivers.
func (r *reader) passes(ctx context.Context) error {
	checkFirst := func(in *input) bool { return in.wide == nil || !r.SinkRollsBack }
	for _, in := range r.inputs {
		r.total += in.size
		if checkFirst(in) {
			r.total += in.size
		}
	}
	for _, in := range r.inputs {
		if checkFirst(in) {
			if err := r.pass(ctx, in, false); err != nil {
				return err
			}
		}
	}
	if err := r.problems.Err(); err != nil {
		return err
	}
	for _, in := range r.inputs {
		if err := r.pass(ctx, in, true); err != nil {
			return err
		}
	}
	if err := r.problems.Err(); err != nil {
		return err
	}
	return r.deliver(ctx, r.long.rest(&r.maker))
}

// pass reads one file once. Problems of the file go to r.problems; the error
// is for what stops everything.
func (r *reader) pass(ctx context.Context, in *input, deliver bool) error {
	rows := 0
	take := func(ctx context.Context, consumed int64, b *batch) error {
		rows += b.rows
		r.problems.AddError(in.path, b.problems.Err())
		if r.problems.Len() >= enoughProblems {
			return errEnough
		}
		if err := r.take(ctx, in, b, deliver); err != nil {
			return err
		}
		r.progress(in.path, consumed)
		return nil
	}
	var err error
	if in.parquet {
		err = r.readParquet(ctx, in, take)
	} else {
		err = r.readCSV(ctx, in, take)
	}
	var problem textfile.Problem
	switch {
	case errors.Is(err, errEnough):
	case errors.As(err, &problem):
		r.problems.AddProblem(problem)
	case err != nil:
		return err
	}
	r.done += in.size
	if deliver {
		r.report.Files = append(r.report.Files, FileReport{File: in.path, Format: in.format(), Rows: rows})
	}
	return nil
}

// enoughProblems ends the reading of a file: its rows go on like that.
const enoughProblems = 200

var errEnough = errors.New("enough problems")

func (r *reader) take(ctx context.Context, in *input, b *batch, deliver bool) error {
	switch {
	case r.problems.Len() > 0:
		return nil // only further problems are of interest
	case in.wide != nil && deliver:
		return r.deliver(ctx, b)
	case in.wide != nil:
		return nil
	case !deliver:
		r.long.survey(in.path, b.long, &r.problems)
		return nil
	}
	return r.deliver(ctx, r.long.add(b.long, in.long.extras, &r.seen, &r.maker, r.report))
}

// deliver passes the days of b on that are new and not after Until.
func (r *reader) deliver(ctx context.Context, b *batch) error {
	r.report.FeatureTime += b.computed
	kept := 0
	for i := range b.days {
		d := &b.days[i]
		if r.Until != 0 && d.Date > r.Until {
			r.report.LeftOut++
			continue
		}
		if first, same := r.seen.day(d.MeterID, d.Date, fingerprint(d)); !first {
			r.report.Duplicates++
			r.report.Rules[curve.RuleDuplicate] += len(d.EnergyKWh)
			if !same {
				r.report.Conflicts++
			}
			continue
		}
		r.count(d, &b.counts[i], b.known[i])
		if kept != i {
			b.days[kept] = *d
			if r.maker.features {
				b.features[kept] = b.features[i]
			}
		}
		kept++
	}
	if kept == 0 {
		return nil
	}
	var features []curve.Features
	if r.maker.features {
		features = b.features[:kept]
	}
	if err := r.sink(ctx, b.days[:kept], features); err != nil {
		return fmt.Errorf("pass readings on: %w", err)
	}
	return nil
}

func (r *reader) count(d *curve.Day, counts *curve.Counts, known bool) {
	rep := r.report
	rep.Days++
	rep.Intervals += len(d.EnergyKWh)
	rep.Rules.Add(counts)
	if rep.Days == 1 || d.Date < rep.First {
		rep.First = d.Date
	}
	if rep.Days == 1 || d.Date > rep.Last {
		rep.Last = d.Date
	}
	if !known && !r.known[d.MeterID] {
		r.known[d.MeterID] = true
		rep.UnknownMeters++
		if len(rep.UnknownExample) < shownUnknown {
			rep.UnknownExample = append(rep.UnknownExample, d.MeterID)
		}
	}
}

func (r *reader) progress(file string, consumed int64) {
	if r.Progress != nil {
		r.Progress(Progress{File: file, Done: r.done + consumed, Total: r.total, Days: r.report.Days})
	}
}

func (in *input) format() string {
	switch {
	case in.parquet:
		return "Parquet"
	case in.wide != nil:
		return in.wide.name()
	}
	return "long CSV"
}

// open looks at the header of a file and adds it to the inputs.
func (r *reader) open(path string) {
	in := &input{path: path}
	if strings.EqualFold(filepath.Ext(path), ".parquet") {
		info, err := os.Stat(path)
		if err != nil {
			r.problems.Add(path, 0, err.Error(), "name a file that can be read")
			return
		}
		in.parquet, in.size = true, info.Size()
		in.long = &longFormat{file: path}
		r.inputs = append(r.inputs, in)
		return
	}
	src, err := textfile.Open(path)
	if err != nil {
		var problem textfile.Problem
		if !errors.As(err, &problem) {
			problem = textfile.Problem{File: path, What: err.Error(), Mend: "name a file that can be read"}
		}
		r.problems.AddProblem(problem)
		return
	}
	defer func() { _ = src.Close() }()
	in.size = src.Size
	lines := textfile.NewLines(path, src)
	if !lines.Next() {
		if err := lines.Err(); err != nil {
			r.problems.AddError(path, err)
		} else {
			r.problems.Add(path, 1, "the file is empty", "its first line names the columns: meter_id, date, p1 … or meter_id, start, kwh")
		}
		return
	}
	before := r.problems.Len()
	if looksWide(lines.Text()) {
		in.wide = newWideFormat(path, lines.Text(), &r.problems)
	} else {
		in.long = newLongFormat(path, lines.Text(), &r.problems)
	}
	if r.problems.Len() == before {
		r.inputs = append(r.inputs, in)
	}
}

// looksWide tells the two shapes of CSV apart by their header.
func looksWide(header []byte) bool {
	fields, err := textfile.SplitCSV(header, nil)
	if err != nil {
		return false
	}
	for _, f := range fields {
		if bytes.Equal(f, []byte("date")) || bytes.Equal(f, []byte("p1")) {
			return true
		}
	}
	return false
}

func (r *reader) readCSV(ctx context.Context, in *input, take func(context.Context, int64, *batch) error) error {
	src, err := textfile.Open(in.path)
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	defer func() { _ = src.Close() }()
	newParse := func() func(textfile.Block) *batch {
		if in.wide != nil {
			return in.wide.newParser(r.Location, r.maker).parse
		}
		return in.long.newParser().parse
	}
	return inOrder(ctx, in.path, io.Reader(src), r.Workers, newParse,
		func(ctx context.Context, block textfile.Block, b *batch) error { return take(ctx, block.Consumed, b) })
}
