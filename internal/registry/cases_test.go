package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

var update = flag.Bool("update", false, "rewrite the expected files of the cases")

// TestCases loads each folder of testdata/cases and compares what came of it
// with its expected.out, or its error with its expected.err.
func TestCases(t *testing.T) {
	folders, err := filepath.Glob("testdata/cases/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	uses := catalogue(t)
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			n, report, err := LoadDir(dir, uses, WithTariffs([]string{"TAR-RES", "TAR-COM"}), WithLocation(vienna))
			if err != nil {
				var problems *textfile.Problems
				if !errors.As(err, &problems) || n != nil {
					t.Errorf("error of type %T with network %v", err, n)
				}
				expect(t, dir, "expected.err", strings.ReplaceAll(err.Error(), dir+"/", ""))
				return
			}
			expect(t, dir, "expected.out", dump(n, report, dir))
		})
	}
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

func dump(n *grid.Network, report *Report, dir string) string {
	var b strings.Builder
	var files []string
	for name := range report.Rows {
		files = append(files, name)
	}
	sort.Strings(files)
	for _, name := range files {
		fmt.Fprintf(&b, "%s: %d rows\n", name, report.Rows[name])
	}
	for _, w := range report.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", strings.ReplaceAll(w, dir+"/", ""))
	}
	encoder := json.NewEncoder(&b)
	list := func(kind string, records any) {
		b.WriteString(kind + " ")
		_ = encoder.Encode(records)
	}
	list("transformers", n.Transformers)
	list("customers", n.Customers)
	list("usage points", n.UsagePoints)
	list("watchlist", n.Watchlist)
	list("ip assignments", n.IPAssignments)
	list("weather", n.Weather)
	list("calendar", n.Calendar)
	list("unmetered", n.Unmetered)
	if len(n.MeterEvents) > 0 {
		list("meter events", n.MeterEvents)
	}
	return b.String()
}

// TestALineOfTwoGigabytesIsRefusedWithoutReadingIt uses a sparse file.
func TestALineOfTwoGigabytesIsRefusedWithoutReadingIt(t *testing.T) {
	dir := t.TempDir()
	for name, header := range map[string]string{"transformers.csv": "transformer_id,feeder_id,substation_id,rated_kva\n", "customers.csv": "", "usage_points.csv": ""} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(header), 0o600); err != nil {
			t.Fatal(err)
		}
		if header != "" {
			if err := os.Truncate(path, 2<<30); err != nil {
				t.Fatal(err)
			}
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := LoadDir(dir, nil)
	runtime.ReadMemStats(&after)
	want := filepath.Join(dir, "transformers.csv") + ":2: line is longer than 1048576 bytes; give one record a line, ended by a newline"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 {
		t.Errorf("refusing the line took %d MiB", used>>20)
	}
}

func FuzzLoad(f *testing.F) {
	good := map[string][]byte{}
	for _, name := range []string{"transformers.csv", "customers.csv", "usage_points.csv", "watchlist.csv"} {
		data, err := os.ReadFile(filepath.Join("testdata/cases/good", name))
		if err != nil {
			f.Fatal(err)
		}
		good[name] = data
	}
	f.Add(good["transformers.csv"], good["customers.csv"], good["usage_points.csv"], good["watchlist.csv"])
	f.Add([]byte("transformer_id;x\n"), []byte("\xff\x00"), []byte(`"`), []byte(""))
	f.Fuzz(func(t *testing.T, transformers, customers, points, watchlist []byte) {
		l := newLoader("", nil, nil)
		content := map[string][]byte{"transformers.csv": transformers, "customers.csv": customers, "usage_points.csv": points, "watchlist.csv": watchlist}
		for _, table := range l.tables() {
			if data, ok := content[table.name]; ok {
				l.readLines(table, table.name, textfile.NewLines(table.name, bytes.NewReader(data)))
			}
		}
		n, report, err := l.finish()
		if report == nil || (err == nil) != (n != nil) {
			t.Fatalf("network %v, report %v, error %v", n, report, err)
		}
		if err != nil && !strings.Contains(err.Error(), ".csv") {
			t.Fatalf("error %q names no file", err)
		}
		if n == nil {
			return
		}
		for _, u := range n.UsagePoints {
			if n.Customer(u.CustomerID) == nil || n.Transformer(u.TransformerID) == nil || u.Factor() <= 0 {
				t.Fatalf("usage point %+v got through", u)
			}
		}
	})
}
