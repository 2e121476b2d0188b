package hiddenmining

import (
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
	if m.stepped() && !m.standing {
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
	case m.stepped() && !m.standing:
		kw = m.st.Rise * max(m.st.Stays, 1)
	case home(s):
		kw = m.baseKW - homeBase(s)/2
	default:
		kw = m.baseKW / 2
	}
	return max(kw, 0) * hours * 30
}
