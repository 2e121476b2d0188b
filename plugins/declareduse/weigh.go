package declareduse

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// verdict is the evidence on one usage point.
type verdict struct {
	total    float64
	evidence []sdk.Evidence
	innocent []sdk.Explanation
	reasons  []string
	excess   float64 // kWh a day beyond what the use takes at the most
}

// Weights, in log-odds. A use of many sizes (an office may be a room or a
// tower) says little by its energy, one of few sizes much; closed hours speak
// for themselves only where the load is material for the use.
const (
	unremarkable = -0.7 // the load goes with the use in all that is looked at
	maxEnergy    = 4.0
	maxNight     = 2.5
	maxFlat      = 1.0
	maxCapacity  = 1.0
	maxTariff    = 1.0
	maxNightRise = 1.5
	assumedPF    = 0.95
)

// weigh compares a load with what the records say of its use.
func weigh(l *load, s *sdk.Subject) verdict {
	v := verdict{total: unremarkable}
	v.energy(l, s)
	v.closedHours(l, s)
	v.capacity(l, s)
	v.tariff(l, s)
	return v
}

func (v *verdict) add(e sdk.Evidence, reason string) {
	if e.LogOdds < 0.05 {
		return
	}
	v.total += e.LogOdds
	v.evidence = append(v.evidence, e)
	for _, r := range v.reasons {
		if r == reason {
			return
		}
	}
	v.reasons = append(v.reasons, reason)
}

// expectedHigh is the daily energy that the use hardly exceeds: the
// catalogue's figure, or that of the peers where nine in ten of them take more.
func expectedHigh(s *sdk.Subject) float64 {
	high := s.Number(sdk.AttrExpectedHighKWh)
	if peers := s.Number(sdk.AttrPeerHighKWh); s.Number(sdk.AttrPeerCount) >= 10 && peers > high {
		return peers
	}
	return high
}

// breadth is 1 for a use of few sizes and falls to 0.4 for one of many.
func breadth(s *sdk.Subject) float64 {
	low, high := s.Number(sdk.AttrExpectedLowKWh), s.Number(sdk.AttrExpectedHighKWh)
	return 1 - 0.6*robust.Ramp(math.Log(high/math.Max(low, 0.5)), 3.2, 5)
}

func (v *verdict) energy(l *load, s *sdk.Subject) {
	high := expectedHigh(s)
	if !(high > 0) {
		return
	}
	ratio := l.kwhDay / high
	v.excess = math.Max(l.kwhDay-high, 0)
	weight := breadth(s) * (2*robust.Ramp(math.Log(ratio), 0, math.Log(3)) + (maxEnergy-2)*robust.Ramp(math.Log(ratio), math.Log(3), math.Log(8)))
	v.add(sdk.Evidence{Code: "energy_over_use", Value: ratio, LogOdds: weight,
		Text: fmt.Sprintf("The load takes %.0f kWh a day; the declared use (%s) hardly takes more than %.0f.", l.kwhDay, s.Text(sdk.AttrDeclaredUse), high)}, "use_not_declared")
}

