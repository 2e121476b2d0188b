package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// sampleRow is a long row as a Parquet writer would lay it out.
type sampleRow struct {
	MeterID string    `parquet:"meter_id"`
	Start   time.Time `parquet:"start,timestamp(microsecond)"`
	KWh     *float64  `parquet:"kwh,optional"`
	Quality string    `parquet:"quality"`
	THD     float32   `parquet:"thd_i"`
}

var sampleStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func sampleRows() []sampleRow {
	rows := make([]sampleRow, 0, 200)
	for i := range 192 {
		kwh := float64(i) / 1000
		row := sampleRow{MeterID: "M1", Start: sampleStart.Add(time.Duration(i) * 15 * time.Minute), KWh: &kwh, Quality: "good", THD: 12.5}
		if i == 50 {
			row.KWh = nil
		}
		rows = append(rows, row)
	}
	return rows
}

func parquetBytes[T any](tb testing.TB, rows []T) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b)
	if _, err := w.Write(rows); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func longText(rows []sampleRow) string {
	var b strings.Builder
	b.WriteString("meter_id,start,kwh,quality,thd_i\n")
	for _, r := range rows {
		kwh := ""
		if r.KWh != nil {
			kwh = fmt.Sprint(*r.KWh)
		}
		fmt.Fprintf(&b, "%s,%s,%s,%s,%v\n", r.MeterID, r.Start.Format(time.RFC3339), kwh, r.Quality, r.THD)
	}
	return b.String()
}

func TestEveryPackingGivesTheSameDays(t *testing.T) {
	text := longText(sampleRows())
	var gz, zst bytes.Buffer
	g := gzip.NewWriter(&gz)
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	want, _, err := read(t, Options{Files: []string{write(t, "a.csv", text)}})
	if err != nil || len(want) != 2 {
		t.Fatalf("%d days, %v", len(want), err)
	}
	if want[0].Quality[50] != meter.Uncertain || want[0].Other[meter.THDCurrent][7] != 12.5 {
		t.Errorf("the first day is %v", want[0])
	}
	for name, content := range map[string]string{"a.csv.gz": gz.String(), "a.csv.zst": zst.String(), "a.parquet": string(parquetBytes(t, sampleRows()))} {
		got, report, err := read(t, Options{Files: []string{write(t, name, content)}})
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, got\n%v, want\n%v", name, err, got, want)
			continue
		}
		if report.Files[0].Rows != 192 {
			t.Errorf("%s: %d rows", name, report.Files[0].Rows)
		}
		cut := write(t, name, content[:len(content)*2/3])
		if _, _, err := read(t, Options{Files: []string{cut}}); err == nil || !strings.HasPrefix(err.Error(), cut) {
			t.Errorf("%s cut short gave %v", name, err)
		}
	}
}

