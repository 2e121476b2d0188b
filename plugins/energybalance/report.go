package energybalance

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

func sorted(s []suspicion) []suspicion {
	slices.SortStableFunc(s, func(a, b suspicion) int {
		return cmp.Or(cmp.Compare(b.logOdds, a.logOdds), cmp.Compare(a.member, b.member))
	})
	return s
}

// report writes down the account of an area.
func report(w *sdk.Window, b *balance, out *sdk.Report) {
	var fine *area
	var residual []float64
	if len(b.anomalies) > 0 {
		fine = newHourlyArea(w, 288)
		residual = b.fineResidual(w, fine)
	}
	verdict := make([]float64, len(b.a.members))
	for m := range verdict {
		verdict[m] = balanced
		if len(b.anomalies) > 0 {
			verdict[m] = notPointedAt
		}
	}
	named := make([]*sdk.Finding, len(b.a.members))
	for k := range b.anomalies {
		c := &b.anomalies[k]
		j := b.judge(c, fine, residual)
		if b.a.missing > 0 && !c.stepped {
			j.certain -= 3 // meters that were not read explain missing energy
			for i := range j.suspects {
				j.suspects[i].logOdds -= 1
			}
		}
		if j.reason == "member_not_here" || j.reason == "over_registration" {
			verdict[c.member] = cleared
		}
		for _, s := range j.suspects {
			verdict[s.member] = max(verdict[s.member], s.logOdds)
			if p := probability(w.Prior, s.logOdds); s.logOdds >= suspected && (named[s.member] == nil || named[s.member].Probability < p) {
				f := memberFinding(w, b, &j, s, p)
				named[s.member] = &f
			}
		}
		out.Add(transformerFinding(w, b, &j))
	}
	for m := range b.a.members {
		if named[m] != nil {
			out.Add(*named[m])
		} else {
			out.Score(w.Subjects[b.a.members[m].subject].ID, probability(w.Prior, verdict[m]))
		}
	}
}

// fineResidual is what the technical terms and every anomaly but the constant
// ones leave unexplained, at the curves' own resolution.
func (b *balance) fineResidual(w *sdk.Window, fine *area) []float64 {
	terms := technical(fine, &w.Subjects[0])
	out := make([]float64, len(fine.input))
	for t := range out {
		out[t] = fine.input[t] - fine.metered(t)
		for j := range terms {
			out[t] -= b.fit.coefficients[j] * terms[j].x[t]
		}
		for k := range b.anomalies {
			c := &b.anomalies[k]
			if t/fine.perDay < c.from {
				continue
			}
			switch c.kind {
			case portion:
				if m := b.a.members[c.member].subject; m < len(w.Subjects) {
					out[t] -= c.size * fineOf(fine, m)[t]
				}
			case lamps:
				sure, maybe := darkness(fine, t)
				out[t] -= c.size * (sure + maybe/2)
			}
		}
	}
	return out
}

// fineOf is the load of the member that is subject i; the two areas hold the
// same members, as they are built from the same curves.
func fineOf(fine *area, subject int) []float64 {
	for m := range fine.members {
		if fine.members[m].subject == subject {
			return fine.members[m].kw
		}
	}
	return make([]float64, len(fine.input))
}

func (b *balance) span(w *sdk.Window, c *anomaly) (first, last sdk.Date) {
	return w.FirstDay + sdk.Date(c.from), w.LastDay()
}

func transformerFinding(w *sdk.Window, b *balance, j *judgement) sdk.Finding {
	f := sdk.Finding{
		Subject: w.Subjects[0].ID, Kind: sdk.Transformer, Reason: j.reason,
		Probability: robust.Sigmoid(j.certain), Verdicts: []string{j.verdict},
		ExcessKWhMonth: math.Max(j.c.kw, 0) * 24 * 30,
		Evidence:       []sdk.Evidence{sizeEvidence(b, j)},
		Innocent:       innocent(b, j),
	}
	f.FirstDay, f.LastDay = b.span(w, j.c)
	for _, s := range j.suspects {
		if s.logOdds >= suspected {
			f.Suspects = append(f.Suspects, sdk.Suspect{Subject: w.Subjects[b.a.members[s.member].subject].ID, Probability: probability(w.Prior, s.logOdds)})
		}
	}
	return f
}

