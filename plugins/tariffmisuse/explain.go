package tariffmisuse

import (
	"fmt"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Powers and shares that explanations are tested against.
const (
	homeOfficeKW = 0.8 // computers, lamps and a fan heater of one room at the most
	familyRatio  = 0.9 // a full home's daytime is no lower on days of rest
)

// explanations lists the innocent readings of the load with what was tested.
func (v *verdict) explanations(w *sdk.Window, l *shape, b billed) []sdk.Explanation {
	var out []sdk.Explanation
	add := func(code string, outcome sdk.Outcome, format string, args ...any) {
		out = append(out, sdk.Explanation{Code: code, Outcome: outcome, Text: fmt.Sprintf(format, args...)})
	}
	choose := func(condition bool, yes, no sdk.Outcome) sdk.Outcome {
		if condition {
			return yes
		}
		return no
	}
	rise := l.day - l.night
	switch {
	case w.TemperatureC == nil:
		add("heating_or_cooling", sdk.Open, "There is no weather to hold the daytime load against.")
	default:
		add("heating_or_cooling", choose(l.weather > 0.3, sdk.Open, sdk.Unlikely), "Degree days explain %.0f %% of how the daytime load changes from day to day.", 100*l.weather)
	}
	if v.excess > 0 && v.flat <= v.core || v.core > 0 {
		add("home_office", choose(rise > 2*homeOfficeKW, sdk.Unlikely, sdk.Open), "The daytime stands %.2f kW above the night; work at home in one room takes up to %.1f kW.", rise, homeOfficeKW)
		add("large_family", choose(l.closed < familyRatio, sdk.RuledOut, choose(l.plateau > 0.7, sdk.Unlikely, sdk.Open)),
			"A full home is fullest on days of rest, and its highest hour is a meal: %s, and the working day's mean is %.0f %% of the highest hour.", restText(l), 100*l.plateau)
		add("timer_or_pump", choose(l.closed < familyRatio, sdk.RuledOut, sdk.Open), "A pump or heater on a timer runs every day alike; %s.", restText(l))
		add("ev_charging", choose(l.wander < 0.3, sdk.Unlikely, sdk.Open), "A car charges on some days and for some hours: the daytime load of open days wanders by %.0f %% of its height.", 100*l.wander)
	}
	add("holiday_home", choose(l.idle > 0.15, sdk.Open, sdk.RuledOut), "%.0f %% of the days lie below a fifth of the usual day.", 100*l.idle)
	if b.class == "agricultural" || b.class == "residential" {
		add("farm_house", choose(l.closed < familyRatio, sdk.Unlikely, sdk.Open), "Animals and greenhouses know no day of rest; %s.", restText(l))
	}
	if v.flat > 0 {
		add("cold_storage", choose(l.weather > 0.15, sdk.Open, sdk.Unlikely), "Compressors follow the outdoor temperature and cycle; degree days explain %.0f %%, and %.0f %% of the hours lie within ±3 %%.", 100*l.weather, 100*l.flat)
	}
	if b.trade {
		add("records_error", sdk.Open, "The office knows of the trade: the tariff may be its own mistake, or a rule that allows it.")
	}
	return out
}

func restText(l *shape) string {
	if l.closedOn == "" {
		return "this load has no day of rest"
	}
	return "this load rests on " + l.closedOn
}
