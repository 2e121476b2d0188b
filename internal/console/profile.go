package console

import (
	"math"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// profile is one local day on an even grid of clock times, mean power in kW,
// NaN where missing or bad.
type profile struct {
	date curve.Date
	kw   []float64
}

// slotsPerDay is the finest resolution that a day of days has.
func slotsPerDay(days []curve.Day) int {
	n := 24
	for i := range days {
		if days[i].Interval > 0 {
			n = max(n, int(24*time.Hour/days[i].Interval))
		}
	}
	return min(n, 288)
}

// profiles puts days on a grid of n clock times. Where the clock is put
// forward the skipped hour shows what follows; where it is put back, the
// second pass is left out.
func profiles(days []curve.Day, n int, loc *time.Location) []profile {
	out := make([]profile, 0, len(days))
	for i := range days {
		out = append(out, profile{date: days[i].Date, kw: onGrid(&days[i], n, loc, func(k int) float64 { return days[i].PowerKW(k) })})
	}
	return out
}

func onGrid(d *curve.Day, n int, loc *time.Location, value func(int) float64) []float64 {
	kw := make([]float64, n)
	midnight := d.Date.Start(loc)
	y, m, dd := midnight.Date()
	for s := range kw {
		kw[s] = math.NaN()
		minutes := s * 1440 / n
		at := time.Date(y, m, dd, minutes/60, minutes%60, 0, 0, loc)
		if d.Interval <= 0 {
			continue
		}
		k := int(at.Sub(midnight) / d.Interval)
		if k >= 0 && k < d.Intervals() && usable(d, k) {
			kw[s] = value(k)
		}
	}
	return kw
}

func usable(d *curve.Day, k int) bool {
	return k < len(d.Quality) && d.Quality[k] != meter.Bad && !math.IsNaN(d.EnergyKWh[k])
}

// quantile of the finite values; NaN where there are none. q is 0 … 1.
func quantile(values []float64, q float64) float64 {
	finite := make([]float64, 0, len(values))
	for _, v := range values {
		if known(v) {
			finite = append(finite, v)
		}
	}
	if len(finite) == 0 {
		return math.NaN()
	}
	slices.Sort(finite)
	pos := q * float64(len(finite)-1)
	i := int(pos)
	if i+1 >= len(finite) {
		return finite[len(finite)-1]
	}
	return finite[i] + (pos-float64(i))*(finite[i+1]-finite[i])
}

func mean(values []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if known(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

func highest(values []float64) float64 {
	top := math.NaN()
	for _, v := range values {
		if known(v) && !(top >= v) {
			top = v
		}
	}
	return top
}

// across takes a quantile over days for each clock time.
func across(ps []profile, n int, q float64) []float64 {
	out := make([]float64, n)
	column := make([]float64, 0, len(ps))
	for s := range out {
		column = column[:0]
		for i := range ps {
			if s < len(ps[i].kw) {
				column = append(column, ps[i].kw[s])
			}
		}
		out[s] = quantile(column, q)
	}
	return out
}

// averaged takes the mean over days for each clock time.
func averaged(ps []profile, n int) []float64 {
	out := make([]float64, n)
	column := make([]float64, 0, len(ps))
	for s := range out {
		column = column[:0]
		for i := range ps {
			if s < len(ps[i].kw) {
				column = append(column, ps[i].kw[s])
			}
		}
		out[s] = mean(column)
	}
	return out
}

// hours are the clock times of a grid of n, in hours.
func hours(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i) * 24 / float64(n)
	}
	return out
}

// between is the mean over the clock hours from … to of a profile.
func between(kw []float64, from, to int) float64 {
	n := len(kw)
	return mean(kw[from*n/24 : to*n/24])
}

// baseLoad is the lowest twentieth of a day's means.
func baseLoad(kw []float64) float64 {
	finite := 0
	for _, v := range kw {
		if known(v) {
			finite++
		}
	}
	if finite*2 < len(kw) {
		return math.NaN()
	}
	return quantile(kw, 0.05)
}

// within keeps the days from first to last.
func within(days []curve.Day, first, last curve.Date) []curve.Day {
	var out []curve.Day
	for i := range days {
		if days[i].Date >= first && days[i].Date <= last {
			out = append(out, days[i])
		}
	}
	return out
}

// energy sums the usable energy of days, and counts usable and expected intervals.
func energy(days []curve.Day) (kwh float64, usableCount, all int) {
	for i := range days {
		e, n := days[i].TotalKWh()
		kwh += e
		usableCount += n
		all += days[i].Intervals()
	}
	return kwh, usableCount, all
}

// estimated counts the intervals that are not measured but stood in for.
func estimated(days []curve.Day) int {
	n := 0
	for i := range days {
		for k := range days[i].Flags {
			if days[i].Flags[k]&(meter.Estimated|meter.Substituted) != 0 {
				n++
			}
		}
	}
	return n
}

func dateOf(t time.Time) curve.Date { return curve.DateOf(t) }

// goodShare is the share of intervals of good quality.
func goodShare(days []curve.Day) float64 {
	good, all := 0, 0
	for i := range days {
		all += days[i].Intervals()
		for _, q := range days[i].Quality {
			if q == meter.Good {
				good++
			}
		}
	}
	if all == 0 {
		return math.NaN()
	}
	return float64(good) / float64(all)
}

// missingWords says how many intervals are missing and how many were stood in for.
func missingWords(days []curve.Day) string {
	_, have, all := energy(days)
	missing := "none missing"
	if all > have {
		missing = count(all-have) + " missing or bad"
	}
	stood := "none estimated"
	if n := estimated(days); n > 0 {
		stood = count(n) + " estimated"
	}
	return missing + ", " + stood
}
