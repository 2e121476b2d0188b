package detect

import (
	"math"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// dailyTemperature returns the mean air temperature of each day, NaN where no
// point falls into the day; nil where there is no weather at all.
func dailyTemperature(weather []grid.WeatherPoint, days span, loc *time.Location) []float32 {
	if len(weather) == 0 {
		return nil
	}
	n := int(days.last-days.first) + 1
	sums, counts := make([]float64, n), make([]int, n)
	for _, p := range weather {
		if d := int(curve.DateOf(p.Time.In(loc)) - days.first); d >= 0 && d < n {
			sums[d] += p.TempC
			counts[d]++
		}
	}
	out := make([]float32, n)
	for d := range out {
		out[d] = float32(sums[d] / float64(counts[d])) // 0/0 is the NaN that is wanted
	}
	return out
}

// holidays marks the holidays; nil where there is no calendar.
func holidays(calendar []grid.CalendarDay, days span) []bool {
	if len(calendar) == 0 {
		return nil
	}
	kinds := make(map[string]string, len(calendar))
	for _, c := range calendar {
		kinds[c.Date] = c.Kind
	}
	out := make([]bool, int(days.last-days.first)+1)
	for d := range out {
		out[d] = kinds[(days.first+curve.Date(d)).String()] == "holiday"
	}
	return out
}

// unmetered is the known load behind a transformer that has no meter, kW.
type unmetered struct{ always, duskToDawn float64 }

func unmeteredLoads(loads []grid.UnmeteredLoad) map[string]unmetered {
	out := make(map[string]unmetered)
	for _, l := range loads {
		u := out[l.TransformerID]
		if l.Hours == "dusk_to_dawn" {
			u.duskToDawn += l.KW
		} else {
			u.always += l.KW
		}
		out[l.TransformerID] = u
	}
	return out
}

// setNumber keeps a number that is known.
func setNumber(m map[string]float64, name string, v float64) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		m[name] = v
	}
}
