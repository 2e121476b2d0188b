package declareduse

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Weights of what a public supply carries outside its institution's use, in
// log-odds.
const (
	maxDaylight = 4.0 // street lighting that is never dark at the meter
	maxShared   = 3.5 // constant power on a supply of corridors and lifts
	maxRestDays = 1.2 // a school's load on weekends and holidays
)

// public looks for loads outside the use that an institution has.
func (v *verdict) public(l *load, s *sdk.Subject) {
	switch s.Text(sdk.AttrDeclaredUse) {
	case "street_light":
		v.daylight(l)
	case "corridor", "lift":
		v.shared(l, s)
	case "school":
		v.restDays(l)
	}
}

// daylight: lamps go out in the morning, whatever the season.
func (v *verdict) daylight(l *load) {
	if !(l.minKW > 0.2) || !(l.night > 0) {
		return
	}
	ratio := l.minKW / math.Max(l.night, l.minKW)
	weight := maxDaylight * ramp(ratio, 0.1, 0.4) * ramp(l.minKW, 0.2, 1)
	v.add(sdk.Evidence{Code: "daytime_load", Value: l.minKW, Unit: "kW", LogOdds: weight,
		Text: fmt.Sprintf("The lowest hour of the day still takes %.2f kW, %.0f %% of the night: lamps would be out.", l.minKW, 100*ratio)}, "public_supply_abused")
	if weight >= negligible {
		v.explain("signs_and_cameras", sdk.Open, "Traffic signals, cameras and signs on a lighting circuit take some hundred watts around the clock; this is %.2f kW.", l.minKW)
	}
}

// shared: lamps of a corridor burn at night or on demand, lifts and pumps run
// now and then; power that never changes is none of them, unless it is small.
func (v *verdict) shared(l *load, s *sdk.Subject) {
	usual := s.Number(sdk.AttrPeerMedianKWh)
	if !(s.Number(sdk.AttrPeerCount) >= 10) || !(usual > 0) {
		usual = math.Sqrt(math.Max(s.Number(sdk.AttrExpectedHighKWh), 1) * math.Max(s.Number(sdk.AttrExpectedLowKWh), 1))
	}
	if !(usual > 0) {
		return
	}
	ratio := l.kwhDay / usual
	weight := maxShared * ramp(constant(l), 0.6, 0.85) * ramp(math.Log(ratio), math.Log(2), math.Log(6)) * ramp(l.minKW, 0.3, 1)
	v.add(sdk.Evidence{Code: "constant_on_shared_supply", Value: l.minKW, Unit: "kW", LogOdds: weight,
		Text: fmt.Sprintf("The lowest hour of the day still takes %.2f kW, %.0f %% of the mean, with %.1f times the energy that is usual for such a supply.", l.minKW, 100*constant(l), ratio)}, "public_supply_abused")
	if weight >= negligible {
		v.explain("lamps_that_never_go_out", sdk.Open, "Old corridor lamps burn day and night, 5 to 20 W each: %.2f kW would be %.0f lamps of 10 W.", l.minKW, 100*l.minKW)
	}
}

// constant is the share of the mean that the lowest hour still takes.
func constant(l *load) float64 { return l.minKW / math.Max(l.meanKW, 1e-3) }

// restDays: a school is shut on weekends and holidays.
func (v *verdict) restDays(l *load) {
	if !(l.restDay > 0.5) || !(l.day > 0) {
		return
	}
	ratio := l.restDay / l.day
	weight := maxRestDays * ramp(ratio, 0.6, 0.9) * ramp(constant(l), 0.55, 0.8)
	v.add(sdk.Evidence{Code: "rest_day_load", Value: ratio, LogOdds: weight,
		Text: fmt.Sprintf("On weekends and holidays the daytime load is %.0f %% of that of school days (%.1f kW); the lowest hour is %.0f %% of the mean.", 100*ratio, l.restDay, 100*constant(l))}, "public_supply_abused")
	if weight >= negligible {
		v.explain("boarding_or_holidays", sdk.Open, "A boarding school, or a month that is all holidays, looks so; the calendar says which days are.")
	}
}
