package drivers

import (
	"math"
	"time"

	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Meter returns the utility's meter number of d: its ID where none is set.
func (d *Device) Meter() string {
	if d.MeterID != "" {
		return d.MeterID
	}
	return d.ID
}

// Reading makes a reading of d out of a decoded value, and brings secondary
// values to primary. It is the one place where a ratio is applied.
func (d *Device) Reading(q meter.Quantity, side profile.Side, v profile.Value, event, received time.Time, raw []byte) meter.Reading {
	r := meter.Reading{
		DeviceID: d.ID, MeterID: d.Meter(), Quantity: q,
		Value: v.Number, Quality: v.Quality, Flags: v.Flags, Detail: v.Detail,
		EventTime: event, ReceiveTime: received, Raw: raw,
	}
	if side == profile.Secondary {
		factor, known := d.factor(q, event)
		r.Value *= factor
		if !known && r.Quality == meter.Good {
			r.Quality = meter.Uncertain
			r.Detail = "secondary value: the usage point has a factor but neither ct_ratio nor pt_ratio; set both"
		}
	}
	return r
}

// RatioAt returns the ratio that holds at a moment, the zero Ratio where none
// does.
func (d *Device) RatioAt(at time.Time) Ratio {
	for i := len(d.Ratios) - 1; i >= 0; i-- {
		if r := d.Ratios[i]; !r.From.After(at) {
			return r
		}
	}
	return Ratio{}
}

// factor returns what brings a secondary value of q to primary, and whether
// that is known. A factor without its two ratios says nothing about currents
// and voltages.
func (d *Device) factor(q meter.Quantity, at time.Time) (factor float64, known bool) {
	held := d.RatioAt(at)
	var ratio float64
	switch q.Unit() {
	case meter.KilowattHour, meter.KilovarHour, meter.Kilowatt, meter.Kilovar, meter.KilovoltAmp:
		if held.Factor == 0 {
			return 1, true
		}
		return held.Factor, true
	case meter.Ampere:
		ratio = held.CT
	case meter.Volt:
		ratio = held.PT
	default:
		return 1, true
	}
	if ratio == 0 {
		return 1, held.Factor == 0 || held.Factor == 1
	}
	return ratio, true
}

// Failed returns a bad-quality reading for every point of a group of d's
// profile: what a read that obtained nothing delivers.
func (d *Device) Failed(group int, at time.Time, flags meter.Flags, detail string) []meter.Reading {
	points := d.Profile.Groups()[group].Points
	quantities := d.Profile.Quantities()
	out := make([]meter.Reading, len(points))
	for i, p := range points {
		out[i] = d.FailedPoint(quantities[p], at, flags, detail)
	}
	return out
}

// AllFailed is Failed for the points of every group.
func (d *Device) AllFailed(at time.Time, flags meter.Flags, detail string) []meter.Reading {
	var out []meter.Reading
	for group := range d.Profile.Groups() {
		out = append(out, d.Failed(group, at, flags, detail)...)
	}
	return out
}

// FailedPoint returns a bad-quality reading of one quantity.
func (d *Device) FailedPoint(q meter.Quantity, at time.Time, flags meter.Flags, detail string) meter.Reading {
	return meter.Reading{
		DeviceID: d.ID, MeterID: d.Meter(), Quantity: q, Value: math.NaN(),
		EventTime: at, ReceiveTime: at, Quality: meter.Bad, Flags: flags, Detail: detail,
	}
}
