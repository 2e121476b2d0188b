package sqlstore

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/curve/storetest"
	"github.com/gridwarden/gridwarden/internal/ingest"
)

// writeDistrict writes a wide file of households, 96 intervals a day.
func writeDistrict(tb testing.TB, path string, meters, days int) {
	tb.Helper()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	fmt.Fprint(w, "meter_id,date")
	for i := range 96 {
		fmt.Fprintf(w, ",p%d", i+1)
	}
	fmt.Fprintln(w)
	var buf []byte
	for m := range meters {
		size := math.Exp(rng.NormFloat64() * 0.6)
		for d := range days {
			buf = fmt.Appendf(buf[:0], "M%06d,%s", m, curve.Date(20400+d))
			for i := range 96 {
				shape := 0.06 + 0.05*math.Sin(float64(i)/96*2*math.Pi)
				if rng.IntN(12) == 0 {
					shape += 0.4
				}
				buf = fmt.Appendf(buf, ",%.3f", size*shape*(0.7+0.6*rng.Float64()))
			}
			fmt.Fprintln(w, string(buf))
		}
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkImport imports a district of 1,040 meters and 60 days with
// validation and features, and prints the rate and the bytes a point.
func BenchmarkImport(b *testing.B) {
	const meters, days = 1040, 60
	file := filepath.Join(b.TempDir(), "readings.csv")
	writeDistrict(b, file, meters, days)
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "grid.db")
		db, err := Open(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := ingest.Into(b.Context(), ingest.Options{Files: []string{file}}, db.Curves()); err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/(meters*days*96), "bytes/point")
	}
	b.ReportMetric(float64(meters*days*b.N)/b.Elapsed().Seconds(), "meter-days/s")
}

// BenchmarkReads reads 60 days of one meter, and one day's features of all.
func BenchmarkReads(b *testing.B) {
	const meters, days = 1040, 60
	file := filepath.Join(b.TempDir(), "readings.csv")
	writeDistrict(b, file, meters, days)
	for name, empty := range map[string]func(testing.TB) string{"SQLite": newSQLite, "PostgreSQL": newPostgres} {
		db := openAt(b, empty(b))
		if _, err := ingest.Into(b.Context(), ingest.Options{Files: []string{file}}, db.Curves()); err != nil {
			b.Fatal(err)
		}
		b.Run(name+", 60 days of one meter", func(b *testing.B) {
			for b.Loop() {
				if got, err := db.Curves().Days(b.Context(), "M000500", 20400, 20459); err != nil || len(got) != days {
					b.Fatal(len(got), err)
				}
			}
		})
		b.Run(name+", features of one day", func(b *testing.B) {
			for b.Loop() {
				n := 0
				err := db.Curves().Features(b.Context(), 20430, 20430, func(string, curve.Date, *curve.Features) error { n++; return nil })
				if err != nil || n != meters {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkCommit commits what a reader of 10,000 meters does every minute:
// an open day and a state of each.
func BenchmarkCommit(b *testing.B) {
	const meters = 10_000
	for name, empty := range map[string]func(testing.TB) string{"SQLite": newSQLite, "PostgreSQL": newPostgres} {
		db := openAt(b, empty(b))
		b.Run(name, func(b *testing.B) {
			c := curve.Commit{Reader: "curves.0", Features: make([]curve.Features, meters)}
			for m := range meters {
				d := storetest.Day(fmt.Sprint("M", m), 20000, m)
				d.Open = true
				c.Days = append(c.Days, d)
				c.States = append(c.States, curve.State{MeterID: d.MeterID, Data: make([]byte, 200)})
			}
			for b.Loop() {
				c.Position++
				for m := range c.Days {
					c.Days[m].EnergyKWh[c.Position%96] += 0.001
					c.States[m].Data[0]++
				}
				if err := db.Curves().Commit(b.Context(), &c); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(meters*b.N)/b.Elapsed().Seconds(), "meters/s")
		})
	}
}
