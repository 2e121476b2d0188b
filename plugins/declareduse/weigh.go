package declareduse

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// verdict is the evidence on one usage point.
type verdict struct {
	total    float64
	evidence []sdk.Evidence
	innocent []sdk.Explanation
	reasons  []reasonWeight
	excess   float64 // kWh a day beyond what the use takes at the most
	over     bool    // the contracted power is exceeded
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
	maxSustained = 0.7 // more, where many hours are above the contract
	maxNightRise = 1.5
	negligible   = 0.05
)

func ramp(x, lo, hi float64) float64 { return robust.Ramp(x, lo, hi) }

// weigh compares a load with what the records say of its use.
func (c *Config) weigh(l *load, s *sdk.Subject, over *overContract) verdict {
	v := verdict{total: unremarkable}
	v.energy(c, l, s)
	v.closedHours(l, s)
	v.public(l, s)
	v.capacity(c, l, s, over)
	return v
}

// add takes a piece of evidence; reasons stay in order of their weight.
func (v *verdict) add(e sdk.Evidence, reason string) {
	if e.LogOdds < negligible {
		return
	}
	v.total += e.LogOdds
	v.evidence = append(v.evidence, e)
	for i := range v.reasons {
		if v.reasons[i].code == reason {
			v.reasons[i].weight += e.LogOdds
			return
		}
	}
	v.reasons = append(v.reasons, reasonWeight{reason, e.LogOdds})
}

// reasonWeight is a reason code with the evidence that supports it.
type reasonWeight struct {
	code   string
	weight float64
}

// codes lists the reasons, the best supported first.
func (v *verdict) codes() []string {
	ordered := slices.Clone(v.reasons)
	slices.SortStableFunc(ordered, func(x, y reasonWeight) int { return cmp.Compare(y.weight, x.weight) })
	out := make([]string, len(ordered))
	for i, r := range ordered {
		out[i] = r.code
	}
	return out
}

func (v *verdict) explain(code string, outcome sdk.Outcome, format string, args ...any) {
	v.innocent = append(v.innocent, sdk.Explanation{Code: code, Outcome: outcome, Text: fmt.Sprintf(format, args...)})
}

// useOf names the declared use in texts.
func useOf(s *sdk.Subject) string {
	if use := s.Text(sdk.AttrDeclaredUse); sdk.ValidCode(use) {
		return use
	}
	return "not in the catalogue"
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
	return 1 - 0.6*ramp(math.Log(high/math.Max(low, 0.5)), 3.2, 5)
}

// energy compares what is left when the weather's part is taken off: a cold
// month makes nobody suspect.
func (v *verdict) energy(c *Config, l *load, s *sdk.Subject) {
	high := expectedHigh(s)
	if !(high > 0) {
		return
	}
	net := math.Max(l.kwhDay-24*l.heating.part, 0)
	ratio := net / high
	v.excess = math.Max(net-high, 0)
	weight := breadth(s) * (2*ramp(math.Log(ratio), 0, math.Log(3)) + (maxEnergy-2)*ramp(math.Log(ratio), math.Log(3), math.Log(8)))
	text := fmt.Sprintf("The load takes %.0f kWh a day", l.kwhDay)
	if l.heating.part > 0 {
		text += fmt.Sprintf(", %.0f of which follow the weather", 24*l.heating.part)
	}
	text += fmt.Sprintf("; the declared use (%s) hardly takes more than %.0f.", useOf(s), high)
	if contracted := s.Number(sdk.AttrContractedKVA); contracted > 0 && contracted < 1e6 {
		text += fmt.Sprintf(" That is %.0f kWh in 30 days, %.0f %% of what the contracted %.0f kVA could give.", 30*l.kwhDay, 100*l.meanKW/(contracted*c.PowerFactor), contracted)
	}
	v.add(sdk.Evidence{Code: "energy_over_use", Value: ratio, LogOdds: weight, Text: text}, "use_not_declared")
	switch {
	case weight < negligible && 24*l.heating.part > 0.2*high:
		v.explain("heating_or_cooling", sdk.Explains, "Degree days explain %.0f %% of the daily energy's changes; %.0f kWh a day go with the weather.", 100*l.heating.explained, 24*l.heating.part)
	case weight < negligible:
	case !l.heating.known:
		v.explain("heating_or_cooling", sdk.Open, "There is no weather, or too little of it, to hold the energy against.")
	default:
		v.explain("heating_or_cooling", sdk.Unlikely, "Degree days explain %.0f %% of the daily energy's changes (%.2f kW for each degree); without their part %.0f kWh a day are left.", 100*l.heating.explained, l.heating.perK, net)
	}
}

