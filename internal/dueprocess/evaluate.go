package dueprocess

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Evaluate judges every measure. It never fails: what cannot be judged is
// blocked. A nil policy blocks everything but watching and desk review.
func Evaluate(f Facts, p *Policy, now time.Time) Judgement {
	if p == nil {
		p = &Policy{Pack: "none", NeverSufficient: neverSufficient()}
	}
	j := Judgement{Policy: p.Name(), PolicyHash: p.Hash, At: now}
	e := evaluation{facts: f, policy: p, now: now}
	for _, m := range Measures() {
		s := e.judge(m)
		s.Measure = m
		j.Measures = append(j.Measures, s)
	}
	return j
}

// restrictive reports whether the measure takes something from the customer,
// so that it needs a proven ground.
func (m Measure) restrictive() bool { return m == Rectify || m == TariffCorrection || m == Suspend }

type evaluation struct {
	facts  Facts
	policy *Policy
	now    time.Time
}

func (e *evaluation) judge(m Measure) Standing {
	switch m {
	case Watch:
		return Standing{State: Running, Text: "The daily curve is followed. Nothing is asked of anyone."}
	case DeskReview:
		if e.facts.DeskReview == Yes {
			return Standing{State: Done, Text: "Records and curves were reviewed at the desk."}
		}
		return Standing{State: Open, Text: "Check CT and PT ratio, meter exchange, transformer mapping and the innocent explanations."}
	case Inspect:
		return e.unless(m, "A visit to the site under the contract's access clause.", e.inspectUnmet())
	case Refer:
		return e.unless(m, "Hand the matter to an authority, with the least personal data needed.", e.referUnmet())
	case Restore:
		if e.facts.Suspended == No {
			return Standing{State: DoesNotApply, Text: "No supply was suspended under this case."}
		}
		return e.unless(m, "Restore the supply.", e.restoreUnmet())
	}
	if e.facts.Area {
		return Standing{State: DoesNotApply, Text: "The case is about a transformer and names no customer."}
	}
	text := map[Measure]string{
		Rectify:          "A notice to end the use that was not agreed, with a cure period.",
		TariffCorrection: "Recover what the wrong tariff left short.",
		Suspend:          "A request to the control room; people execute it.",
	}[m]
	return e.unless(m, text, e.restrictiveUnmet(m))
}

// unless is the one place where a further measure could come out open: only
// with no condition unmet, the stage floor among them.
func (e *evaluation) unless(m Measure, text string, unmet []Condition) Standing {
	unmet = append(unmet, stageFloor(m)...)
	if len(unmet) > 0 {
		return Standing{State: Blocked, Text: text, Unmet: unmet}
	}
	return Standing{State: Open, Text: text}
}

func (e *evaluation) inspectUnmet() []Condition {
	var unmet []Condition
	if e.facts.Finding != Yes && e.facts.Tip != Yes {
		unmet = append(unmet, Condition{
			"Neither a finding at the case threshold nor a tip is on file.",
			"A detection run, or a tip from outside", "inspect.trigger",
		})
	}
	if e.facts.Area {
		return unmet // the utility's own equipment: no customer's access clause is needed
	}
	return append(unmet, e.lacking("inspect.requires", "", e.policy.InspectBy)...)
}

func (e *evaluation) referUnmet() []Condition {
	var unmet []Condition
	if e.facts.Subject == "" {
		unmet = append(unmet, Condition{
			"Whether the subject is a person or an enterprise is not recorded.",
			"The customer record", "refer.subject",
		})
	}
	if len(e.policy.ReferBy) == 0 {
		unmet = append(unmet, Condition{"The policy names no receiver and no legal basis.", "The policy pack", "refer.requires"})
	}
	return append(unmet, e.lacking("refer.requires", "", e.policy.ReferBy)...)
}

func (e *evaluation) restoreUnmet() []Condition {
	if e.facts.Suspended == Unknown {
		return []Condition{{"Whether the supply is suspended is not known.", "The control room", "restore.suspended"}}
	}
	return nil
}

// lacking returns a condition for each piece of evidence that is not on file.
func (e *evaluation) lacking(rule, ground string, codes []string) []Condition {
	var unmet []Condition
	for _, code := range codes {
		if e.facts.Evidence[code] == Yes {
			continue
		}
		kind := e.policy.evidence(code)
		unmet = append(unmet, Condition{
			Missing:  ground + kind.Text + ": not on file.",
			Supplier: kind.From,
			Rule:     rule + ": " + code,
		})
	}
	return unmet
}

// proven reports whether everything that the ground rests on is on file.
func (e *evaluation) proven(g Ground) bool {
	return len(g.Evidence) > 0 && len(e.groundLacking(g)) == 0
}

func (e *evaluation) groundLacking(g Ground) []Condition {
	unmet := e.lacking(g.Code+".evidence", g.Text+". ", g.Evidence)
	if len(g.EvidenceAny) == 0 || slices.ContainsFunc(g.EvidenceAny, func(c string) bool { return e.facts.Evidence[c] == Yes }) {
		return unmet
	}
	var texts []string
	for _, code := range g.EvidenceAny {
		texts = append(texts, e.policy.evidence(code).Text)
	}
	return append(unmet, Condition{
		Missing:  g.Text + ". None is on file of: " + strings.Join(texts, ", ") + ".",
		Supplier: e.policy.evidence(g.EvidenceAny[0]).From,
		Rule:     g.Code + ".evidence_any",
	})
}

// indicated reports whether a finding points at the ground.
func (e *evaluation) indicated(g Ground) bool {
	return slices.ContainsFunc(g.IndicatedBy, func(r string) bool { return slices.Contains(e.facts.Reasons, r) })
}

func (e *evaluation) restrictiveUnmet(m Measure) []Condition {
	var opening, proven []Ground
	for _, g := range e.policy.Grounds {
		if slices.Contains(g.Opens, m.String()) {
			opening = append(opening, g)
			if e.proven(g) {
				proven = append(proven, g)
			}
		}
	}
	var unmet []Condition
	if len(proven) == 0 {
		unmet = append(unmet, e.noGround(m, opening)...)
	}
	if e.facts.RecordsRuledOut != Yes {
		unmet = append(unmet, Condition{
			"Wrong CT or PT ratio, meter exchange and wrong transformer mapping are not ruled out.",
			"The desk review", "floor.records_ruled_out",
		})
	}
	if m == Suspend {
		unmet = append(unmet, e.suspendUnmet(proven)...)
	}
	return unmet
}

// noGround says that no ground is proven, what never proves one, and what the
// grounds that the findings point at still need.
func (e *evaluation) noGround(m Measure, opening []Ground) []Condition {
	var texts []string
	for _, g := range opening {
		texts = append(texts, strings.ToLower(g.Text))
	}
	supplier := "The policy pack; it names no ground for this measure"
	if len(texts) > 0 {
		supplier = "Proof of one of: " + strings.Join(texts, ", ")
	}
	unmet := []Condition{{
		Missing:  "No ground is proven. A score, a list entry or mining as such is never sufficient.",
		Supplier: supplier,
		Rule:     fmt.Sprintf("never_sufficient: %s; %s: requires ground", strings.Join(e.policy.NeverSufficient, ", "), m),
	}}
	for _, g := range opening {
		if e.indicated(g) {
			unmet = append(unmet, e.groundLacking(g)...)
		}
	}
	return unmet
}
