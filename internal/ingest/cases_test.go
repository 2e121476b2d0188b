package ingest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/textfile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

var update = flag.Bool("update", false, "rewrite the expected files of the cases")

// records are what the cases' meters are: a small house, a workshop and a
// transformer's own meter.
func records() *grid.Network {
	return grid.NewNetwork(grid.Records{
		Transformers: []grid.PowerTransformer{{ID: "T1", RatedKVA: 100, MeterID: "MT1"}},
		Customers:    []grid.Customer{{ID: "C1", ContractedKVA: 5}, {ID: "C2", ContractedKVA: 50}},
		UsagePoints: []grid.UsagePoint{
			{ID: "U1", MeterID: "M1", CustomerID: "C1", TransformerID: "T1"},
			{ID: "U2", MeterID: "M2", CustomerID: "C2", TransformerID: "T1"},
		},
	})
}

// TestCases reads all input files of each folder of testdata/cases and
// compares the days and the report with expected.out, or the error with
// expected.err. A file named tz holds the zone, one named until the last day.
func TestCases(t *testing.T) {
	folders, err := filepath.Glob("testdata/cases/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			opts := Options{Network: records(), Location: time.UTC}
			if tz, err := os.ReadFile(filepath.Join(dir, "tz")); err == nil {
				if opts.Location, err = time.LoadLocation(strings.TrimSpace(string(tz))); err != nil {
					t.Fatal(err)
				}
			}
			if until, err := os.ReadFile(filepath.Join(dir, "until")); err == nil {
				if opts.Until, err = curve.ParseDate(strings.TrimSpace(string(until))); err != nil {
					t.Fatal(err)
				}
			}
			opts.Files, _ = filepath.Glob(filepath.Join(dir, "*.csv*"))
			var out strings.Builder
			calls := 0
			report, err := Read(t.Context(), opts, func(_ context.Context, days []curve.Day) error {
				calls++
				for i := range days {
					writeDay(&out, &days[i])
				}
				return nil
			})
			if err != nil {
				var problems *textfile.Problems
				if !errors.As(err, &problems) {
					t.Errorf("error of type %T", err)
				}
				if calls > 0 {
					t.Error("days were passed on before the error was found")
				}
				expect(t, dir, "expected.err", strings.ReplaceAll(err.Error(), dir+"/", ""))
				return
			}
			for _, f := range report.Files {
				fmt.Fprintf(&out, "%s: %s, %d rows\n", filepath.Base(f.File), f.Format, f.Rows)
			}
			fmt.Fprintf(&out, "%d days of %d meters, %s to %s, %d intervals; %s\n", report.Days, report.Meters, report.First, report.Last, report.Intervals, report.Rules.String())
			for _, w := range report.Warnings {
				fmt.Fprintf(&out, "warning: %s\n", w)
			}
			expect(t, dir, "expected.out", out.String())
		})
	}
}

// writeDay writes a day with runs of equal intervals folded.
func writeDay(b *strings.Builder, d *curve.Day) {
	fmt.Fprintf(b, "%s %s from %s every %v:", d.MeterID, d.Date, d.Start.Format(time.RFC3339), d.Interval)
	text := func(i int) string {
		s := fmt.Sprint(d.EnergyKWh[i])
		if d.Quality[i] != meter.Good {
			s += " " + d.Quality[i].String()
		}
		if d.Flags != nil && d.Flags[i] != 0 {
			s += " " + d.Flags[i].String()
		}
		return s
	}
	for i := 0; i < d.Intervals(); {
		end := i + 1
		for end < d.Intervals() && text(end) == text(i) {
			end++
		}
		fmt.Fprintf(b, " %d×[%s]", end-i, text(i))
		i = end
	}
	for _, q := range meter.Quantities() {
		if column := d.Other[q]; column != nil {
			fmt.Fprintf(b, " %s %v", q, column)
		}
	}
	b.WriteByte('\n')
}