func (v *verdict) closedHours(l *load, s *sdk.Subject) {
	expected, high := s.Number(sdk.AttrExpectedNight), s.Number(sdk.AttrExpectedHighKWh)
	if !(expected > 0) || !(l.day > 0) || s.Flag(sdk.AttrExpectedFlat) {
		return
	}
	material := 1.0
	if high > 0 { // against a middling user of this kind, not the largest
		middling := math.Sqrt(high * math.Max(s.Number(sdk.AttrExpectedLowKWh), 1))
		material = ramp(l.kwhDay/middling, 0.5, 2)
	}
	night := math.Max(l.night-l.nightHeat.part, 0)
	ratio := night / l.day
	weight := maxNight * material * ramp(math.Log(math.Max(ratio, 1e-3)/expected), 0.15, 1)
	v.add(sdk.Evidence{Code: "night_day_ratio", Value: ratio, LogOdds: weight,
		Text: fmt.Sprintf("At night the load is %.2f times that of working hours; the declared use (%s) hardly exceeds %.2f.", ratio, useOf(s), expected)}, "night_load_in_closed_hours")
	if expected < 1 {
		weight = maxFlat * material * ramp(l.flat, 0.4, 0.8)
		v.add(sdk.Evidence{Code: "flat_share", Value: l.flat, LogOdds: weight,
			Text: fmt.Sprintf("%.0f %% of the hours lie within ±3 %% of the day's median; the declared use opens and closes.", 100*l.flat)}, "use_not_declared")
	}
	if rise := l.nightRise; rise > 0 && s.Text(sdk.AttrDeclaredUse) != "dwelling" {
		weight := maxNightRise * ramp(l.nightT, 3, 6) * ramp(rise/math.Max(l.night-rise, 0.05), 0.3, 1) * (1 - ramp(l.nightHeat.explained, 0.3, 0.7))
		v.add(sdk.Evidence{Code: "night_rise", Value: rise, Unit: "kW", LogOdds: weight,
			Text: fmt.Sprintf("The night load rose by %.2f kW within the window, and the daytime load did not rise with it.", rise)}, "night_load_in_closed_hours")
	}
	if len(v.reasons) == 0 {
		return
	}
	v.explain("growing_business", sdk.Unlikely, "A business that grew takes more while it is open; the night load is %.2f times that of working hours.", ratio)
	if l.nightHeat.known {
		outcome := sdk.Unlikely
		if l.nightHeat.explained > 0.3 {
			outcome = sdk.Open
		}
		v.explain("night_heating", outcome, "Degree days explain %.0f %% of the night load's changes.", 100*l.nightHeat.explained)
	}
}

// finding writes down what does not go with the declared use.
func (v *verdict) finding(w *sdk.Window, s *sdk.Subject, l *load, p float64) sdk.Finding {
	codes := v.codes()
	f := sdk.Finding{
		Subject: s.ID, Kind: sdk.UsagePoint, Reason: codes[0], AlsoReasons: codes[1:], Probability: p,
		FirstDay: w.FirstDay + sdk.Date(l.first), LastDay: w.FirstDay + sdk.Date(l.last),
		ExcessKWhMonth: 30 * v.excess, Evidence: v.evidence, Innocent: v.innocent,
	}
	seasonal := sdk.Explanation{Code: "seasonal_use", Outcome: sdk.Open, Text: fmt.Sprintf("Judged on %d days; a harvest or a season of guests would pass.", l.last-l.first+1)}
	if w.Days > 80 {
		seasonal.Outcome = sdk.Unlikely
	}
	f.Innocent = append(f.Innocent, seasonal)
	return f
}
