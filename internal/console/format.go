package console

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
)

const (
	nbsp  = "\u00a0"
	minus = "\u2212"
	// unknown stands where a number is not known; never a zero.
	unknown = "unknown"
)

// group puts commas between thousands and a true minus before negatives.
func group(s string) string {
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	whole, frac, dotted := strings.Cut(s, ".")
	if len(whole) > 3 {
		var b strings.Builder
		lead := len(whole) % 3
		b.WriteString(whole[:lead])
		for i := lead; i < len(whole); i += 3 {
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			b.WriteString(whole[i : i+3])
		}
		whole = b.String()
	}
	if dotted {
		whole += "." + frac
	}
	if neg && strings.Trim(whole, "0.,") != "" {
		whole = minus + whole
	}
	return whole
}

// known reports whether v is a number; NaN and infinities are unknown.
func known[V ~float64](v V) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }

// float takes a number of a template, NaN where it is none.
func float(v any) float64 {
	switch n := v.(type) {
	case float64:
		return n
	case detect.Measured:
		return float64(n)
	case int:
		return float64(n)
	}
	return math.NaN()
}

// num writes v with three significant figures, at most two decimals.
func num[V ~float64](v V) string {
	if !known(v) {
		return unknown
	}
	a := math.Abs(float64(v))
	decimals := 0
	switch {
	case a < 9.995:
		decimals = 2
	case a < 99.95:
		decimals = 1
	}
	return group(strconv.FormatFloat(float64(v), 'f', decimals, 64))
}

// whole writes v as an integer with thousands.
func whole[V ~float64](v V) string {
	if !known(v) {
		return unknown
	}
	return group(strconv.FormatFloat(float64(v), 'f', 0, 64))
}

// fixed writes v with n decimals.
func fixed[V ~float64](v V, n int) string {
	if !known(v) {
		return unknown
	}
	return group(strconv.FormatFloat(float64(v), 'f', n, 64))
}

// count writes an integer with thousands.
func count[T ~int | ~int64](n T) string { return group(strconv.FormatInt(int64(n), 10)) }

// withUnit joins a number and its unit by a no-break space; an unknown number has no unit.
func withUnit(s, unit string) string {
	if s == unknown || unit == "" {
		return s
	}
	return s + nbsp + unit
}

// share writes 0 … 1 as percent with one decimal, 100 % without.
func share[V ~float64](v V) string {
	if !known(v) {
		return unknown
	}
	if v > 0.9995 {
		return "100" + nbsp + "%"
	}
	return fixed(100*v, 1) + nbsp + "%"
}

// plural chooses the word for n.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1" + nbsp + one
	}
	return count(n) + nbsp + many
}

func dateTime(d curve.Date) time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// day writes a date as "3 Sep".
func day(d curve.Date) string { return dateTime(d).Format("2" + nbsp + "Jan") }

// dayLong writes a date as "3 September 2026".
func dayLong(d curve.Date) string { return dateTime(d).Format("2" + nbsp + "January 2006") }

// span writes a run of days, "25 Oct to 23 Nov".
func span(first, last curve.Date) string {
	if first == last {
		return day(first)
	}
	return day(first) + " to " + day(last)
}

// stamp writes a moment in loc as "24 Nov 13:48", with the year where it is not the current one.
func stamp(t, now time.Time, loc *time.Location) string {
	if t.IsZero() {
		return "never"
	}
	t, now = t.In(loc), now.In(loc)
	if t.Year() != now.Year() {
		return t.Format("2" + nbsp + "Jan" + nbsp + "2006" + nbsp + "15:04")
	}
	return t.Format("2" + nbsp + "Jan" + nbsp + "15:04")
}

// ago writes how long ago t was, coarse as people say it.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return lasting(now.Sub(t))
}

func lasting(d time.Duration) string {
	switch {
	case d < 0:
		return "0" + nbsp + "s"
	case d < time.Second:
		return strconv.Itoa(int(d.Milliseconds())) + nbsp + "ms"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds())) + nbsp + "s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes())) + nbsp + "min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + nbsp + "h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + nbsp + "days"
}

// zoneName writes a site's offset as "UTC+8".
func zoneName(t time.Time) string {
	_, offset := t.Zone()
	if offset == 0 {
		return "UTC"
	}
	sign := "+"
	if offset < 0 {
		sign, offset = minus, -offset
	}
	s := "UTC" + sign + strconv.Itoa(offset/3600)
	if m := offset % 3600 / 60; m != 0 {
		s += ":" + strconv.Itoa(100 + m)[1:]
	}
	return s
}

// clip shortens s to at most n runes.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// num3 writes v without needless decimals: 10, 10.5, 0.4.
func num3[V ~float64](v V) string {
	if !known(v) {
		return unknown
	}
	if v == V(math.Trunc(float64(v))) {
		return whole(v)
	}
	return num(v)
}

func nan() float64 { return math.NaN() }

// riskWords writes a probability with two decimals; nothing is ever certain.
func riskWords(v float64) string {
	switch {
	case v >= 0.995:
		return ">0.99"
	case v < 0.005:
		return "<0.01"
	}
	return fixed(v, 2)
}

// figures writes v with up to n significant figures, as an instrument shows it.
func figures(v float64, n int) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', n, 64), 64)
	if err != nil {
		rounded = v
	}
	return group(strconv.FormatFloat(rounded, 'f', -1, 64))
}

// plain10 writes an address without thousands.
func plain10(n int) string { return strconv.Itoa(n) }