func expect(t *testing.T, dir, name, got string) {
	t.Helper()
	path := filepath.Join(dir, name)
	got = strings.TrimRight(got, "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the case has no %s, but this came of it:\n%s", name, got)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestALineOfTwoGigabytesIsRefusedWithoutReadingIt(t *testing.T) {
	for name, header := range map[string]string{"wide.csv": wideText(24, nil, nil), "long.csv": "meter_id,start,kwh\n"} {
		path := write(t, name, header)
		if err := os.Truncate(path, 2<<30); err != nil { // sparse
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := read(t, Options{Files: []string{path}})
		runtime.ReadMemStats(&after)
		want := path + ":2: line is longer than 1048576 bytes; give one record a line, ended by a newline"
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
			t.Errorf("refusing the line took %d MiB", used>>20)
		}
	}
}

// check holds days to what every day that comes out must be.
func check(t *testing.T, days []curve.Day) {
	t.Helper()
	for i := range days {
		d := &days[i]
		if err := curve.CheckPut(days[i:i+1], make([]curve.Features, 1)); err != nil {
			t.Fatal(err)
		}
		for j, e := range d.EnergyKWh {
			if math.IsInf(e, 0) || (e < 0 || e != e) && d.Quality[j] != meter.Bad {
				t.Fatalf("interval %d of %s on %s is %v %v", j, d.MeterID, d.Date, e, d.Quality[j])
			}
		}
	}
}

// blocksOf cuts what a fuzzer made into small blocks, past its header.
func blocksOf(data []byte) (header []byte, blocks []textfile.Block) {
	cut := textfile.NewBlocks("a.csv", bytes.NewReader(data), 200)
	for {
		block, err := cut.Next(nil)
		if err != nil {
			return header, blocks
		}
		if block.FirstLine == 1 {
			header, _ = textfile.CutLine(block.Data)
		}
		blocks = append(blocks, block)
	}
}

func addCases(f *testing.F, pattern string) {
	paths, err := filepath.Glob(filepath.Join("testdata/cases", pattern))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no seeds %s: %v", pattern, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

func FuzzWide(f *testing.F) {
	addCases(f, "*/wide*.csv")
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var problems textfile.Problems
		header, blocks := blocksOf(data)
		format := newWideFormat("a.csv", header, &problems)
		if (format == nil) != (problems.Len() > 0) {
			t.Fatalf("format %v with problems %v", format, problems.Err())
		}
		if format == nil {
			return
		}
		parser := format.newParser(vienna, maker{meterView: newMeters(records()).view(), yield: yieldFeatures})
		for _, block := range blocks {
			b := &batch{}
			parser.parse(block, b)
			if len(b.days)+b.problems.Len() != b.rows || len(b.features) != len(b.days) {
				t.Fatalf("%d rows gave %d days, %d features and %d problems", b.rows, len(b.days), len(b.features), b.problems.Len())
			}
			check(t, b.days)
		}
	})
}

func FuzzLong(f *testing.F) {
	addCases(f, "*/long*.csv")
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var problems textfile.Problems
		header, blocks := blocksOf(data)
		format := newLongFormat("a.csv", header, &problems)
		if format == nil {
			return
		}
		ids := newMeters(nil)
		parser := format.newParser(ids.view())
		a := newAssembly(vienna, maker{meterView: ids.view(), yield: yieldDays})
		var batches []*batch
		for _, block := range blocks {
			b := &batch{}
			parser.parse(block, b)
			if len(b.long)+b.problems.Len() != b.rows {
				t.Fatalf("%d rows gave %d intervals and %d problems", b.rows, len(b.long), b.problems.Len())
			}
			a.survey("a.csv", b.long, &problems)
			batches = append(batches, b)
		}
		if problems.Len() > 0 {
			return
		}
		done, report := newSeen(), &Report{}
		made := &batch{}
		for _, b := range batches {
			a.add(made, b.long, &input{path: "a.csv", long: format}, &done, report)
		}
		days := len(made.days)
		if a.rest(made); len(made.days) != days {
			t.Fatalf("%d days were not complete with their last row", len(made.days)-days)
		}
		check(t, made.days)
	})
}

func FuzzParquet(f *testing.F) {
	f.Add(parquetBytes(f, sampleRows()))
	f.Add([]byte("PAR1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "a.parquet")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		days, _, err := read(t, Options{Files: []string{path}})
		if err != nil && (len(days) > 0 || !strings.HasPrefix(err.Error(), path)) {
			t.Fatalf("%d days with error %v", len(days), err)
		}
		check(t, days)
	})
}
