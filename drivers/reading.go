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
		factor, known := d.factor(q)
		r.Value *= factor
		if !known && r.Quality == meter.Good {
			r.Quality = meter.Uncertain
			r.Detail = "secondary value: the device has a factor but neither ct_ratio nor pt_ratio; set both"
		}
	}
	return r
}

// factor returns what brings a secondary value of q to primary, and whether
// that is known. A factor without its two ratios says nothing about currents
// and voltages.
func (d *Device) factor(q meter.Quantity) (factor float64, known bool) {
	var ratio float64
	switch q.Unit() {
	case meter.KilowattHour, meter.KilovarHour, meter.Kilowatt, meter.Kilovar, meter.KilovoltAmp:
		if d.Factor == 0 {
			return 1, true
		}
		return d.Factor, true
	case meter.Ampere:
		ratio = d.CTRatio
	case meter.Volt:
		ratio = d.PTRatio
	default:
		return 1, true
	}
	if ratio == 0 {
		return 1, d.Factor == 0 || d.Factor == 1
	}
	return ratio, true
}

// Failed returns a bad-quality reading for every point of d's profile: what a
// read that obtained nothing delivers.
func (d *Device) Failed(at time.Time, flags meter.Flags, detail string) []meter.Reading {
	quantities := d.Profile.Quantities()
	out := make([]meter.Reading, len(quantities))
	for i, q := range quantities {
		out[i] = d.FailedPoint(q, at, flags, detail)
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
