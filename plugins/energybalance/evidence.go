package energybalance

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// evidence lists what speaks for and against a member.
func (b *account) evidence(c *anomaly, m int, w *weighed) []sdk.Evidence {
	var out []sdk.Evidence
	if w.portion > 0 {
		share := w.portion / (1 + w.portion)
		out = append(out, sdk.Evidence{
			Code: "follows_member", Value: share, LogOdds: bound(w.follows, maxFollows),
			Text: fmt.Sprintf("The missing energy is %.2f times what this meter shows, as if it left out %.0f %%; hour by hour that explains it %s than a load with a day of its own.", w.portion, 100*share, better(w.follows)),
		}, sdk.Evidence{
			Code: "follows_own_departures", Value: w.slope, Unit: "kW/kW", LogOdds: w.own,
			Text: fmt.Sprintf("For each kW by which this customer departs from its usual day %.2f kW more go missing; %.2f would, were it its load, and none, were it somebody else's.", w.slope, w.portion),
		})
	}
	if w.hasMoved {
		out = append(out, sdk.Evidence{
			Code: "reading_fell", Value: w.fall, Unit: "kW", LogOdds: w.moved,
			Text: fmt.Sprintf("When %.2f kW began to go missing, this meter's own reading fell by %.2f kW, compared at each time of day and with its changes on other days.", c.kw, w.fall),
		})
	}
	if w.capped > 1 {
		out = append(out, sdk.Evidence{Code: "capped_peaks", LogOdds: w.capped, Text: "The energy goes missing while this meter shows the most that it ever shows: what is above that seems to be on another wire."})
	}
	if w.hits > 0 {
		out = append(out, sdk.Evidence{
			Code: "dark_together", Value: float64(w.hits), LogOdds: w.dark,
			Text: fmt.Sprintf("%d times the unmetered load of %.2f kW and this customer's supply were off at the same moment.", w.hits, c.kw),
		})
	}
	if d := b.a.Members[m].Doubt; d > 0.1 {
		out = append(out, sdk.Evidence{Code: "mapping_doubt", Value: d, Text: fmt.Sprintf("It is doubtful (%.2f) that this meter hangs behind this transformer; the suspicion is lowered by that.", d)})
	}
	return out
}

func better(logOdds float64) string {
	if logOdds > 0 {
		return "better"
	}
	return "no better"
}

func (b *account) sizeEvidence(j *judgement) sdk.Evidence {
	c := j.c
	e := sdk.Evidence{Code: "unexplained_power", Value: c.kw, Unit: "kW"}
	since := "throughout"
	if c.stepped() {
		since = "since the onset"
	}
	switch {
	case j.reason == "member_not_here":
		e.Text = fmt.Sprintf("A member's load of %.2f kW on average is metered and does not pass the transformer: the records place it here wrongly.", -c.kw)
	case c.kind == lamps:
		e.Text = fmt.Sprintf("From dusk to dawn %.2f kW pass the transformer beyond what the records hold of lamps.", c.size)
	default:
		e.Text = fmt.Sprintf("%.2f kW on average pass the transformer and reach no meter %s, beyond losses and recorded loads (%.1f %% of the input).", c.kw, since, 100*c.kw/math.Max(b.meanInput, 1e-6))
	}
	return e
}

func (b *account) innocent(j *judgement) []sdk.Explanation {
	records := sdk.Explanation{Code: "records_error", Outcome: sdk.Unlikely, Text: "A customer placed at the wrong transformer would show from the first day with a day of its own."}
	switch {
	case j.verdict == sdk.VerdictRecordsError:
		records.Outcome = sdk.Explains
	case !j.c.stepped():
		records.Outcome = sdk.Open
	}
	losses := sdk.Explanation{Code: "technical_losses", Outcome: sdk.RuledOut,
		Text: fmt.Sprintf("Losses by the nameplate and the square of the load, the class of the meters and clocks that are off are taken off; that there is more stands at %.0f to 1.", math.Exp(min(j.c.support, 8)))}
	missing := sdk.Explanation{Code: "meters_not_read", Outcome: sdk.RuledOut, Text: "Every recorded meter was read."}
	if b.a.Unread > 0 {
		missing.Outcome, missing.Text = sdk.Open, fmt.Sprintf("%d of the recorded meters gave too little data to be balanced.", b.a.Unread)
	}
	return []sdk.Explanation{records, losses, missing}
}
