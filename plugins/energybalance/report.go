package energybalance

import (
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/balance"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Log-odds that the balance gives a member that nothing else is said of.
const (
	balanced     = -0.7 // the area balances: a theft of any size would have shown
	notPointedAt = -0.3 // something is missing, and nothing points at this member
	cleared      = -2.0 // the records are wrong about this member
)

// Given that nobody of the members is behind what is missing, how often is it
// taken rather than an error in the records? What begins one day was begun by
// somebody; what was always there with a day of its own is mostly a customer
// whom nobody recorded.
const (
	takenLater  = 0.9
	takenFlat   = 0.55
	takenRhythm = 0.2
	unreadDoubt = 0.4 // of that, where meters were not read
)

// basePrior is the base rate for which the shares of attribute.go hold.
const basePrior = 0.01

// judgement of one anomaly in words and numbers.
type judgement struct {
	c        *anomaly
	reason   string
	verdict  string
	p        float64 // of the verdict
	theft    float64 // that energy is taken, of that
	who      attribution
	suspects []suspicion // those worth naming
}

// judge says what an anomaly is.
func (b *account) judge(w *sdk.Window, k int, fine *balance.Area) judgement {
	c := &b.anomalies[k]
	j := judgement{c: c}
	exists := robust.Sigmoid(min(c.support, 8))
	switch {
	case c.kind == lamps:
		j.reason, j.verdict, j.p = b.lampReason(), sdk.VerdictRecordsError, exists
		return j
	case c.kw < b.least(c.from):
		return j
	case !c.stepped() && b.nightly(k):
		j.reason, j.verdict, j.p = b.lampReason(), sdk.VerdictRecordsError, exists
		return j
	}
	j.who = b.attribute(k, fine, b.fineResidual(k, fine))
	taken := takenRhythm
	switch {
	case c.stepped():
		taken = takenLater
	case j.who.flat:
		taken = takenFlat
	}
	if b.a.Unread > 0 && !c.stepped() {
		taken *= unreadDoubt
		for i := range j.who.suspects {
			j.who.suspects[i].p *= 0.7
		}
		j.who.someone *= 0.7
	}
	shift := math.Log(max(w.Prior, 1e-6) / basePrior)
	for i := range j.who.suspects {
		s := &j.who.suspects[i]
		s.p = robust.Sigmoid(robust.Logit(min(s.p, 0.995)) + shift)
		if s.p >= worthNaming && len(j.suspects) < 3 {
			j.suspects = append(j.suspects, *s)
		}
	}
	j.theft = j.who.someone + (1-j.who.someone)*taken
	switch {
	case len(j.suspects) > 0 && j.suspects[0].p >= 0.5:
		j.reason, j.verdict, j.p = sdk.ReasonFractionalTheft, sdk.VerdictTheft, exists*j.theft
		if j.suspects[0].bypass {
			j.reason = sdk.ReasonBypassTheft
		}
	case j.theft >= 0.5 && (c.stepped() || j.who.flat):
		j.reason, j.verdict, j.p = "unmetered_load", sdk.VerdictUnmeteredLoad, exists*j.theft
	default:
		j.reason, j.verdict, j.p = "customer_missing_in_records", sdk.VerdictRecordsError, exists*(1-j.theft)
		j.suspects = nil
	}
	return j
}

func (b *account) lampReason() string {
	if b.lamps {
		return "street_light_differs"
	}
	return "unrecorded_street_light"
}

// nightly reports whether what is missing burns from dusk to dawn, whatever
// shapes described it best: alike all night, nothing at noon.
func (b *account) nightly(k int) bool {
	missing := b.share(k)
	for t, r := range b.model.Residual {
		missing[t] += r
	}
	var night, noon []float64
	for h := range b.a.PerDay {
		var v []float64
		for d := range b.a.Days {
			v = append(v, missing[d*b.a.PerDay+h])
		}
		switch sure, maybe := b.a.Darkness(h); {
		case sure == 1:
			night = append(night, robust.Median(v))
		case maybe == 0:
			noon = append(noon, robust.Median(v))
		}
	}
	level := robust.Median(night)
	spread := robust.Quantile(night, 1) - robust.Quantile(night, 0)
	return len(noon) > 0 && level > b.material() && spread < 0.3*level && math.Abs(robust.Median(noon)) < 0.2*level
}

// report writes down the account of an area.
func report(w *sdk.Window, b *account, out *sdk.Report) {
	var fine *balance.Area
	if len(b.anomalies) > 0 {
		fine = balance.FromCurves(w, 288)
	}
	score := make([]float64, len(b.a.Members))
	for m := range score {
		score[m] = probability(w.Prior, balanced)
		if len(b.anomalies) > 0 {
			score[m] = probability(w.Prior, notPointedAt)
		}
	}
	named := make([]*sdk.Finding, len(b.a.Members))
	taken := 0.0
	for k := range b.anomalies {
		j := b.judge(w, k, fine)
		if j.reason == "" {
			continue
		}
		taken += max(j.c.kw, 0) * robust.Sigmoid(min(j.c.support, 8)) * j.theft
		for _, s := range j.who.suspects {
			score[s.member] = max(score[s.member], s.p)
		}
		for _, s := range j.suspects {
			if named[s.member] == nil || named[s.member].Probability < s.p {
				f := memberFinding(w, b, &j, s)
				named[s.member] = &f
			}
		}
		out.Add(transformerFinding(w, b, &j))
	}
	for i := range b.absent {
		c := &b.absent[i]
		score[c.member] = min(score[c.member], probability(w.Prior, cleared))
		out.Add(transformerFinding(w, b, &judgement{c: c, reason: "member_not_here", verdict: sdk.VerdictRecordsError, p: robust.Sigmoid(c.support)}))
	}
	if c := &b.almost; c.kw > 0 && c.kind != lamps {
		taken += c.kw * robust.Sigmoid(c.support-accept) * takenRhythm
	}
	out.Measure(w.Subjects[0].ID, sdk.MetricUnexplainedKWhMonth, taken*24*30)
	for m := range b.a.Members {
		if named[m] != nil {
			out.Add(*named[m])
		} else {
			out.Score(w.Subjects[b.a.Members[m].Subject].ID, score[m])
		}
	}
}

// fineResidual is the difference at the curves' own resolution less all that
// is accounted for but anomaly k.
func (b *account) fineResidual(k int, fine *balance.Area) []float64 {
	out := fine.Difference()
	missing := b.share(k)
	per := max(fine.PerDay/b.a.PerDay, 1)
	for t := range out {
		at := min(t/per, len(b.y)-1)
		out[t] -= b.y[at] - b.model.Residual[at] - missing[at]
	}
	return out
}

func transformerFinding(w *sdk.Window, b *account, j *judgement) sdk.Finding {
	f := sdk.Finding{
		Subject: w.Subjects[0].ID, Kind: sdk.Transformer, Reason: j.reason,
		Probability: j.p, Verdicts: []string{j.verdict},
		ExcessKWhMonth: max(j.c.kw, 0) * 24 * 30,
		FirstDay:       w.FirstDay + sdk.Date(j.c.from), LastDay: w.LastDay(),
		Evidence: []sdk.Evidence{b.sizeEvidence(j)},
		Innocent: b.innocent(j),
	}
	for _, s := range j.suspects {
		f.Suspects = append(f.Suspects, sdk.Suspect{Subject: w.Subjects[b.a.Members[s.member].Subject].ID, Probability: s.p})
	}
	return f
}

func memberFinding(w *sdk.Window, b *account, j *judgement, s suspicion) sdk.Finding {
	f := sdk.Finding{
		Subject: w.Subjects[b.a.Members[s.member].Subject].ID, Kind: sdk.UsagePoint, Reason: sdk.ReasonFractionalTheft, Probability: s.p,
		ExcessKWhMonth: max(j.c.kw, 0) * 24 * 30,
		FirstDay:       w.FirstDay + sdk.Date(j.c.from), LastDay: w.LastDay(),
		Evidence: append(slices.Clone(s.evidence), b.sizeEvidence(j)),
		Innocent: b.innocent(j),
	}
	if s.bypass {
		f.Reason = sdk.ReasonBypassTheft
	}
	return f
}
