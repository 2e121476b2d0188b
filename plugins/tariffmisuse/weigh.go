package tariffmisuse

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Weights, in log-odds. The shape of opening hours carries the rest: without
// it neither a closed day nor a high consumption says anything about a trade.
const (
	unremarkable  = -0.7 // nothing points to another class
	openingHours  = 2.2  // a plateau in business hours that the evening does not reach
	everyDayAlike = 1.0  // … of the same height day by day
	weeklyClosing = 2.0  // … and gone on one or two days of the week
	tradeEnergy   = 1.8  // … with more energy than homes take
	longHours     = 0.6  // share of all that where the plateau lasts into the evening
	sizeOfTrade   = 4.3  // far more than any home, at the same hours and height each day
	flatPower     = 3.2  // constant power round the clock
	recordsDiffer = 0.7  // category or declared use contradict the tariff
	knownTrade    = 0.25 // share of the evidence where the office knows of the trade
)

// verdict is the evidence on one usage point.
type verdict struct {
	total    float64
	evidence []sdk.Evidence
	reason   string
	also     []string
	business float64 // energy of opening hours above the night, kWh a day
	excess   float64 // kWh a day that fit another class
	core     float64 // 0 … 1: how much the hours are those of a trade
	flat     float64 // 0 … 1: how much the load is constant power
}

func (d *Detector) weigh(l *shape, s *sdk.Subject, b billed) verdict {
	v := verdict{total: unremarkable}
	share := 1.0
	if b.trade {
		share = knownTrade
		v.add(sdk.Evidence{Code: "records_differ", LogOdds: recordsDiffer,
			Text: fmt.Sprintf("The records have the category %q and the declared use %q with a tariff of class %s.", s.Text(sdk.AttrCategory), s.Text(sdk.AttrDeclaredUse), b.class)}, "records_differ")
	}
	d.trade(&v, l, s, b, share)
	d.constant(&v, l, s, b, share)
	return v
}

func (v *verdict) add(e sdk.Evidence, reason string) {
	if e.LogOdds < 0.05 {
		return
	}
	v.total += e.LogOdds
	v.evidence = append(v.evidence, e)
	switch {
	case v.reason == "" || v.reason == "records_differ":
		if v.reason != "" && v.reason != reason {
			v.also = append(v.also, v.reason)
		}
		v.reason = reason
	case v.reason != reason && (len(v.also) == 0 || v.also[len(v.also)-1] != reason):
		v.also = append(v.also, reason)
	}
}

// usualHigh is the daily energy that nine in ten of the class stay below.
func usualHigh(s *sdk.Subject) float64 {
	if peers := s.Number(sdk.AttrPeerHighKWh); s.Number(sdk.AttrPeerCount) >= 10 && peers > 0 {
		return peers
	}
	return s.Number(sdk.AttrExpectedHighKWh)
}

// trade looks for opening hours.
func (d *Detector) trade(v *verdict, l *shape, s *sdk.Subject, b billed, share float64) {
	if b.class == "public" && institution(s) {
		return
	}
	const hours = 8 // that the daytime feature spans
	v.business = hours * math.Max(l.day-l.night, 0)
	material := robust.Ramp(v.business/d.config.BusinessKWhDay, 1, 2.4)
	steady := robust.Ramp(0.45-l.wander, 0, 0.25)
	contrast := robust.Ramp(l.day/math.Max(l.night, 1e-3), 1.4, 2.5)
	short := robust.Ramp(l.plateau, 0.5, 0.72) * robust.Ramp(math.Log(l.dayOverEvening), 0.1, 0.7)
	long := longHours * robust.Ramp(l.longPlateau, 0.55, 0.75)
	closing := robust.Ramp(0.75-l.closed, 0, 0.35) * robust.Ramp(l.closedT, 3, 6)
	heating := math.Max(1-robust.Ramp(l.weather, 0.3, 0.7), closing) // the weather knows no day of rest
	v.core = material * contrast * heating * math.Max(short, long)
	if b.class == "agricultural" {
		// Milking, pumping and ventilation keep hours too, but no farm rests
		// on Sundays.
		v.core *= closing
	}
	core := v.core * share * math.Max(steady, 0.3)
	reason := "commercial_use_on_" + b.class + "_tariff"
	v.add(sdk.Evidence{Code: "opening_hours", Value: l.plateau, LogOdds: openingHours * core,
		Text: fmt.Sprintf("From 9 to 17 o'clock the load stands at %.2f kW, %.0f %% of the day's highest hour; at night it is %.2f kW, in the evening %.2f kW. Homes rise for hours, not for a working day.", l.day, 100*l.plateau, l.night, l.evening)}, reason)
	v.add(sdk.Evidence{Code: "every_day_alike", Value: 100 * l.wander, Unit: "%", LogOdds: everyDayAlike * core * steady,
		Text: fmt.Sprintf("On open days the daytime load wanders by %.0f %% of its height only.", 100*l.wander)}, reason)
	if l.closedOn != "" {
		v.add(sdk.Evidence{Code: "weekly_closing", Value: 100 * l.closed, Unit: "%", LogOdds: weeklyClosing * core * closing,
			Text: fmt.Sprintf("On %s the daytime load rises to %.0f %% of that of other days: a weekly day of rest, where homes are fuller.", l.closedOn, 100*l.closed)}, reason)
	}
	if high := usualHigh(s); high > 0 {
		ratio := l.kwhDay / high
		v.add(sdk.Evidence{Code: "energy_over_class", Value: ratio, LogOdds: tradeEnergy * core * robust.Ramp(math.Log(ratio), 0, math.Log(3)),
			Text: fmt.Sprintf("The load takes %.0f kWh a day; nine in ten of those billed so take less than %.0f.", l.kwhDay, high)}, reason)
	}
	if v.core > 0.2 {
		v.excess = v.business
	}
	d.size(v, l, s, b, share*(1-v.core)*heating)
}

