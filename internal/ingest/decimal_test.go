package ingest

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

// plainDecimal reports whether text is digits with at most one point, and not
// a point alone.
func plainDecimal(text string) bool {
	digits := strings.Replace(text, ".", "", 1)
	if digits == "" {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// checkWord holds the two quick readers to strconv for a word of eight bytes.
func checkWord(t interface{ Fatalf(string, ...any) }, text string) {
	word := binary.LittleEndian.Uint64([]byte(text))
	field, _, ended := strings.Cut(text, ",")
	want, err := strconv.ParseFloat(field, 64)
	plain := ended && err == nil && plainDecimal(field)

	n, decimals, size, ok := readShort(word)
	switch {
	case ok != plain:
		t.Fatalf("readShort(%q) says %v, %q is a plain decimal: %v", text, ok, field, plain)
	case ok && (float64(n)/powersOfTen[decimals] != want || size != len(field)):
		t.Fatalf("readShort(%q) is %d with %d decimals and %d characters, want %v", text, n, decimals, size, want)
	}
	n, ok = readThousandths(word)
	if like := plain && len(field) == 5 && field[1] == '.'; ok != like || ok && float64(n)/1000 != want {
		t.Fatalf("readThousandths(%q) is %d, %v, want %v", text, n, ok, want)
	}
}

func TestQuickReadersAreStrconv(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Mostly digits, points and commas, sometimes neighbours of theirs in
		// ASCII, a line's end, or bytes of UTF-8.
		b := rapid.SliceOfN(rapid.SampledFrom([]byte("0123456789012345678901234567890123456789......,,,,/:-+ e\n\r\x00\x7f\x80\xb0\xff\"")), 8, 8).Draw(t, "word")
		checkWord(t, string(b))
	})
	for n := range 10000 { // every number of three decimals with one digit before them
		text := fmt.Sprintf("%d.%03d,xy", n/1000, n%1000)
		checkWord(t, text)
	}
}

func FuzzWord(f *testing.F) {
	for _, seed := range []string{"0.123,45", ",,,,,,,,", "1234567,", ".5,.....", "9.999,\n1", "1.2.3,00", "12.,0.00", "\xff.123,00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, word []byte) {
		if len(word) == 8 {
			checkWord(t, string(word))
		}
	})
}

// number that a row may hold, as text: mostly the quick forms.
func drawField(t *rapid.T) string {
	n := rapid.IntRange(0, 9999).Draw(t, "n")
	switch rapid.IntRange(0, 11).Draw(t, "form") {
	case 0:
		return ""
	case 1:
		return strconv.Itoa(n)
	case 2:
		return fmt.Sprintf("%d.%d", n/10, n%10)
	case 3:
		return strconv.FormatFloat(rapid.Float64Range(0, 1e9).Draw(t, "v"), 'g', -1, 64)
	case 4:
		return fmt.Sprintf(" %d.5 ", n)
	case 5:
		return fmt.Sprintf("-%d.25", n)
	case 6:
		return fmt.Sprintf("%de-3", n)
	case 7:
		return fmt.Sprintf("%d.123456", n)
	}
	return fmt.Sprintf("%d.%03d", n/1000, n%1000)
}

// Rows give the values that strconv reads, bit by bit, whatever their form and
// the end of their lines, and whatever stands behind them.
func TestRowsAreReadExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := rapid.SliceOfN(rapid.Custom(drawField), 24, 24).Draw(t, "fields")
		end := rapid.SampledFrom([]string{"\n", "\r\n", ""}).Draw(t, "end")
		next := rapid.SampledFrom([]string{"", "M2,2026-01-02" + strings.Repeat(",1.000", 24)}).Draw(t, "next")
		if end == "" {
			next = ""
		}
		format := &wideFormat{file: "a.csv", columns: 24, interval: 3600e9}
		parser := format.newParser(time.UTC, maker{meterView: newMeters(nil).view(), yield: yieldNothing})
		text := []byte(strings.Join(fields, ",") + end + next)
		energy := make([]float64, 24)
		l := newLayout(20454, time.UTC, format.interval, 24)
		var counts curve.Counts
		if err := parser.values(energy, l, text, len(strings.Join(fields, ",")), &counts); err != nil {
			t.Fatal(err)
		}
		for i, field := range fields {
			want := math.NaN()
			if field = strings.TrimSpace(field); field != "" {
				var err error
				if want, err = strconv.ParseFloat(field, 64); err != nil {
					t.Fatal(err)
				}
				want += 0 // no negative zero
			}
			if math.Float64bits(energy[i]) != math.Float64bits(want) && (want == want || energy[i] == energy[i]) {
				t.Fatalf("p%d %q is %v, want %v", i+1, field, energy[i], want)
			}
		}
	})
}

// Every day of the years that can be, and what is no day at all.
func TestQuickDateIsTheCalendar(t *testing.T) {
	first, _ := curve.ParseDate("1970-01-01")
	last, _ := curve.ParseDate("2200-12-31")
	for d := first; d <= last; d++ {
		var parser dates
		got, err := parser.parse([]byte(d.String()))
		if err != nil || got != d {
			t.Fatalf("%s is %v, %v", d, got, err)
		}
	}
	for _, text := range []string{"1969-12-31", "2201-01-01", "0000-00-00", "9999-12-31", "2026-02-29", "2026-13-01", "2026-00-10", "2026-01-00",
		"2026-01-32", "2026/01/01", "2026-1-01", "20260101", "", "2026-01-011", "２026-01-0", "-026-01-01"} {
		var parser dates
		if got, err := parser.parse([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, got)
		}
		if got, err := parser.parse([]byte(text)); err == nil {
			t.Errorf("%q is %v the second time", text, got)
		}
	}
}

// Two rows of a block that are told apart only by what is behind them.
func TestARowEndsWhereItsLineEnds(t *testing.T) {
	format := &wideFormat{file: "a.csv", columns: 24, interval: 3600e9}
	short := "M1,2026-01-01" + strings.Repeat(",0.001", 23)
	whole := "M2,2026-01-01" + strings.Repeat(",0.002", 24)
	for _, end := range []string{"\n", "\r\n"} {
		var b batch
		parser := format.newParser(time.UTC, maker{meterView: newMeters(nil).view(), yield: yieldDays})
		parser.parse(textfile.Block{Data: []byte(short + end + whole + end), FirstLine: 2}, &b)
		if len(b.days) != 1 || b.days[0].MeterID != "M2" || b.problems.Len() != 1 || b.problems.List()[0].Line != 2 {
			t.Errorf("%d days, %v", len(b.days), b.problems.Err())
		}
	}
}
