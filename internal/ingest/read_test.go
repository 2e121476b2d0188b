package ingest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wideText makes a wide file whose value in column c of row r is value(r, c).
func wideText(columns int, rows []string, value func(r, c int) string) string {
	var b strings.Builder
	b.WriteString("meter_id,date")
	for c := range columns {
		fmt.Fprintf(&b, ",p%d", c+1)
	}
	b.WriteByte('\n')
	for r, row := range rows {
		b.WriteString(row)
		for c := range columns {
			b.WriteString("," + value(r, c))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// read returns the days of files. Their origins name one of the files, and are
// taken off, so that the days of several files compare.
func read(t testing.TB, opts Options) ([]curve.Day, *Report, error) {
	t.Helper()
	var all []curve.Day
	report, err := Read(t.Context(), opts, func(_ context.Context, days []curve.Day) error {
		for _, d := range days {
			if !slices.ContainsFunc(opts.Files, func(file string) bool { return d.Origin == originOf(file) }) {
				t.Errorf("meter %s on %s comes from %v", d.MeterID, d.Date, d.Origin)
			}
			d.Origin = curve.Origin{}
			all = append(all, d)
		}
		return nil
	})
	return all, report, err
}

func TestWideFile(t *testing.T) {
	path := write(t, "a.csv", wideText(24, []string{"M1,2026-03-01", "M2,2026-03-01", "M1,2026-02-27"}, func(r, c int) string {
		return fmt.Sprintf("%d.%03d", r, c)
	}))
	days, report, err := read(t, Options{Files: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	if len(days) != 3 || report.Days != 3 || report.Meters != 2 || report.First.String() != "2026-02-27" || report.Last.String() != "2026-03-01" {
		t.Fatalf("%d days, report %+v", len(days), report)
	}
	for r, d := range days {
		for c, e := range d.EnergyKWh {
			if want := float64(r*1000+c) / 1000; e != want {
				t.Fatalf("row %d column %d is %v, want %v", r, c, e, want)
			}
		}
	}
}

func TestNothingIsPassedOnBeforeEveryFileIsChecked(t *testing.T) {
	good := write(t, "good.csv", wideText(24, []string{"M1,2026-03-01"}, func(int, int) string { return "1" }))
	bad := write(t, "bad.csv", wideText(24, []string{"M1,2026-03-02", "M1,2026-03-03"}, func(r, c int) string {
		if r == 1 && c == 5 {
			return "1,5"
		}
		return "1"
	}))
	days, _, err := read(t, Options{Files: []string{good, bad}})
	var problems *textfile.Problems
	if !errors.As(err, &problems) || len(days) != 0 {
		t.Fatalf("%d days, error %v", len(days), err)
	}
	if want := bad + ":3: has more fields than the 26 of the header; drop what follows p24"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	store := curve.NewMemory()
	if _, err := Into(t.Context(), Options{Files: []string{good, bad}}, store); !errors.As(err, &problems) {
		t.Errorf("error %v", err)
	}
	if _, _, ok, _ := store.Span(t.Context()); ok {
		t.Error("a refused import left days behind")
	}
}

func TestClockChanges(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, "a.csv", wideText(25, []string{"M,2026-03-29", "M,2026-10-25", "M,2026-06-01"}, func(r, c int) string {
		switch {
		case r == 0 && c == 2: // the hour that is skipped
			return ""
		case r != 1 && c == 24: // there is no second pass
			return ""
		}
		return fmt.Sprint(c + 1)
	}))
	days, report, err := read(t, Options{Files: []string{path}, Location: vienna})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{
		"[1 2 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24]",
		"[1 2 3 25 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24]",
		"[1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24]",
	} {
		if got := fmt.Sprint(days[i].EnergyKWh); got != want {
			t.Errorf("%s: %s, want %s", days[i].Date, got, want)
		}
	}
	if len(report.Rules.Map()) != 0 {
		t.Errorf("rules met: %v", report.Rules.Map())
	}
	if start := days[2].Start; start != time.Date(2026, 5, 31, 22, 0, 0, 0, time.UTC) {
		t.Errorf("the summer day starts at %v", start)
	}
}

func TestWideAndLongGiveTheSameDays(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	value := func(d curve.Date, i int) float64 { return float64(int(d)%10*100+i) / 1000 }
	var wide, long strings.Builder
	wide.WriteString(strings.SplitN(wideText(100, nil, nil), "\n", 2)[0] + "\n")
	long.WriteString("meter_id,start,kwh\n")
	first, _ := curve.ParseDate("2026-10-23")
	for d := first; d < first+5; d++ {
		l := newLayout(d, vienna, 15*time.Minute, 100)
		fields := make([]string, 100)
		for column, slot := range l.slot {
			if slot >= 0 {
				fields[column] = fmt.Sprint(value(d, int(slot)))
			}
		}
		fmt.Fprintf(&wide, "M,%s,%s\n", d, strings.Join(fields, ","))
		for i := range l.intervals {
			fmt.Fprintf(&long, "M,%s,%v\n", l.start.Add(time.Duration(i)*15*time.Minute).Format(time.RFC3339), value(d, i))
		}
	}
	a, _, err := read(t, Options{Files: []string{write(t, "w.csv", wide.String())}, Location: vienna})
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := read(t, Options{Files: []string{write(t, "l.csv", long.String())}, Location: vienna})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(a) != fmt.Sprint(b) || len(a) != 5 {
		t.Errorf("wide gave\n%v\nlong gave\n%v", a, b)
	}
}

func TestParseNumberIsExact(t *testing.T) {
	for text, want := range map[string]float64{"0.1": 0.1, "123.456": 123.456, "-0.25": -0.25, "+7": 7, ".5": .5, "5.": 5, "1e3": 1000,
		"0.30000000000000004": 0.30000000000000004, "9007199254740993": 9007199254740992, "-0": 0, "1E-2": .01} {
		if v, ok := parseNumber([]byte(text)); !ok || v != want || math.Signbit(v) != math.Signbit(want) {
			t.Errorf("parseNumber(%q) = %v, %v", text, v, ok)
		}
	}
	for _, text := range []string{"", ".", "-", "1.2.3", "NaN", "inf", "0x10", "1_000", "1,5", "1e999", "abc", "１"} {
		if v, ok := parseNumber([]byte(text)); ok {
			t.Errorf("parseNumber(%q) = %v, want none", text, v)
		}
	}
}
