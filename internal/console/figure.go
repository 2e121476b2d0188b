package console

import (
	"html/template"
	"math"
	"strconv"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// figure is one chart with the result it states.
type figure struct {
	Title, Note, Empty, Class string
	SVG                       []template.HTML
}

// plainTick labels an axis without a unit.
func plainTick(v float64) string {
	if v == math.Trunc(v) {
		return whole(v)
	}
	return group(strconv.FormatFloat(v, 'g', 3, 64)) // three figures also hide what binary fractions leave behind
}

// clock writes a slot of a grid of n as "18:30".
func clock(slot, n int) string {
	minutes := slot * 1440 / n
	return strconv.Itoa(100 + minutes/60)[1:] + ":" + strconv.Itoa(100 + minutes%60)[1:]
}

// dateTicks chooses at most about n days of a span to label: the first of
// months where the span is long, else Mondays.
func dateTicks(first, last curve.Date, n int) map[curve.Date]string {
	days := int(last-first) + 1
	out := map[curve.Date]string{}
	switch {
	case days <= n:
		for d := first; d <= last; d++ {
			out[d] = day(d)
		}
	case days <= 7*n:
		for d := first; d <= last; d++ {
			if d.Weekday() == time.Monday {
				out[d] = day(d)
			}
		}
	default:
		every := max(1, days/(30*n)+1)
		for d := first; d <= last; d++ {
			if t := dateTime(d); t.Day() == 1 && int(t.Month())%every == 0 {
				out[d] = day(d)
			}
		}
	}
	return out
}

// xs are dates as x positions.
func xs(first curve.Date, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(int(first) + i)
	}
	return out
}