func memberFinding(w *sdk.Window, b *balance, j *judgement, s suspicion, p float64) sdk.Finding {
	f := sdk.Finding{
		Subject: w.Subjects[b.a.members[s.member].subject].ID, Kind: sdk.UsagePoint, Reason: j.reason, Probability: p,
		ExcessKWhMonth: math.Max(j.c.kw, 0) * 24 * 30,
		Evidence:       append(slices.Clone(s.evidence), sizeEvidence(b, j)),
		Innocent:       innocent(b, j),
	}
	f.FirstDay, f.LastDay = b.span(w, j.c)
	return f
}

func sizeEvidence(b *balance, j *judgement) sdk.Evidence {
	c := j.c
	e := sdk.Evidence{Code: "unexplained_power", Value: c.kw, Unit: "kW"}
	since := "throughout"
	if c.stepped {
		since = "since the onset"
	}
	switch {
	case j.reason == "member_not_here":
		e.Text = fmt.Sprintf("A member's load of %.2f kW on average is metered and does not pass the transformer: the records place it here wrongly.", -c.kw)
	case j.reason == "over_registration":
		e.Text = fmt.Sprintf("A member's meter shows %.0f %% more than passes the transformer: look at its multiplier.", -100*c.size)
	case c.kind == lamps:
		e.Text = fmt.Sprintf("From dusk to dawn %.2f kW reach no meter: lamps that the records do not hold.", c.size)
	default:
		e.Text = fmt.Sprintf("%.2f kW on average pass the transformer and reach no meter %s, beyond losses and recorded loads (%.1f %% of the input).", c.kw, since, 100*c.kw/math.Max(b.meanInput, 1e-6))
	}
	return e
}

func portionEvidence(c *anomaly, r rival, logOdds float64) sdk.Evidence {
	share := r.size / (1 + r.size)
	return sdk.Evidence{
		Code: "follows_member", Value: share, LogOdds: logOdds,
		Text: fmt.Sprintf("Hour by hour the missing energy is %.2f times what this meter shows, as if it left out %.0f %%; that takes away %.0f %% of the deviations of the balance.", r.size, 100*share, 100*c.share),
	}
}

func ownEvidence(weight float64) sdk.Evidence {
	e := sdk.Evidence{Code: "follows_own_departures", LogOdds: weight, Text: "The missing energy rises and falls with this customer's own departures from its usual day, which no other customer shares."}
	if weight < 0 {
		e.Text = "The missing energy follows the hours of this customer's trade and not its own departures from its usual day: another customer of the same trade fits better."
	}
	return e
}

func fellEvidence(fell, expect, weight float64) sdk.Evidence {
	return sdk.Evidence{
		Code: "reading_fell", Value: fell, LogOdds: weight,
		Text: fmt.Sprintf("At the onset the meter's own reading went to %.0f %%; a meter that leaves out that share would go to %.0f %%.", 100*fell, 100*expect),
	}
}

func outageEvidence(c *anomaly, hits int, weight float64) sdk.Evidence {
	return sdk.Evidence{
		Code: "dark_together", Value: float64(hits), LogOdds: weight,
		Text: fmt.Sprintf("%d times the unmetered load of %.2f kW and this customer's supply were off at the same moment; nobody else's was.", hits, c.size),
	}
}

func movedEvidence(c *anomaly, fall, weight float64) sdk.Evidence {
	return sdk.Evidence{
		Code: "reading_fell", Value: fall, Unit: "kW", LogOdds: weight,
		Text: fmt.Sprintf("When %.2f kW began to reach no meter, this customer's own reading fell by %.2f kW, more than it does by itself.", c.kw, fall),
	}
}

func innocent(b *balance, j *judgement) []sdk.Explanation {
	records := sdk.Explanation{Code: "records_error", Outcome: sdk.Unlikely, Text: "A customer placed at the wrong transformer would show from the first day with a rhythm of its own."}
	switch {
	case j.verdict == sdk.VerdictRecordsError:
		records.Outcome = sdk.Explains
	case !j.c.stepped:
		records.Outcome = sdk.Open
	}
	losses := sdk.Explanation{Code: "technical_losses", Outcome: sdk.RuledOut,
		Text: fmt.Sprintf("Losses by the nameplate and the square of the load are taken off; what remains is %.1f times its error.", math.Abs(j.c.size)/math.Max(j.c.err, 1e-9))}
	missing := sdk.Explanation{Code: "meters_not_read", Outcome: sdk.RuledOut, Text: "Every recorded meter was read."}
	if b.a.missing > 0 {
		missing.Outcome, missing.Text = sdk.Open, fmt.Sprintf("%d of the recorded meters gave too little data to be balanced.", b.a.missing)
	}
	return []sdk.Explanation{records, losses, missing}
}
