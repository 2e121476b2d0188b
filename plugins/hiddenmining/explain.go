package hiddenmining

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// explanations weighs each innocent explanation of a constant load.
func (m *Measures) explanations(s *sdk.Subject) []sdk.Explanation {
	f := m.Factors
	out := []sdk.Explanation{
		graded("thermostat", m.cycling(), 0.25, 0.12, 0.06,
			"Cold rooms, heaters and pumps switch on and off; the load above its base changes from hour to hour by %.0f %% of its size."),
		m.weather(),
		graded("evening_trade", m.evening(), 0.3, 0.15, 0.05,
			"Shops and internet cafés that are open all night are busiest in the evening; then the load lies above that of the night by %.0f %% of its mean."),
	}
	if u, ok := f[StepUniform]; ok {
		out = append(out,
			graded("ev_charging", 1-u, 0.6, 0.3, 0.15, "A vehicle charges for some hours; the least of the rises in the parts of the day falls short of the greatest by %.0f %%."),
			graded("opening_hours", 1-u, 0.5, 0.25, 0.12, "A business that grew rises most while it is open; the rises in the parts of the day differ by %.0f %%."))
	} else {
		out = append(out, sdk.Explanation{Code: "ev_charging", Outcome: sdk.Open, Text: "No step from which the added load's hours could be told."})
	}
	out = append(out, m.servers())
	registration := sdk.Explanation{Code: "registered_data_centre", Outcome: sdk.RuledOut, Text: "The records hold no registration as a data centre."}
	if s.Flag(sdk.AttrRegisteredDC) {
		registration.Outcome, registration.Text = sdk.Explains, "The customer is registered as a data centre."
	}
	declared := sdk.Explanation{Code: "declared_use", Outcome: sdk.Unlikely, Text: fmt.Sprintf("The declared use (%q) is not flat day and night.", s.Text(sdk.AttrDeclaredUse))}
	if s.Flag(sdk.AttrExpectedFlat) && s.Text(sdk.AttrDeclaredUse) != "data_centre" {
		declared.Outcome, declared.Text = sdk.Explains, fmt.Sprintf("The declared use (%q) is flat day and night by nature.", s.Text(sdk.AttrDeclaredUse))
		if high := s.Number(sdk.AttrExpectedHighKWh); high > 0 && 24*m.meanKW > high {
			declared.Outcome = sdk.Open
			declared.Text += fmt.Sprintf(" It takes %.0f kWh a day where such a use takes %.0f at most.", 24*m.meanKW, high)
		}
	}
	return append(out, registration, declared)
}

// weather asks the temperature where the window has it, and else how steady
// the constant part is from day to day.
func (m *Measures) weather() sdk.Explanation {
	if x, ok := m.Factors[WeatherShare]; ok {
		return graded("weather", x, 0.5, 0.2, 0.05, "Heating and cooling follow the weather; %.0f %% of the constant part goes with the outdoor temperature.")
	}
	return graded("weather", m.drifting(), 0.2, 0.1, 0.05,
		"Heating and cooling follow the weather; the constant part changes from day to day by %.0f %% of its size. (No temperature to compare with.)")
}

// evening is how far the evening lies above the night, a share of the mean.
func (m *Measures) evening() float64 {
	night, evening := between(m.s.night, 0, len(m.s.day)), between(m.s.evening, 0, len(m.s.day))
	x := (evening - night) / max(m.meanKW, 0.01)
	if math.IsNaN(x) {
		return 0
	}
	return max(x, 0)
}

// servers says that other computers look the same, unless something tells.
func (m *Measures) servers() sdk.Explanation {
	e := sdk.Explanation{Code: "servers", Outcome: sdk.Open, Text: "Servers run day and night like mining machines; a load cannot tell them apart, a visit can."}
	switch {
	case m.Factors[Notch] > 0.15:
		e.Outcome, e.Text = sdk.RuledOut, "Servers run day and night like mining machines, but are not switched off in the evening peak."
	case m.stepped() && !m.standing && m.st.Rise > 8:
		e.Outcome, e.Text = sdk.Unlikely, fmt.Sprintf("Servers run day and night like mining machines, but %.1f kW of them at once is a data centre.", m.st.Rise)
	}
	return e
}

// cycling is how much the constant part changes from hour to hour, a share of it.
func (m *Measures) cycling() float64 {
	if x, ok := m.Factors[StepNoise]; ok {
		return max(x, 0)
	}
	return m.Factors[Roughness]
}

// drifting is how much the constant part changes from day to day, a share of it.
func (m *Measures) drifting() float64 {
	if x, ok := m.Factors[StepDrift]; ok {
		return max(x, 0)
	}
	return m.Factors[DayToDay]
}

// graded turns a measured share into an outcome by three limits, and puts the
// share in percent into the text.
func graded(code string, x, explains, open, unlikely float64, text string) sdk.Explanation {
	e := sdk.Explanation{Code: code, Outcome: sdk.RuledOut, Text: fmt.Sprintf(text, 100*x)}
	switch {
	case x >= explains:
		e.Outcome = sdk.Explains
	case x >= open:
		e.Outcome = sdk.Open
	case x >= unlikely:
		e.Outcome = sdk.Unlikely
	}
	return e
}
