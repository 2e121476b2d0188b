package hiddenmining

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// series are the daily features of one subject over its valid days: a day is
// valid when at least half of its intervals are there.
type series struct {
	day []int // index of each valid day in the window

	mean, min, p25, p50, max         []float64
	night, morning, daytime, evening []float64
	rough, flat, pf, thd             []float64
	temperature                      []float64 // of the same days; nil without weather
	weekend                          []bool    // Saturday, Sunday or holiday
}

const minGoodShare = 0.5

func newSeries(w *sdk.Window, i int) *series {
	s := &series{}
	mean, good := w.Feature(sdk.MeanKW, i), w.Feature(sdk.GoodShare, i)
	for d := range w.Days {
		if mean == nil || !finite(mean[d]) || good != nil && !(good[d] >= minGoodShare) {
			continue
		}
		s.day = append(s.day, d)
		wd := (w.FirstDay + sdk.Date(d)).Weekday()
		s.weekend = append(s.weekend, wd == 0 || wd == 6 || w.Holiday != nil && w.Holiday[d])
		if w.TemperatureC != nil {
			s.temperature = append(s.temperature, float64(w.TemperatureC[d]))
		}
	}
	pick := func(f sdk.Feature) []float64 {
		column := w.Feature(f, i)
		out := make([]float64, len(s.day))
		for k, d := range s.day {
			out[k] = math.NaN()
			if column != nil && finite(column[d]) {
				out[k] = float64(column[d])
			}
		}
		return out
	}
	s.mean, s.min, s.max = pick(sdk.MeanKW), pick(sdk.MinKW), pick(sdk.MaxKW)
	s.p25, s.p50 = pick(sdk.P25KW), pick(sdk.P50KW)
	s.night, s.morning = pick(sdk.NightKW), pick(sdk.MorningKW)
	s.daytime, s.evening = pick(sdk.DaytimeKW), pick(sdk.EveningKW)
	s.rough, s.flat = pick(sdk.RoughnessKW), pick(sdk.FlatShare)
	s.pf, s.thd = pick(sdk.PowerFactorAvg), pick(sdk.THDCurrentAvg)
	return s
}

// finite reports whether v is a number within what a meter can show; an
// absurd value must not poison the statistics of the other days.
func finite(v float32) bool {
	return !math.IsNaN(float64(v)) && math.Abs(float64(v)) < 1e9
}

// split parts the values of valid days from (inclusive) to to (exclusive) into
// workdays and days off.
func (s *series) split(values []float64, from, to int) (week, end []float64) {
	for k := max(from, 0); k < min(to, len(values)); k++ {
		if s.weekend[k] {
			end = append(end, values[k])
		} else {
			week = append(week, values[k])
		}
	}
	return week, end
}

// between returns the median of values over valid days from (inclusive) to to
// (exclusive), both counted in valid days.
func between(values []float64, from, to int) float64 {
	return robust.Median(values[max(from, 0):min(to, len(values))])
}
