package cases

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// attempts bounds how often one subject is tried again after another writer
// was faster. Each loss means that somebody else made progress.
const attempts = 8

// recordsErrorVerdict marks a transformer whose records are in doubt.
const recordsErrorVerdict = sdk.VerdictRecordsError

// recordsReasons are reason codes that speak of the records, not of the customer.
var recordsReasons = [...]string{recordsErrorVerdict, "wrong_mapping", "mapping_doubt", "member_not_here", "over_registration"}

// areaVerdicts are the verdicts that open a case about the transformer itself.
var areaVerdicts = [...]struct {
	verdict string
	kind    Kind
}{{sdk.VerdictUnmeteredLoad, UnmeteredLoad}, {sdk.VerdictUndersized, Undersized}}

// Consider takes in one detection run and returns how many cases it opened.
// It is idempotent: the same run, or another that finds the same things,
// changes nothing. A finding that is new to an existing case joins it.
//
// A usage point's case opens at the threshold of risk, and only on measured
// evidence: findings that rest on estimated or edited intervals count for
// nothing here, and too many intervals that are missing, a finding without
// evidence or a doubt about the records open none. It stops at the first error of the store;
// cases opened until then stay, and the next run goes on from there.
func (s *Service) Consider(ctx context.Context, r *detect.Result) (opened int, err error) {
	if r == nil {
		return 0, nil
	}
	doubted := doubtedRecords(r)
	for i := range r.UsagePoints {
		a := &r.UsagePoints[i]
		if len(a.Findings) == 0 {
			continue
		}
		candidate := fromAssessment(r, a)
		candidate.mayOpen = a.RiskThatStands() >= s.threshold && float64(a.GoodShare) >= s.minGoodShare && !doubted[a.UsagePointID] &&
			!recordsInDoubt(a) && hasEvidence(candidate.findings)
		fresh, err := s.take(ctx, candidate)
		if err != nil {
			return opened, fmt.Errorf("usage point %s: %w", a.UsagePointID, err)
		}
		opened += fresh
	}
	for i := range r.Transformers {
		for _, candidate := range fromTransformer(r, &r.Transformers[i]) {
			candidate.mayOpen = hasEvidence(candidate.findings)
			fresh, err := s.take(ctx, candidate)
			if err != nil {
				return opened, fmt.Errorf("transformer %s: %w", candidate.opening.TransformerID, err)
			}
			opened += fresh
		}
	}
	s.log.InfoContext(ctx, "detection run considered", "run", r.RunID, "opened", opened)
	return opened, nil
}

// candidate is what one run says about one subject.
type candidate struct {
	opening  OpenedBody // without findings
	findings []Finding
	mayOpen  bool
}

// take opens a case for the candidate or adds its new findings to the one that
// is there.
func (s *Service) take(ctx context.Context, cand candidate) (opened int, err error) {
	for range attempts {
		var have *Case
		if have, err = s.store.BySubject(ctx, cand.opening.Subject); err != nil {
			return 0, err
		}
		if have == nil {
			if !cand.mayOpen {
				return 0, nil
			}
			if err = s.open(ctx, cand); err == nil {
				return 1, nil
			}
		} else if err = s.extend(ctx, have, cand); err == nil {
			return 0, nil
		}
		if !errors.Is(err, ErrExists) && !errors.Is(err, ErrConflict) {
			return 0, err
		}
	}
	return 0, fmt.Errorf("given up after %d attempts: %w", attempts, err)
}

func (s *Service) open(ctx context.Context, cand candidate) error {
	now := s.clock()
	body := cand.opening
	body.PolicyHash = s.policy.Hash
	body.Findings = cand.findings
	c, err := s.store.Create(ctx, now.In(s.location).Year(), body.Subject, func(id string) Event {
		return Event{CaseID: id, Seq: 1, Type: Opened, At: now.UTC(), By: Program, Opened: &body}
	})
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "case opened", "case", c.ID, "kind", string(c.Subject.Kind), "subject", c.Subject.ID)
	return nil
}

func (s *Service) extend(ctx context.Context, have *Case, cand candidate) error {
	now := s.clock().UTC()
	var events []Event
	for _, f := range cand.findings {
		if have.knows(f) {
			continue
		}
		events = append(events, Event{
			CaseID: have.ID, Seq: have.Version + len(events) + 1, Type: FindingAdded, At: now, By: Program,
			Finding: &FindingBody{Assessment: cand.opening.Assessment, Finding: f},
		})
	}
	if len(events) == 0 {
		return nil
	}
	if _, err := s.store.Append(ctx, have.ID, have.Version, events); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "findings joined a case", "case", have.ID, "findings", len(events))
	return nil
}

