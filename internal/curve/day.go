package curve

import (
	"math"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Day is a meter-day: the curve of one meter on one local day. A day has 24,
// 48, 96 or 288 intervals, and 23 or 25 hours' worth of them at clock changes.
type Day struct {
	MeterID   string
	Date      Date
	Start     time.Time // the instant of local midnight, UTC
	Interval  time.Duration
	EnergyKWh []float64       // energy of each interval, kWh, primary; NaN where missing
	Quality   []meter.Quality // one for each interval
	Flags     []meter.Flags   // one for each interval; nil where none is set

	// Open marks a day that is still in progress. It is replaced without
	// keeping a version, and detection does not see it.
	Open bool

	// Origin says how this version of the day came about.
	Origin Origin

	// Other holds interval means of further quantities where the meter gives
	// them (reactive power, voltages, power factor, THD), in the quantity's
	// unit, NaN where missing, each as long as EnergyKWh.
	Other map[meter.Quantity][]float32
}

// Intervals returns the number of intervals of the day.
func (d *Day) Intervals() int { return len(d.EnergyKWh) }

// PowerKW returns the mean power of interval i in kW, NaN where missing.
func (d *Day) PowerKW(i int) float64 { return d.EnergyKWh[i] / d.Interval.Hours() }

// TotalKWh returns the energy of the intervals that are not bad, and how many those are.
func (d *Day) TotalKWh() (kwh float64, usable int) {
	for i, e := range d.EnergyKWh {
		if d.Quality[i] != meter.Bad && !math.IsNaN(e) {
			kwh += e
			usable++
		}
	}
	return kwh, usable
}

// Flag sets flags on interval i.
func (d *Day) Flag(i int, f meter.Flags) {
	if d.Flags == nil {
		d.Flags = make([]meter.Flags, len(d.EnergyKWh))
	}
	d.Flags[i] |= f
}

// Usable reports whether interval i has a value that is not bad.
func (d *Day) Usable(i int) bool {
	return d.Quality[i] != meter.Bad && !math.IsNaN(d.EnergyKWh[i])
}