// size looks for what no home is, whatever its hours: a kitchen or a laundry
// that takes several times what the largest of its peers do, as much on each
// day, and closes at night.
func (d *Detector) size(v *verdict, l *shape, s *sdk.Subject, b billed, share float64) {
	high := usualHigh(s)
	if expected := s.Number(sdk.AttrExpectedHighKWh); expected > high {
		high = math.Sqrt(high * expected) // small neighbours do not make a large home a trade
	}
	if b.class != "residential" || !(high > 0) {
		return
	}
	ratio := l.kwhDay / high
	busiest := math.Max(l.day, l.evening)
	weight := sizeOfTrade * share * robust.Ramp(math.Log(ratio), math.Log(2), math.Log(5)) *
		robust.Ramp(busiest/math.Max(l.night, 1e-3), 1.8, 3) * robust.Ramp(0.3-l.weekly, 0, 0.15)
	v.add(sdk.Evidence{Code: "size_of_a_trade", Value: l.kwhDay, Unit: "kWh", LogOdds: weight,
		Text: fmt.Sprintf("The load takes %.0f kWh a day, %.1f times what homes hardly exceed, and differs by %.0f %% from day to day only; at its busiest it takes %.2f kW, at night %.2f kW.", l.kwhDay, ratio, 100*l.weekly, busiest, l.night)},
		"commercial_use_on_residential_tariff")
	if weight > 1 {
		v.excess = math.Max(v.excess, l.kwhDay-high)
	}
}

// constant looks for power round the clock that the class does not have.
func (d *Detector) constant(v *verdict, l *shape, s *sdk.Subject, b billed, share float64) {
	declared := s.Flag(sdk.AttrExpectedFlat) && (s.Text(sdk.AttrDeclaredUse) != "data_centre" || s.Flag(sdk.AttrRegisteredDC))
	if declared {
		return // a cold store is known to be one; that its tariff is another is in the records
	}
	high := usualHigh(s)
	level := robust.Ramp(math.Log(l.kwhDay/d.config.FlatKWhDay), 0, 0.7)
	if high > 0 {
		level *= robust.Ramp(math.Log(l.kwhDay/high), 0, math.Log(4))
	}
	shape := robust.Ramp(l.flat, 0.4, 0.8) * robust.Ramp(l.loadFactor, 0.65, 0.85) * robust.Ramp(l.night/math.Max(l.day, 1e-3), 0.6, 0.85)
	v.flat = shape * level * (1 - robust.Ramp(l.weather, 0.3, 0.7))
	v.add(sdk.Evidence{Code: "constant_power", Value: 100 * l.loadFactor, Unit: "%", LogOdds: flatPower * v.flat * share,
		Text: fmt.Sprintf("Day and night the load stays near %.2f kW: its mean is %.0f %% of the highest hour, and %.0f %% of the hours lie within ±3 %%. Nothing that a %s tariff is for runs so.", l.kwhDay/24, 100*l.loadFactor, 100*l.flat, b.class)},
		"flat_use_on_"+b.class+"_tariff")
	if v.flat > 0.2 {
		v.excess = math.Max(v.excess, l.kwhDay-math.Max(high, 0))
		if math.IsNaN(high) {
			v.excess = l.kwhDay
		}
	}
}
