package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

// Read reads all files and calls fn with the meter-days in batches, from one
// goroutine, in the order of the files. The days of long files come when their
// last row was read. fn may keep the days.
//
// Where a file cannot be parsed the error is a *textfile.Problems with
// everything found in any file, and fn has not been called at all, unless
// Options.SinkRollsBack is set.
func Read(ctx context.Context, opts Options, fn func(ctx context.Context, days []curve.Day) error) (*Report, error) {
	return run(ctx, opts, yieldDays, func(ctx context.Context, b *batch) error { return fn(ctx, b.days) })
}

// ReadFeatures is Read with the features of each day, computed where the days
// are parsed, on several cores.
func ReadFeatures(ctx context.Context, opts Options, fn func(ctx context.Context, days []curve.Day, features []curve.Features) error) (*Report, error) {
	return run(ctx, opts, yieldFeatures, func(ctx context.Context, b *batch) error { return fn(ctx, b.days, b.features) })
}

// ReadEncoded is ReadFeatures with the days in their stored form, made where
// they are parsed; store does not keep them. Origins name the file.
func ReadEncoded(ctx context.Context, opts Options, store curve.EncodedStore) (*Report, error) {
	return run(ctx, opts, yieldEncoded, func(ctx context.Context, b *batch) error { return store.PutEncoded(ctx, b.origin, b.encoded) })
}

// Into reads all files into store with their features, all or none where the
// store is curve.Transactional.
func Into(ctx context.Context, opts Options, store curve.Store) (*Report, error) {
	put := func(ctx context.Context, opts Options, store curve.Store) (*Report, error) {
		if encoded, ok := store.(curve.EncodedStore); ok {
			return ReadEncoded(ctx, opts, encoded)
		}
		return ReadFeatures(ctx, opts, store.PutDays)
	}
	transactional, ok := store.(curve.Transactional)
	if !ok {
		return put(ctx, opts, store)
	}
	opts.SinkRollsBack = true
	var report *Report
	err := transactional.Atomically(ctx, func(ctx context.Context, tx curve.Store) (err error) {
		report, err = put(ctx, opts, tx)
		return err
	})
	return report, err // problems stand each on a line of its own: file:line: what; mend
}

// Check parses all files and passes nothing on.
func Check(ctx context.Context, opts Options) (*Report, error) {
	opts.SinkRollsBack = true
	return run(ctx, opts, yieldNothing, func(context.Context, *batch) error { return nil })
}

// sink takes the days of a batch, which is not empty.
type sink func(ctx context.Context, b *batch) error

// reader is one call of Read.
type reader struct {
	Options
	yield    yield
	sink     sink
	report   *Report
	problems textfile.Problems
	inputs   []*input
	done     int64 // bytes of finished passes
	total    int64
	meters   *meters
	seen     seen
	unknown  map[int32]bool // meters that the registry does not have
	long     *assembly
	batch    batch // of what long gives
}

func run(ctx context.Context, opts Options, yield yield, fn sink) (*Report, error) {
	if opts.Location == nil {
		opts.Location = time.UTC
	}
	if opts.Workers <= 0 {
		opts.Workers = max(2, runtime.GOMAXPROCS(0))
	}
	r := &reader{Options: opts, yield: yield, sink: fn, report: &Report{}, seen: newSeen(), unknown: map[int32]bool{}, meters: newMeters(opts.Network)}
	r.long = newAssembly(opts.Location, r.maker(""))
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
	r.report.Meters = r.seen.meters
	r.report.finish()
	if err != nil {
		return r.report, err
	}
	return r.report, nil
}

// maker returns a new maker for the days of a file.
func (r *reader) maker(path string) maker {
	return maker{meterView: r.meters.view(), yield: r.yield, origin: originOf(path)}
}

func originOf(path string) curve.Origin {
	return curve.Origin{Rule: curve.OriginImported, Reason: filepath.Base(path)}
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
	r.batch.reset()
	r.long.rest(&r.batch)
	return r.deliver(ctx, &r.batch)
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
	r.batch.reset()
	r.long.add(&r.batch, b.long, in, &r.seen, r.report)
	return r.deliver(ctx, &r.batch)
}

// deliver passes the days of b on that are new and not after Until.
func (r *reader) deliver(ctx context.Context, b *batch) error {
	r.report.FeatureTime += b.computed
	kept := 0
	for i := range b.made {
		d := &b.made[i]
		if r.Until != 0 && d.date > r.Until {
			r.report.LeftOut++
			continue
		}
		if first, same := r.seen.day(d.meter, d.date, d.mark); !first {
			r.report.Duplicates++
			r.report.Rules[curve.RuleDuplicate] += int(d.intervals)
			if !same {
				r.report.Conflicts++
			}
			continue
		}
		r.count(b, d)
		if kept != i {
			b.move(kept, i)
		}
		kept++
	}
	if kept == 0 {
		return nil
	}
	b.cut(kept)
	if err := r.sink(ctx, b); err != nil {
		return fmt.Errorf("pass readings on: %w", err)
	}
	return nil
}

func (r *reader) count(b *batch, d *made) {
	rep := r.report
	rep.Days++
	rep.Intervals += int(d.intervals)
	if d.counts >= 0 {
		rep.Rules.Add(&b.counts[d.counts])
	}
	if rep.Days == 1 || d.date < rep.First {
		rep.First = d.date
	}
	if rep.Days == 1 || d.date > rep.Last {
		rep.Last = d.date
	}
	if !d.known && !r.unknown[d.meter] {
		r.unknown[d.meter] = true
		rep.UnknownMeters++
		if len(rep.UnknownExample) < shownUnknown {
			rep.UnknownExample = append(rep.UnknownExample, r.long.at(d.meter).id)
		}
	}
}

func (r *reader) progress(file string, consumed int64) {
	if r.Progress != nil {
		r.Progress(Progress{File: file, Done: r.done + consumed, Total: r.total, Days: r.report.Days})
	}
}

func (r *reader) readCSV(ctx context.Context, in *input, take func(context.Context, int64, *batch) error) error {
	src, err := textfile.Open(in.path)
	if err != nil {
		return fmt.Errorf("%w", err)
	}
	defer func() { _ = src.Close() }()
	newParse := func() func(textfile.Block, *batch) {
		if in.wide != nil {
			return in.wide.newParser(r.Location, r.maker(in.path)).parse
		}
		return in.long.newParser(r.meters.view()).parse
	}
	return inOrder(ctx, in.path, io.Reader(src), r.Workers, newParse,
		func(ctx context.Context, block textfile.Block, b *batch) error { return take(ctx, block.Consumed, b) })
}
