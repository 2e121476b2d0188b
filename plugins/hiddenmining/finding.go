package hiddenmining

import (
	"fmt"
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// finding writes down what was found on one usage point.
func finding(w *sdk.Window, s *sdk.Subject, m *Measures, v *verdict, p float64) sdk.Finding {
	f := sdk.Finding{
		Subject: s.ID, Kind: sdk.UsagePoint, Probability: p,
		FirstDay: w.FirstDay + sdk.Date(m.s.day[0]), LastDay: w.FirstDay + sdk.Date(m.s.day[len(m.s.day)-1]),
	}
	if m.stepped() {
		f.FirstDay = w.FirstDay + sdk.Date(m.s.day[m.st.At])
	}
	f.Reason, f.AlsoReasons = reasons(m, s)
	f.ExcessKWhMonth = m.excessKWhMonth(s)
	for _, piece := range v.pieces {
		value := m.Factors[piece.factor]
		if math.IsNaN(value) || math.Abs(value) > 1e9 {
			value = 0
		}
		f.Evidence = append(f.Evidence, sdk.Evidence{
			Code: string(piece.factor), Text: m.words(piece.factor, s), Value: value, LogOdds: piece.logOdds,
			FirstDay: f.FirstDay, LastDay: f.LastDay,
		})
	}
	slices.SortStableFunc(f.Evidence, func(a, b sdk.Evidence) int {
		switch x, y := math.Abs(a.LogOdds), math.Abs(b.LogOdds); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	f.Innocent = m.explanations(s)
	return f
}

// stepped reports whether a rise of the base load stands out.
func (m *Measures) stepped() bool {
	_, ok := m.Factors[StepUniform]
	return ok
}

// reasons are the codes that an officer filters by, the principal one first.
func reasons(m *Measures, s *sdk.Subject) (string, []string) {
	var out []string
	f := m.Factors
	if m.stepped() && f[StepUniform] > 0.6 {
		out = append(out, "base_load_step")
	}
	if f[Notch] > 0.15 {
		out = append(out, "evening_evasion")
	}
	if f[FlatLevel] > 0.5 || f[LowerFlat] < 0.15 {
		out = append(out, "flat_load")
	}
	if home(s) && f[BaseHome] > 0.5 {
		out = append(out, "high_base_load")
	}
	if s.Text(sdk.AttrDeclaredUse) == "data_centre" && !s.Flag(sdk.AttrRegisteredDC) {
		out = append(out, "unregistered_data_centre")
	}
	if s.Flag(sdk.AttrListedIP) {
		out = append(out, "listed_address")
	}
	if len(out) == 0 {
		return "constant_load", nil
	}
	return out[0], out[1:]
}

// excessKWhMonth is the energy of 30 days that the constant load accounts for.
func (m *Measures) excessKWhMonth(s *sdk.Subject) float64 {
	hours := 24.0
	if m.Factors[Notch] > 0.15 {
		hours = 19
	}
	kw := 0.0
	switch {
	case m.stepped():
		kw = m.st.Rise * max(m.st.Stays, 1)
	case home(s):
		kw = m.baseKW - homeBase(s)/2
	default:
		kw = m.baseKW / 2
	}
	return max(kw, 0) * hours * 30
}

// words says in words what one piece of evidence is.
func (m *Measures) words(f Factor, s *sdk.Subject) string {
	x := m.Factors[f]
	switch f {
	case StepSignificance:
		return fmt.Sprintf("The base load rose by %.2f kW at its clearest change, %.1f times what the load's own wandering produces.", m.st.Rise, math.Exp(x))
	case StepUniform:
		return fmt.Sprintf("Through the parts of the day the rise is %.0f %% even: night, morning, daytime and evening rose alike.", 100*x)
	case StepNoise:
		return fmt.Sprintf("What was added changes from hour to hour by %.1f %% of its size.", 100*x)
	case StepDrift:
		return fmt.Sprintf("What was added changes from day to day by %.1f %% of its size.", 100*x)
	case StepStays:
		return fmt.Sprintf("%.0f %% of the rise is still there at the end.", 100*x)
	case StepRatio:
		return fmt.Sprintf("The rise is %.0f %% of the mean load before it.", 100*math.Exp(x))
	case StepKW:
		return fmt.Sprintf("The rise is %.2f kW.", m.st.Rise)
	case BaseHome:
		return fmt.Sprintf("The base load of %.2f kW is %.1f times what homes and neighbours hardly exceed (%.2f kW).", m.baseKW, math.Exp(x), homeBase(s))
	case FlatLevel:
		return fmt.Sprintf("%.0f %% of the hours lie within ±3 %% of the day's median.", 100*x)
	case LowerFlat:
		return fmt.Sprintf("The lowest hour of the day lies %.0f %% below the median hour.", 100*x)
	case NightDay:
		return fmt.Sprintf("At night the load is %.2f times that of the daytime.", math.Exp(x))
	case Notch:
		side := "below"
		if x < 0 {
			side = "above"
		}
		return fmt.Sprintf("In the evening peak the load lies %s that of night and day by %.0f %% of the mean.", side, 100*math.Abs(x))
	case Roughness:
		return fmt.Sprintf("From hour to hour the load changes by %.1f %% of its mean.", 100*x)
	case DayToDay:
		return fmt.Sprintf("From day to day the base load changes by %.1f %%.", 100*x)
	case WeekendRatio:
		return fmt.Sprintf("Between workdays and weekends the base load differs by %.1f %%.", 100*(math.Exp(x)-1))
	case HourlySignificance:
		return fmt.Sprintf("All hours of the day rose together by %.1f times what they otherwise wander together.", math.Exp(x))
	case HourlyEven:
		return fmt.Sprintf("Between the hours of the day the rise differs by %.0f %% of its size.", 100*x)
	case OnsetEdge:
		return fmt.Sprintf("At the onset the load jumped within an hour by %.0f %% of the rise.", 100*x)
	case NotchDepth:
		return fmt.Sprintf("Each day the load switches off in the afternoon and on again before night, by %.0f %% of its mean.", 100*x)
	case NotchRegular:
		return fmt.Sprintf("From day to day the depth of that switch-off varies by %.0f %%.", 100*x)
	case noSign:
		return "Where a load with no sign of this kind starts."
	case declaredFlat:
		return fmt.Sprintf("The declared use (%s) is flat day and night by nature.", s.Text(sdk.AttrDeclaredUse))
	case registered:
		return "The customer is registered as a data centre."
	case unregistered:
		return "Declared as a data centre without the registration that goes with one."
	case listed:
		return "An address held by the customer is on the watchlist; it only adds to what the load shows."
	}
	return string(f)
}
