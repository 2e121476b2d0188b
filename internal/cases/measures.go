package cases

import (
	"context"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/dueprocess"
)

// Measures judges a case's measures now: all eight, mildest first.
func (s *Service) Measures(ctx context.Context, id string) (dueprocess.Judgement, error) {
	c, err := s.store.Get(ctx, id)
	if err != nil {
		return dueprocess.Judgement{}, err
	}
	return dueprocess.Evaluate(s.facts(c), s.policy, s.clock().UTC()), nil
}

// facts gathers what is known of a case. What is not set here is unknown, and
// denies.
func (s *Service) facts(c *Case) dueprocess.Facts {
	f := dueprocess.Facts{
		Area:     c.Subject.Kind.Area(),
		Finding:  dueprocess.AnswerOf(len(c.Findings) > 0),
		Reasons:  reasonsOf(c),
		Evidence: map[string]dueprocess.Answer{"load_record": dueprocess.AnswerOf(float64(c.GoodShare) >= s.minGoodShare)},
		Blockers: map[string]dueprocess.Answer{},
		// No suspension exists in this version, so that none can have happened.
		Suspended:  dueprocess.No,
		DeskReview: dueprocess.AnswerOf(c.State == Reviewed),
		Location:   s.location,
	}
	if c.State == Reviewed {
		f.RecordsRuledOut = lastReview(c)
	}
	if customer := s.customer(c.CustomerID); customer != nil && !f.Area {
		f.Class, f.Subject = string(customer.Class), customer.Subject
		f.Evidence["contracted_kva"] = dueprocess.AnswerOf(customer.ContractedKVA > 0)
		f.Evidence["tariff_record"] = dueprocess.AnswerOf(customer.TariffID != "")
		for _, flag := range customer.Protected {
			f.Blockers[flag] = dueprocess.Yes // a missing flag is no proof of the contrary
		}
	}
	return f
}

func lastReview(c *Case) dueprocess.Answer {
	for i := len(c.Timeline) - 1; i >= 0; i-- {
		if r := c.Timeline[i].Reviewed; r != nil {
			return dueprocess.AnswerOf(r.RecordsRuledOut)
		}
	}
	return dueprocess.Unknown
}

// reasonsOf returns the reason codes of all findings of the case.
func reasonsOf(c *Case) []string {
	reasons := append([]string(nil), c.Reasons...)
	for _, f := range c.Findings {
		reasons = append(append(reasons, f.Reason), f.Detail.AlsoReasons...)
	}
	return reasons
}

// OpenFor names the measures that would be open today for a usage point of a
// detection run, whether or not it has a case; mildest first. Nothing is stored.
func (s *Service) OpenFor(r *detect.Result, a *detect.Assessment) ([]string, error) {
	now := s.clock().UTC()
	candidate := fromAssessment(r, a)
	body := candidate.opening
	body.PolicyHash, body.Findings = s.policy.Hash, candidate.findings
	c, err := Fold([]Event{{CaseID: CaseID(now.In(s.location).Year(), 1), Seq: 1, Type: Opened, At: now, By: Program, Opened: &body}})
	if err != nil {
		return nil, err
	}
	return dueprocess.Evaluate(s.facts(c), s.policy, now).OpenMeasures(), nil
}
