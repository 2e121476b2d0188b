package sim

import (
	"math"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

const (
	intervals = 96            // of a quarter of an hour in a day
	step      = 24. / 96      // hours
	latitude  = 42.0          // degrees north; on the zero meridian, so that solar time is UTC
	duskAngle = -1.5          // elevation of the sun below which lamps are lit, degrees
	deg       = math.Pi / 180 //
)

// dayKW is the mean power of each interval of a day, kW (or kvar).
type dayKW [intervals]float64

// env is what every load of the district feels on one day.
type env struct {
	date    curve.Date
	day     int          // days since the first day of the history
	weekday time.Weekday //
	rest    bool         // weekend or holiday
	tempC   dayKW        // air temperature at mid-interval
	dark    dayKW        // share of the interval with lamps lit, 0 … 1
	meanC   float64      // of the day
	smoothC float64      // mean of the last days as walls feel it
}

// makeEnv computes the environment of a day.
func makeEnv(seed uint64, first, date curve.Date) *env {
	e := &env{date: date, day: int(date - first), weekday: date.Weekday()}
	e.rest = e.weekday == time.Saturday || e.weekday == time.Sunday || holidayName(date) != ""
	for i := range e.tempC {
		h := (float64(i) + 0.5) * step
		e.tempC[i] = temperature(seed, date, h)
		e.meanC += e.tempC[i] / intervals
		for q := range 5 { // five samples of an interval, three minutes apart
			if sunElevation(date, float64(i)*step+(float64(q)+0.5)*step/5) < duskAngle {
				e.dark[i] += 0.2
			}
		}
	}
	e.smoothC = 0.6*e.meanC + 0.4*temperature(seed, date-1, 12)
	return e
}

// temperature is the air temperature at hour h of the date, °C: a continental
// year of 12 ± 11.5 °C, weather of some days' length, and the day's swing.
func temperature(seed uint64, date curve.Date, h float64) float64 {
	x := float64(date) + h/24
	year := 12 - 11.5*math.Cos(2*math.Pi*(dayOfYear(date)+h/24-20)/365.25)
	spell := 4*smoothNoise(x, 6, seed, streamWeather, 1) + 2*smoothNoise(x, 2, seed, streamWeather, 2)
	swing := 4 + 2*smoothNoise(x, 3, seed, streamWeather, 3)
	return year + spell - swing*math.Cos(2*math.Pi*(h-3)/24)
}

func dayOfYear(date curve.Date) float64 { return float64(date.Start(time.UTC).YearDay()) }

// sunElevation is the height of the sun above the horizon, degrees (Cooper's
// declination; the equation of time is left out).
func sunElevation(date curve.Date, h float64) float64 {
	decl := 23.45 * deg * math.Sin(2*math.Pi*(284+dayOfYear(date))/365)
	lat := latitude * deg
	s := math.Sin(lat)*math.Sin(decl) + math.Cos(lat)*math.Cos(decl)*math.Cos((h-12)*15*deg)
	return math.Asin(s) / deg
}

// holidayName names the district's public holidays, "" on other days.
func holidayName(date curve.Date) string {
	_, m, d := date.Start(time.UTC).Date()
	switch {
	case m == time.January && d <= 2:
		return "New Year"
	case m == time.March && d == 21:
		return "Spring Day"
	case m == time.May && d == 1:
		return "Labour Day"
	case m == time.August && d == 31:
		return "District Day"
	case m == time.December && (d == 25 || d == 26):
		return "Midwinter"
	}
	return ""
}

// block adds kw from hour `from` for `hours`, sharing it out over the
// intervals that it touches. What runs past midnight is left to the next day,
// which draws its own events.
func (p *dayKW) block(from, hours, kw float64) {
	a, b := from/step, (from+hours)/step
	if b > intervals {
		b = intervals
	}
	if a < 0 {
		a = 0
	}
	for i := int(a); float64(i) < b; i++ {
		lo, hi := math.Max(a, float64(i)), math.Min(b, float64(i)+1)
		p[i] += kw * (hi - lo)
	}
}

// sum is the day's energy, kWh.
func (p *dayKW) sum() float64 {
	var s float64
	for _, v := range p {
		s += v
	}
	return s * step
}