func (v *verdict) closedHours(l *load, s *sdk.Subject) {
	expected, high := s.Number(sdk.AttrExpectedNight), s.Number(sdk.AttrExpectedHighKWh)
	if !(expected > 0) || !(l.day > 0) || s.Flag(sdk.AttrExpectedFlat) {
		return
	}
	material := 1.0
	if high > 0 { // against a middling user of this kind, not the largest
		middling := math.Sqrt(high * math.Max(s.Number(sdk.AttrExpectedLowKWh), 1))
		material = robust.Ramp(l.kwhDay/middling, 0.5, 2)
	}
	ratio := l.night / l.day
	weight := maxNight * material * robust.Ramp(math.Log(math.Max(ratio, 1e-3)/expected), 0.15, 1)
	v.add(sdk.Evidence{Code: "night_day_ratio", Value: ratio, LogOdds: weight,
		Text: fmt.Sprintf("At night the load is %.2f times that of working hours; the declared use (%s) hardly exceeds %.2f.", ratio, s.Text(sdk.AttrDeclaredUse), expected)}, "night_load_in_closed_hours")
	if expected < 1 {
		weight = maxFlat * material * robust.Ramp(l.flat, 0.4, 0.8)
		v.add(sdk.Evidence{Code: "flat_share", Value: l.flat, LogOdds: weight,
			Text: fmt.Sprintf("%.0f %% of the hours lie within ±3 %% of the day's median; the declared use opens and closes.", 100*l.flat)}, "use_not_declared")
	}
	if rise := l.nightRise; rise > 0 && s.Text(sdk.AttrDeclaredUse) != "dwelling" {
		weight := maxNightRise * robust.Ramp(l.nightT, 3, 6) * robust.Ramp(rise/math.Max(l.night-rise, 0.05), 0.3, 1)
		v.add(sdk.Evidence{Code: "night_rise", Value: rise, Unit: "kW", LogOdds: weight,
			Text: fmt.Sprintf("The night load rose by %.2f kW within the window, and the daytime load did not rise with it.", rise)}, "night_load_in_closed_hours")
	}
	outcome := sdk.Explains
	if weight > 0 || len(v.reasons) > 0 {
		outcome = sdk.Unlikely
	}
	v.innocent = append(v.innocent, sdk.Explanation{Code: "growing_business", Outcome: outcome,
		Text: "A business that grew takes more while it is open; what was added here runs in closed hours too."})
}

func (v *verdict) capacity(l *load, s *sdk.Subject) {
	contracted := s.Number(sdk.AttrContractedKVA)
	if !(contracted > 0) || math.IsNaN(l.peakKW) {
		return
	}
	ratio := l.peakKW / assumedPF / contracted
	weight := maxCapacity * robust.Ramp(ratio, 1.05, 1.6)
	v.add(sdk.Evidence{Code: "peak_over_contract", Value: ratio, LogOdds: weight,
		Text: fmt.Sprintf("One day in ten has an hour above %.1f kW, %.0f %% of the contracted %.0f kVA at a power factor of %.2f.", l.peakKW, 100*ratio, contracted, assumedPF)}, "above_contracted")
}

// tariff asks whether a household's tariff has a trade's load behind it.
func (v *verdict) tariff(l *load, s *sdk.Subject) {
	if s.Text(sdk.AttrTariffKind) != "residential" {
		return
	}
	high := expectedHigh(s)
	if !(high > 0) || s.Text(sdk.AttrDeclaredUse) != "dwelling" {
		return
	}
	weight := maxTariff * robust.Ramp(l.kwhDay/high, 1.5, 3) * robust.Ramp(l.flat, 0.2, 0.6)
	v.add(sdk.Evidence{Code: "trade_on_household_tariff", Value: l.kwhDay, Unit: "kWh", LogOdds: weight,
		Text: fmt.Sprintf("On a household tariff the load takes %.0f kWh a day at constant power.", l.kwhDay)}, "trade_on_household_tariff")
}

// finding writes down what does not go with the declared use.
func (v *verdict) finding(w *sdk.Window, s *sdk.Subject, l *load, p float64) sdk.Finding {
	f := sdk.Finding{
		Subject: s.ID, Kind: sdk.UsagePoint, Reason: v.reasons[0], AlsoReasons: v.reasons[1:], Probability: p,
		FirstDay: w.FirstDay + sdk.Date(l.first), LastDay: w.FirstDay + sdk.Date(l.last),
		ExcessKWhMonth: 30 * v.excess, Evidence: v.evidence, Innocent: v.innocent,
	}
	seasonal := sdk.Explanation{Code: "seasonal_use", Outcome: sdk.Open, Text: fmt.Sprintf("Judged on %d days; heating, cooling or a harvest would pass with the season.", l.last-l.first+1)}
	if w.Days > 80 {
		seasonal.Outcome = sdk.Unlikely
	}
	f.Innocent = append(f.Innocent, seasonal)
	return f
}