func TestBadParquet(t *testing.T) {
	type noKWh struct {
		MeterID string `parquet:"meter_id"`
		Start   string `parquet:"start"`
	}
	type unknown struct {
		MeterID string  `parquet:"meter_id"`
		Start   string  `parquet:"start"`
		KWh     float64 `parquet:"kwh"`
		Colour  string  `parquet:"colour"`
	}
	type plain struct {
		MeterID string  `parquet:"meter_id"`
		Start   string  `parquet:"start"`
		KWh     float64 `parquet:"kwh"`
	}
	type number struct {
		MeterID string  `parquet:"meter_id"`
		Start   int64   `parquet:"start"`
		KWh     float64 `parquet:"kwh"`
	}
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"not Parquet", "cannot be read as Parquet", []byte("hello")},
		{"no kwh", ":1: column kwh is missing", parquetBytes(t, []noKWh{{"M", "x"}})},
		{"unknown column", `:1: unknown column "colour"`, parquetBytes(t, []unknown{{"M", "x", 1, ""}})},
		{"start is no time", `:2: start "yesterday" is not a time`, parquetBytes(t, []plain{{"M", "2026-01-01T00:00:00Z", 1}, {"M", "yesterday", 1}})},
		{"start is a number", ":1: start is neither a timestamp nor text", parquetBytes(t, []number{{"M", 5, 1}})},
		{"NaN", ":1: kwh NaN is not a number", parquetBytes(t, []plain{{"M", "2026-01-01T00:00:00Z", math.NaN()}})},
		{"no meter", ":1: meter_id is empty", parquetBytes(t, []plain{{"", "2026-01-01T00:00:00Z", 1}})},
		{"not UTF-8", ":1: meter_id is not UTF-8", parquetBytes(t, []plain{{"\xff", "2026-01-01T00:00:00Z", 1}})},
		{"between steps", ":1: start 2026-01-01T00:07:00Z is not on a step", parquetBytes(t, []plain{{"M", "2026-01-01T00:07:00Z", 1}})},
	} {
		path := write(t, "a.parquet", string(c.data))
		if _, _, err := read(t, Options{Files: []string{path}}); err == nil || !strings.Contains(err.Error(), path+c.want) && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

// TestImportAndPollingGiveTheSameFeatures feeds one load to both ways in.
func TestImportAndPollingGiveTheSameFeatures(t *testing.T) {
	tehran, err := time.LoadLocation("Asia/Tehran")
	if err != nil {
		t.Fatal(err)
	}
	date, _ := curve.ParseDate("2026-03-10")
	start := date.Start(tehran)
	load := func(i int) float64 { return float64(40+i*i%211) / 1000 }
	imported, polled := curve.NewMemory(), curve.NewMemory()
	path := write(t, "a.csv", wideText(96, []string{"M,2026-03-10", "M,2026-03-11"}, func(r, c int) string { return fmt.Sprint(load(96*r + c)) }))
	if _, err := Into(t.Context(), Options{Files: []string{path}, Location: tehran}, imported); err != nil {
		t.Fatal(err)
	}
	now := start
	acc, err := curve.NewAccumulator(curve.AccumulatorConfig{Store: polled, Location: tehran, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	register := 54321.0
	for minute := range 49 * 60 {
		now = start.Add(time.Duration(minute) * time.Minute)
		r := meter.Reading{MeterID: "M", Quantity: meter.ActiveEnergyImport, Value: math.Round(register*1e6) / 1e6, EventTime: now, Quality: meter.Good}
		if err := acc.Accept(t.Context(), []meter.Reading{r}, 0); err != nil {
			t.Fatal(err)
		}
		register += load(minute/15) / 15
	}
	if err := acc.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	features := func(s curve.Store) map[curve.Date]string {
		m := map[curve.Date]string{}
		if err := s.Features(t.Context(), date, date+1, func(_ string, d curve.Date, f *curve.Features) error { m[d] = fmt.Sprint(*f); return nil }); err != nil {
			t.Fatal(err)
		}
		return m
	}
	a, b := features(imported), features(polled)
	if len(a) != 2 || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("imported\n%v, polled\n%v", a, b)
	}
}

func TestProgressReachesItsTotal(t *testing.T) {
	a := write(t, "a.csv", wideText(24, []string{"M,2026-03-01"}, func(int, int) string { return "1" }))
	b := write(t, "b.csv", longText(sampleRows()))
	var last Progress
	opts := Options{Files: []string{a, b}, Progress: func(p Progress) {
		if p.Done < last.Done || p.Total < p.Done {
			t.Errorf("progress %+v after %+v", p, last)
		}
		last = p
	}}
	if _, _, err := read(t, opts); err != nil {
		t.Fatal(err)
	}
	if last.Done != last.Total || last.Total == 0 {
		t.Errorf("the last progress is %+v", last)
	}
}

func TestReadingStopsWhenTheSinkFailsOrTheContextEnds(t *testing.T) {
	rows := make([]string, 20000)
	for i := range rows {
		rows[i] = fmt.Sprintf("M%d,2026-03-01", i)
	}
	path := write(t, "a.csv", wideText(24, rows, func(int, int) string { return "1.234" }))
	full := errors.New("disk full")
	_, err := Read(t.Context(), Options{Files: []string{path}}, func(context.Context, []curve.Day) error { return full })
	if !errors.Is(err, full) {
		t.Errorf("a failing sink gave %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Read(ctx, Options{Files: []string{path}}, func(context.Context, []curve.Day) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled read gave %v", err)
	}
}

func TestMissingFilesAreNamed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no.csv")
	for _, files := range [][]string{{missing}, {missing + ".parquet"}, {filepath.Dir(missing)}, nil} {
		if _, err := Check(t.Context(), Options{Files: files}); err == nil || !strings.Contains(err.Error(), "; name a") && !strings.Contains(err.Error(), "; name at") {
			t.Errorf("%v: error %v", files, err)
		}
	}
}

// forgetful is a store that keeps nothing.
type forgetful struct{}

func (forgetful) PutEncoded(context.Context, curve.Origin, []curve.Encoded) error { return nil }

// BenchmarkWide reads a wide file of 40,000 meter-days: check parses and
// validates, encode computes features and the stored form too.
func BenchmarkWide(b *testing.B) {
	for _, shape := range []struct{ name, format string }{{"three decimals", "0.%03d"}, {"others", "%d.5"}} {
		rows := make([]string, 40000)
		for i := range rows {
			rows[i] = fmt.Sprintf("M%05d,2026-03-%02d", i%2000, 1+i/2000)
		}
		path := write(b, "a.csv", wideText(96, rows, func(r, c int) string { return fmt.Sprintf(shape.format, (r*7+c*c*13)%600) }))
		for _, what := range []struct {
			name string
			read func(Options) (*Report, error)
		}{
			{"check", func(o Options) (*Report, error) { return Check(b.Context(), o) }},
			{"encode", func(o Options) (*Report, error) {
				o.SinkRollsBack = true
				return ReadEncoded(b.Context(), o, forgetful{})
			}},
		} {
			b.Run(shape.name+"/"+what.name, func(b *testing.B) {
				began := processorTime(b)
				for b.Loop() {
					if _, err := what.read(Options{Files: []string{path}}); err != nil {
						b.Fatal(err)
					}
				}
				days := float64(len(rows) * b.N)
				b.ReportMetric(days/b.Elapsed().Seconds(), "meter-days/s")
				b.ReportMetric(float64(processorTime(b)-began)/days, "ns-cpu/meter-day")
			})
		}
	}
}

// processorTime is what this process has used, which other work on the machine
// does not change.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
