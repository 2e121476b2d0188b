package ingest

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

// pack writes a header and then body over and over, size bytes in all,
// compressed.
func pack(t *testing.T, name, header, body string, size int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var w io.WriteCloser
	if strings.HasSuffix(name, ".gz") {
		w, err = gzip.NewWriterLevel(f, gzip.BestSpeed)
	} else {
		w, err = zstd.NewWriter(f)
	}
	if err != nil {
		t.Fatal(err)
	}
	chunk := []byte(strings.Repeat(body, 1+(1<<16)/len(body)))
	if _, err := io.WriteString(w, header); err != nil {
		t.Fatal(err)
	}
	for size > 0 {
		n, err := w.Write(chunk)
		if err != nil {
			t.Fatal(err)
		}
		size -= n
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// allocated is what f allocates, in MiB.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) >> 20
}

// What expands without end is refused at its first fault, or read with little
// memory until somebody stops it.
func TestBombs(t *testing.T) {
	wide := wideText(24, nil, nil)
	row := "M1,2026-03-01" + strings.Repeat(",0.123", 24) + "\n"
	const size = 64 << 20
	for _, tc := range []struct{ name, header, body, want string }{
		{"line.csv.gz", wide, "x", ":2: line is longer than 1048576 bytes"},
		{"line.csv.zst", "", "x", ":1: line is longer than 1048576 bytes"},
		{"zeros.csv.gz", wide, "\x00", ":2: line is longer than 1048576 bytes"},
		{"zeros.csv.zst", wide, "\x00\n", ":2: holds a zero byte"},
		{"junk.csv.gz", wide, "M1,2026-03-01\n", ":2: has 2 fields"},
		{"columns.csv.gz", "meter_id,date" + strings.Repeat(",p1", 300_000) + "\n", row, ":1: has 300002 columns"},
		{"names.csv.gz", "meter_id,start" + strings.Repeat(",kwhh", 180_000) + "\n", row, `:1: unknown column "kwhh"; did you mean kwh?`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := pack(t, tc.name, tc.header, tc.body, size)
			var err error
			began := time.Now()
			if mib := allocated(func() { _, err = Check(t.Context(), Options{Files: []string{path}}) }); mib > 128 {
				t.Errorf("%d MiB were allocated", mib)
			}
			if err == nil || !strings.HasPrefix(err.Error(), path+tc.want) {
				t.Errorf("error %.300v", err)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %v", took)
			}
		})
	}
	for _, name := range []string{"rows.csv.gz", "rows.csv.zst"} {
		path := pack(t, name, wide, row, size)
		var report *Report
		var err error
		progress := 0
		opts := Options{Files: []string{path}, Progress: func(p Progress) {
			if progress++; p.Done > p.Total {
				t.Errorf("progress %+v", p)
			}
		}}
		if mib := allocated(func() { report, err = Check(t.Context(), opts) }); mib > 56 {
			t.Errorf("%s: %d MiB were allocated", name, mib)
		}
		if err != nil || report.Days != 1 || report.Duplicates < 300_000 || report.Conflicts != 0 || progress < 30 {
			t.Errorf("%s: %d days, %d duplicates, %d conflicts, %d times progress, %v", name, report.Days, report.Duplicates, report.Conflicts, progress, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		opts.Progress = func(Progress) { cancel() }
		began := time.Now()
		if _, err := Check(ctx, opts); !errors.Is(err, context.Canceled) || time.Since(began) > 20*time.Second {
			t.Errorf("%s: stopped after %v: %v", name, time.Since(began), err)
		}
	}
}

func TestTooManyMetersAreRefused(t *testing.T) {
	m := newMeters(nil)
	m.most = 3
	parser := (&wideFormat{file: "a.csv", columns: 24, interval: time.Hour}).newParser(time.UTC, maker{meterView: m.view(), yield: yieldNothing})
	var text strings.Builder
	for i := range 5 {
		fmt.Fprintf(&text, "M%d,2026-01-01%s\n", i%4, strings.Repeat(",1", 24))
	}
	var b batch
	parser.parse(textfile.Block{Data: []byte(text.String()), FirstLine: 2}, &b)
	if len(b.made) != 4 || b.problems.Len() != 1 || b.problems.Error() != "a.csv:5: is of more than 3 meters; import the files in parts" {
		t.Errorf("%d days, %v", len(b.made), b.problems.Err())
	}
}

// A meter-day that several files bring, wide and long: the first one counts.
func TestDuplicatesAcrossFiles(t *testing.T) {
	row := func(v string) string {
		return wideText(24, []string{"M1,2026-03-01"}, func(int, int) string { return v })
	}
	first, same, other := write(t, "a.csv", row("1")), write(t, "b.csv", row("1.0")), write(t, "c.csv", row("2"))
	var long strings.Builder
	long.WriteString("meter_id,start,kwh\n")
	for h := range 24 {
		fmt.Fprintf(&long, "M1,2026-03-01T%02d:00:00Z,3\n", h)
	}
	days, report, err := read(t, Options{Files: []string{first, same, other, write(t, "d.csv", long.String())}})
	if err != nil || len(days) != 1 || days[0].EnergyKWh[5] != 1 {
		t.Fatalf("%v %v", days, err)
	}
	if report.Duplicates != 2 || report.Conflicts != 1 || report.Rules[curve.RuleDuplicate] != 3*24 {
		t.Errorf("%d duplicates, %d conflicts, %s", report.Duplicates, report.Conflicts, report.Rules.String())
	}
}