func fromAssessment(r *detect.Result, a *detect.Assessment) candidate {
	subject := Subject{UsagePoint, a.UsagePointID}
	return candidate{
		opening: OpenedBody{
			Subject: subject, UsagePointID: a.UsagePointID, MeterID: a.MeterID,
			CustomerID: a.CustomerID, TransformerID: a.TransformerID,
			Assessment: Snapshot{
				RunID: r.RunID, Risk: finite(a.Risk), Priority: finite(a.Priority), Reasons: slices.Clone(a.Reasons),
				FirstDay: a.FirstDay, LastDay: a.LastDay, ExcessKWhMonth: finite(a.ExcessKWhMonth), GoodShare: a.GoodShare,
			},
		},
		findings: distinct(r, subject, a.Findings),
	}
}

// fromTransformer returns a candidate for each verdict about the transformer
// itself. It takes over the transformer's findings that carry the verdict, and
// names nobody behind it.
func fromTransformer(r *detect.Result, a *detect.TransformerAssessment) []candidate {
	var out []candidate
	for _, v := range areaVerdicts {
		if !slices.Contains(a.Verdicts, v.verdict) {
			continue
		}
		var carrying []detect.Finding
		snapshot := Snapshot{RunID: r.RunID, Reasons: []string{v.verdict}, FirstDay: r.LastDay, LastDay: r.FirstDay, GoodShare: detect.Unknown()}
		for _, f := range a.Findings {
			if !slices.Contains(f.Verdicts, v.verdict) {
				continue
			}
			carrying = append(carrying, f)
			snapshot.Risk = max(snapshot.Risk, finite(f.Probability))
			snapshot.ExcessKWhMonth = max(snapshot.ExcessKWhMonth, finite(f.ExcessKWhMonth))
		}
		subject := Subject{v.kind, a.TransformerID}
		findings := distinct(r, subject, carrying)
		for _, f := range findings {
			snapshot.FirstDay, snapshot.LastDay = min(snapshot.FirstDay, f.FirstDay), max(snapshot.LastDay, f.LastDay)
		}
		out = append(out, candidate{
			opening:  OpenedBody{Subject: subject, TransformerID: a.TransformerID, Assessment: snapshot},
			findings: findings,
		})
	}
	return out
}

// distinct takes findings over, each once. Of two that are the same, the one
// with evidence stays.
func distinct(r *detect.Result, subject Subject, list []detect.Finding) []Finding {
	var c Case
	for _, wantEvidence := range []bool{true, false} {
		for _, f := range list {
			if (len(f.Evidence) > 0) != wantEvidence {
				continue
			}
			if taken := newFinding(r, subject, f); !c.knows(taken) {
				c.Findings = append(c.Findings, taken)
			}
		}
	}
	return c.Findings
}

// hasEvidence asks that at least one finding rests on something measured, and
// is more than a support of others.
func hasEvidence(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool {
		return len(f.Detail.Evidence) > 0 && !f.Detail.RestsOnEstimates() && !f.Detail.Corroborates
	})
}

// recordsInDoubt reports whether a finding about the point itself speaks of
// its records.
func recordsInDoubt(a *detect.Assessment) bool {
	return slices.ContainsFunc(recordsReasons[:], func(code string) bool {
		return slices.Contains(a.Reasons, code) || slices.ContainsFunc(a.Findings, func(f detect.Finding) bool {
			return f.Reason == code || slices.Contains(f.AlsoReasons, code) || slices.Contains(f.Verdicts, code)
		})
	})
}

// doubtedRecords returns the usage points that a records error points at. The
// records are put right before anybody is suspected over them.
func doubtedRecords(r *detect.Result) map[string]bool {
	doubted := map[string]bool{}
	for _, t := range r.Transformers {
		for _, f := range t.Findings {
			if f.Reason != recordsErrorVerdict && !slices.Contains(f.Verdicts, recordsErrorVerdict) {
				continue
			}
			for _, suspect := range f.Suspects {
				doubted[suspect.Subject] = true
			}
		}
	}
	return doubted
}
