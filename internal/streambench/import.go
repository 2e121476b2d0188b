package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/ingest"
	"github.com/gridwarden/gridwarden/internal/sqlstore"
	"github.com/gridwarden/gridwarden/internal/sqlstore/pgtest"
)

// What importing and reading back must reach.
const (
	parsedRate      = 400_000 // meter-days/s
	storedRate      = 120_000 // meter-days/s
	meterReadMS     = 2       // 60 days of one meter
	featuresSeconds = 1       // of a million meters, one day
	bytesPerPoint   = 3       // with features, numbers of meters and all else
)

// importCase imports a million meter-days from wide CSV.
func importCase() Case {
	return Case{
		Name: "import", About: "Import 1,000,000 meter-days of 96 points from wide CSV into SQLite and PostgreSQL; read them back",
		Run: importRun,
		Parts: map[string]Part{
			"parse":    importParse,
			"sqlite":   importSQLite,
			"postgres": importPostgres,
		},
	}
}

// importFiles are the two shapes of a million meter-days: many days of some
// meters, as a history comes, and one day of many, as every night brings it.
func importFiles(r *Report) (history, night wideFile) {
	return wideFile{meters: r.Scale(16_667, 500), days: 60, points: 96}, wideFile{meters: r.Scale(1_000_000, 20_000), days: 1, points: 96}
}

func importRun(ctx context.Context, r *Report) error {
	history, night := importFiles(r)
	r.Log("generating the files, unless they are there")
	historyPath, err := history.make(ctx, r.Dir)
	if err != nil {
		return err
	}
	nightPath, err := night.make(ctx, r.Dir)
	if err != nil {
		return err
	}
	for _, part := range []string{"parse", "sqlite", "postgres"} {
		_, usage, err := r.Part(ctx, part, historyPath, nightPath)
		if err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
		r.Measure(part+": peak memory", usage.PeakMiB, "MiB")
		r.Measure(part+": processor time", usage.CPU.Seconds(), "s")
	}
	for _, limit := range []struct {
		row   string
		bound Bound
		limit float64
	}{
		{"parsed", AtLeast, parsedRate},
		{"SQLite: stored", AtLeast, storedRate}, {"PostgreSQL: stored", AtLeast, storedRate},
		{"SQLite: 60 days of one meter", AtMost, meterReadMS}, {"PostgreSQL: 60 days of one meter", AtMost, meterReadMS},
		{"SQLite: a point", AtMost, bytesPerPoint}, {"PostgreSQL: a point", AtMost, bytesPerPoint},
		{"SQLite: features of one day", AtMost, featuresSeconds}, {"PostgreSQL: features of one day", AtMost, featuresSeconds},
	} {
		row := r.row(limit.row)
		if row == nil {
			return fmt.Errorf("nothing was measured for %q", limit.row)
		}
		r.Limit(limit.row, row.Value, limit.bound, limit.limit)
	}
	return nil
}

func importParse(ctx context.Context, r *Report, args []string) error {
	began := time.Now()
	report, err := ingest.Check(ctx, ingest.Options{Files: args[:1]})
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	r.Measure("parsed", float64(report.Days)/time.Since(began).Seconds(), "meter-days/s")
	return nil
}

func importSQLite(ctx context.Context, r *Report, args []string) (err error) {
	dir, err := os.MkdirTemp(r.Dir, "sqlite-*")
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return importInto(ctx, r, "SQLite", args, func(name string) (string, error) { return filepath.Join(dir, name+".db"), nil })
}

func importPostgres(ctx context.Context, r *Report, args []string) (err error) {
	cluster, err := pgtest.Start(ctx)
	if err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	return importInto(ctx, r, "PostgreSQL", args, func(string) (string, error) { return cluster.Database(ctx) })
}

// importInto imports the two files into a database each, where place says
// where it is, and reads back.
func importInto(ctx context.Context, r *Report, engine string, files []string, place func(name string) (string, error)) error {
	history, night := importFiles(r)
	err := withDatabase(ctx, place, "history", func(db *sqlstore.DB) error {
		if err := store(ctx, r, engine+": stored", db, files[0], history); err != nil {
			return err
		}
		size, err := db.Size(ctx)
		if err != nil {
			return fmt.Errorf("database: %w", err)
		}
		r.Measure(engine+": a point", float64(size)/float64(history.meters*history.days*history.points), "bytes")
		return readMeters(ctx, r, engine+": 60 days of one meter", db.Curves(), history)
	})
	if err != nil {
		return err
	}
	return withDatabase(ctx, place, "night", func(db *sqlstore.DB) error {
		if err := store(ctx, r, engine+": stored, one day of many meters", db, files[1], night); err != nil {
			return err
		}
		return sweepFeatures(ctx, r, engine+": features of one day", db.Curves(), night)
	})
}

func withDatabase(ctx context.Context, place func(string) (string, error), name string, do func(*sqlstore.DB) error) (err error) {
	where, err := place(name)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	db, err := sqlstore.Open(ctx, where)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(db)
}

func store(ctx context.Context, r *Report, row string, db *sqlstore.DB, path string, file wideFile) error {
	began := time.Now()
	report, err := ingest.Into(ctx, ingest.Options{Files: []string{path}}, db.Curves())
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if report.Days != file.meters*file.days {
		return fmt.Errorf("%d meter-days were imported, the file has %d", report.Days, file.meters*file.days)
	}
	r.Measure(row, float64(report.Days)/time.Since(began).Seconds(), "meter-days/s")
	return nil
}

// readMeters reads the curves of some meters and reports the median time.
func readMeters(ctx context.Context, r *Report, row string, curves curve.Store, file wideFile) error {
	const reads = 200
	took := make([]time.Duration, 0, reads)
	for i := range reads {
		began := time.Now()
		days, err := curves.Days(ctx, meterName(i*7919%file.meters), firstDay(), firstDay()+curve.Date(file.days)-1)
		if err != nil {
			return fmt.Errorf("read of one meter: %w", err)
		}
		if len(days) != file.days {
			return fmt.Errorf("read of one meter: %d days, %d were stored", len(days), file.days)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	r.Measure(row, float64(took[reads/2].Microseconds())/1000, "ms")
	return nil
}

// sweepFeatures reads all features of one day, three times, and reports the
// quickest.
func sweepFeatures(ctx context.Context, r *Report, row string, curves curve.Store, file wideFile) error {
	best := 0.0
	for i := range 3 {
		began, count := time.Now(), 0
		err := curves.Features(ctx, firstDay(), firstDay(), func(string, curve.Date, *curve.Features) error { count++; return nil })
		if err != nil {
			return fmt.Errorf("features of one day: %w", err)
		}
		if count != file.meters {
			return fmt.Errorf("features of one day: %d meters, %d were stored", count, file.meters)
		}
		if took := time.Since(began).Seconds(); i == 0 || took < best {
			best = took
		}
	}
	r.Measure(row, best, "s")
	return nil
}
