package tamper

import (
	"cmp"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// sign is something that speaks for interference.
type sign struct {
	code        string
	text        string
	value       float64
	unit        string
	first, last int   // days of the window
	days        []int // on which it was logged, or began
	lasting     bool  // a change or contradiction, not an event
	lost        bool  // energy goes uncounted
	weight      float64
}

// verdict is what is said of one meter.
type verdict struct {
	looked bool // there was something to judge by
	signs  []sign
	why    []sdk.Explanation
	excess float64 // kWh per 30 days
	total  float64 // log-odds
}

func (v *verdict) add(s sign) { v.signs = append(v.signs, s) }

func (v *verdict) explain(code string, outcome sdk.Outcome, text string) {
	for _, e := range v.why {
		if e.Code == code && e.Outcome == outcome {
			return
		}
	}
	v.why = append(v.why, sdk.Explanation{Code: code, Outcome: outcome, Text: text})
}

// mostWeight bounds all signs together, log-odds.
const mostWeight = 6.0

// weigh damps the signs by rank: they are of one meter and far from
// independent. An event that a lasting change begins with counts in full
// beside it.
func (v *verdict) weigh() {
	slices.SortStableFunc(v.signs, func(x, y sign) int { return cmp.Or(cmp.Compare(y.weight, x.weight), cmp.Compare(x.code, y.code)) })
	factor, event := 1.0, false
	v.total = 0
	for i := range v.signs {
		s := &v.signs[i]
		switch {
		case !s.lasting && !event && i > 0 && v.signs[0].lasting && v.begins(s):
			event = true
		default:
			s.weight *= factor
			factor *= 0.5
		}
		s.weight = min(s.weight, mostWeight-v.total)
		v.total += s.weight
	}
}

// begins reports whether the strongest sign, a lasting one, begins with s.
func (v *verdict) begins(s *sign) bool {
	return slices.ContainsFunc(s.days, func(day int) bool { return v.signs[0].first >= day-1 && v.signs[0].first <= day+reach })
}

// finding reports a verdict. Where the meter counts less than is used, the
// reason says so, and the host values what is missing as never billed.
func (v *verdict) finding(w *sdk.Window, m *member, p float64) sdk.Finding {
	first, last := v.signs[0].first, v.signs[0].last
	f := sdk.Finding{Subject: m.s.ID, Kind: sdk.UsagePoint, Reason: "meter_events", Probability: p, ExcessKWhMonth: min(v.excess, 1e9), Innocent: v.why}
	for _, s := range v.signs {
		first, last = min(first, s.first), max(last, s.last)
		f.AlsoReasons = append(f.AlsoReasons, s.code)
		f.Evidence = append(f.Evidence, sdk.Evidence{
			Code: s.code, Text: s.text, Value: s.value, Unit: s.unit, LogOdds: s.weight,
			FirstDay: w.FirstDay + sdk.Date(s.first), LastDay: w.FirstDay + sdk.Date(s.last),
		})
		if s.lost {
			f.Reason = sdk.ReasonFractionalTheft
		}
	}
	f.FirstDay, f.LastDay = w.FirstDay+sdk.Date(first), w.FirstDay+sdk.Date(last)
	return f
}
