package tariffmisuse

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// shape is what the hours of a load look like over the last days, in order
// statistics that single days do not move.
type shape struct {
	first, last int // days of the window that it spans
	days        int // of those with a value
	workdays    int

	kwhDay                       float64 // mean daily energy
	night, morning, day, evening float64 // median power on open days, kW
	peak                         float64 // median highest hour on open days, kW
	plateau                      float64 // daytime over the highest hour of the same day, median of open days
	longPlateau                  float64 // the smaller of daytime and evening over the highest hour, median
	wander                       float64 // scatter of the daytime from day to day over its height above the night
	closed                       float64 // height of the daytime above the night on the weekly closed day, over that of other days; 1 where there is none
	closedOn                     string  // that day of the week
	closedT                      float64 // the drop over its error
	dayOverEvening               float64 // daytime over the evening, medians of the rises above the night where that is larger
	flat                         float64 // median share of hours within ±3 %
	loadFactor                   float64 // median of mean over highest hour
	weekly                       float64 // scatter of daily energy over its median
	idle                         float64 // share of days below a fifth of the median day
	weather                      float64 // share of the daytime's variance that the weather explains
}

const (
	recentDays = 90
	minDays    = 14
	minOpen    = 7
)

func newShape(w *sdk.Window, i int) (shape, bool) {
	mean, good := w.Feature(sdk.MeanKW, i), w.Feature(sdk.GoodShare, i)
	day, night, peak := w.Feature(sdk.DaytimeKW, i), w.Feature(sdk.NightKW, i), w.Feature(sdk.MaxKW, i)
	if mean == nil || day == nil || night == nil || peak == nil {
		return shape{}, false
	}
	var days []int // newest first
	for d := w.Days - 1; d >= 0 && len(days) < recentDays; d-- {
		if plausible(mean[d]) && plausible(day[d]) && plausible(night[d]) && plausible(peak[d]) && (good == nil || good[d] >= 0.5) {
			days = append(days, d)
		}
	}
	if len(days) < minDays {
		return shape{}, false
	}
	l := shape{first: days[len(days)-1], last: days[0], days: len(days), closed: 1}
	pick := func(column []float32, of []int) []float64 {
		out := make([]float64, len(of))
		for k, d := range of {
			out[k] = math.NaN()
			if column != nil && plausible(column[d]) {
				out[k] = float64(column[d])
			}
		}
		return out
	}
	energies := pick(mean, days)
	l.kwhDay = 24 * robust.Mean(energies)
	middling := robust.Median(energies)
	if !(middling > 1e-3) {
		return shape{}, false
	}
	for _, v := range energies {
		if v < 0.2*middling {
			l.idle += 1 / float64(len(energies))
		}
	}
	l.weekly = robust.MAD(energies) / middling
	open := l.openDays(w, days, day, night)
	if len(open) < minOpen {
		return shape{}, false
	}
	l.workdays = len(open)
	l.night, l.morning = robust.Median(pick(night, open)), robust.Median(pick(w.Feature(sdk.MorningKW, i), open))
	l.day, l.evening = robust.Median(pick(day, open)), robust.Median(pick(w.Feature(sdk.EveningKW, i), open))
	l.peak, l.flat = robust.Median(pick(peak, open)), robust.Median(pick(w.Feature(sdk.FlatShare, i), open))
	evening := w.Feature(sdk.EveningKW, i)
	var plateaus, longs, factors []float64
	for _, d := range open {
		if top := float64(peak[d]); top > 1e-6 {
			plateaus, factors = append(plateaus, float64(day[d])/top), append(factors, float64(mean[d])/top)
			if evening != nil {
				longs = append(longs, float64(min(day[d], evening[d]))/top)
			}
		}
	}
	l.plateau, l.longPlateau, l.loadFactor = robust.Median(plateaus), robust.Median(longs), robust.Median(factors)
	l.wander = robust.MAD(pick(day, open)) / math.Max(l.day-l.night, 1e-6)
	l.dayOverEvening = math.Max(l.day-l.night, 0) / math.Max(l.evening-l.night, 0.05*math.Max(l.day, 1e-3))
	l.weather = weatherShare(w, day)
	return l, true
}

func plausible(v float32) bool { return v >= 0 && v < 1e6 }

// weatherShare is how much of the daytime load's variance heating or cooling
// accounts for; 0 where the weather is not known or has no hand in it.
func weatherShare(w *sdk.Window, day []float32) float64 {
	if w.TemperatureC == nil {
		return 0
	}
	if fit, ok := robust.FitWeather(day, w.TemperatureC); ok {
		return fit.Explained
	}
	return 0
}

// openDays leaves out holidays and the day or the two neighbouring days of the
// week on which the daytime hardly rises above the night, where there are such.
func (l *shape) openDays(w *sdk.Window, days []int, day, night []float32) []int {
	var byWeekday [7][]float64
	var ordinary []int
	for _, d := range days {
		if w.Holiday != nil && w.Holiday[d] {
			continue
		}
		ordinary = append(ordinary, d)
		wd := (w.FirstDay + sdk.Date(d)).Weekday()
		byWeekday[wd] = append(byWeekday[wd], float64(day[d]-night[d]))
	}
	best, from, span := restDays{ratio: 1}, 0, 0
	for wd := range 7 {
		if r, ok := rest(&byWeekday, wd, 1); ok && r.ratio < best.ratio {
			best, from, span = r, wd, 1
		}
	}
	if span == 0 || best.ratio > 0.7 || best.t < 3 {
		return ordinary
	}
	for _, wd := range [...]int{(from + 6) % 7, from} { // with the day before, with the day after
		second := wd
		if wd == from {
			second = (from + 1) % 7
		}
		alone, ok := rest(&byWeekday, second, 1)
		both, bothOK := rest(&byWeekday, wd, 2)
		if ok && bothOK && alone.ratio < 0.7 && both.ratio < best.ratio+0.15 {
			best, from, span = both, wd, 2
			break
		}
	}
	l.closed, l.closedT, l.closedOn = best.ratio, best.t, weekdays(from, span)
	var open []int
	for _, d := range ordinary {
		if wd := int((w.FirstDay + sdk.Date(d)).Weekday()); (wd-from+7)%7 >= span {
			open = append(open, d)
		}
	}
	return open
}

// restDays compares some days of the week with the others.
type restDays struct {
	ratio float64 // height of the daytime above the night over that of the others, 0 or more
	t     float64 // the difference over its error
}

func rest(byWeekday *[7][]float64, from, span int) (restDays, bool) {
	var off, on []float64
	for wd := range 7 {
		if (wd-from+7)%7 >= span {
			on = append(on, byWeekday[wd]...)
			continue
		}
		if len(byWeekday[wd]) < 2 {
			return restDays{}, false
		}
		off = append(off, byWeekday[wd]...)
	}
	height := robust.Median(on)
	if len(on) < minOpen || !(height > 0.02) {
		return restDays{}, false
	}
	ratio := math.Max(robust.Median(off)/height, 0)
	scatter := 1.25 * math.Hypot(robust.MAD(off)/math.Sqrt(float64(len(off))), robust.MAD(on)/math.Sqrt(float64(len(on))))
	return restDays{ratio, height * (1 - ratio) / math.Max(scatter, 0.01*height)}, true
}

func weekdays(from, span int) string {
	names := [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	if span == 1 {
		return names[from]
	}
	return names[from] + " and " + names[(from+1)%7]
}
