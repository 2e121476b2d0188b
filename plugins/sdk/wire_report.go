package sdk

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// scoresPerMessage keeps a message of scores far below the size limit.
const scoresPerMessage = 8192

// ReportMessages turns a report into the messages in which it travels, without
// the Done that ends them.
func ReportMessages(windowID uint64, r *Report) []*detectorv1.EvaluateResponse {
	var out []*detectorv1.EvaluateResponse
	for subjects := range slices.Chunk(slices.Sorted(maps.Keys(r.scores)), scoresPerMessage) {
		m := &detectorv1.Scores{Subjects: subjects}
		for _, s := range subjects {
			m.Probabilities = append(m.Probabilities, r.scores[s])
		}
		out = append(out, &detectorv1.EvaluateResponse{WindowId: windowID, Message: &detectorv1.EvaluateResponse_Scores{Scores: m}})
	}
	for subjects := range slices.Chunk(slices.Sorted(maps.Keys(r.measures)), scoresPerMessage) {
		m := &detectorv1.Measures{}
		for _, s := range subjects {
			for _, name := range slices.Sorted(maps.Keys(r.measures[s])) {
				m.Subjects, m.Names, m.Values = append(m.Subjects, s), append(m.Names, name), append(m.Values, r.measures[s][name])
			}
		}
		out = append(out, &detectorv1.EvaluateResponse{WindowId: windowID, Message: &detectorv1.EvaluateResponse_Measures{Measures: m}})
	}
	for i := range r.findings {
		out = append(out, &detectorv1.EvaluateResponse{WindowId: windowID, Message: &detectorv1.EvaluateResponse_Finding{Finding: packFinding(&r.findings[i])}})
	}
	for subjects := range slices.Chunk(r.requests, scoresPerMessage) {
		out = append(out, &detectorv1.EvaluateResponse{WindowId: windowID, Message: &detectorv1.EvaluateResponse_CurveRequest{CurveRequest: &detectorv1.CurveRequest{Subjects: subjects}}})
	}
	return out
}

func packFinding(f *Finding) *detectorv1.Finding {
	out := &detectorv1.Finding{
		Subject: f.Subject, Kind: string(f.Kind), Reason: f.Reason, AlsoReasons: f.AlsoReasons, Probability: f.Probability,
		FirstDay: int32(f.FirstDay), LastDay: int32(f.LastDay), ExcessKwhMonth: f.ExcessKWhMonth, Verdicts: f.Verdicts, Metrics: f.Metrics,
	}
	for _, e := range f.Evidence {
		out.Evidence = append(out.Evidence, &detectorv1.Evidence{Code: e.Code, Text: e.Text, Value: e.Value, Unit: e.Unit,
			FirstDay: int32(e.FirstDay), LastDay: int32(e.LastDay), LogOdds: e.LogOdds})
	}
	for _, e := range f.Innocent {
		out.Innocent = append(out.Innocent, &detectorv1.Explanation{Code: e.Code, Text: e.Text, Outcome: string(e.Outcome)})
	}
	for _, s := range f.Suspects {
		out.Suspects = append(out.Suspects, &detectorv1.Suspect{Subject: s.Subject, Probability: s.Probability})
	}
	return out
}

func unpackFinding(p *detectorv1.Finding) Finding {
	f := Finding{
		Subject: p.GetSubject(), Kind: SubjectKind(p.GetKind()), Reason: p.GetReason(), AlsoReasons: p.GetAlsoReasons(), Probability: p.GetProbability(),
		FirstDay: Date(p.GetFirstDay()), LastDay: Date(p.GetLastDay()), ExcessKWhMonth: p.GetExcessKwhMonth(), Verdicts: p.GetVerdicts(), Metrics: p.GetMetrics(),
	}
	for _, e := range p.GetEvidence() {
		f.Evidence = append(f.Evidence, Evidence{Code: e.GetCode(), Text: e.GetText(), Value: e.GetValue(), Unit: e.GetUnit(),
			FirstDay: Date(e.GetFirstDay()), LastDay: Date(e.GetLastDay()), LogOdds: e.GetLogOdds()})
	}
	for _, e := range p.GetInnocent() {
		f.Innocent = append(f.Innocent, Explanation{Code: e.GetCode(), Text: e.GetText(), Outcome: Outcome(e.GetOutcome())})
	}
	for _, s := range p.GetSuspects() {
		f.Suspects = append(f.Suspects, Suspect{Subject: s.GetSubject(), Probability: s.GetProbability()})
	}
	return f
}

// ReportAssembler collects the messages about one window into a report. It
// stops a detector that says more than any honest one would.
type ReportAssembler struct {
	window *Window
	report *Report
}

// NewReportAssembler collects the report on w.
func NewReportAssembler(w *Window) *ReportAssembler {
	return &ReportAssembler{window: w, report: new(Report)}
}

// Add takes a message and returns the report, complete and checked, once it
// is Done; nil before. A window that the detector did not judge is an error.
func (a *ReportAssembler) Add(m *detectorv1.EvaluateResponse) (*Report, error) {
	r, subjects := a.report, len(a.window.Subjects)
	switch m := m.GetMessage().(type) {
	case *detectorv1.EvaluateResponse_Scores:
		s := m.Scores
		if len(s.GetSubjects()) != len(s.GetProbabilities()) {
			return nil, fmt.Errorf("%d scores for %d subjects", len(s.GetProbabilities()), len(s.GetSubjects()))
		}
		for i, subject := range s.GetSubjects() {
			r.Score(subject, s.Probabilities[i])
		}
		if len(r.scores) > subjects {
			return nil, fmt.Errorf("scores on more than the window's %d subjects", subjects)
		}
	case *detectorv1.EvaluateResponse_Measures:
		s := m.Measures
		if len(s.GetSubjects()) != len(s.GetValues()) || len(s.GetNames()) != len(s.GetValues()) {
			return nil, fmt.Errorf("%d measured values with %d names for %d subjects", len(s.GetValues()), len(s.GetNames()), len(s.GetSubjects()))
		}
		for i, subject := range s.GetSubjects() {
			r.Measure(subject, s.Names[i], s.Values[i])
			if len(r.measures) > subjects || len(r.measures[subject]) > MaxMeasures {
				return nil, fmt.Errorf("more than %d measured values for each of the window's %d subjects", MaxMeasures, subjects)
			}
		}
	case *detectorv1.EvaluateResponse_Finding:
		if len(r.findings) >= MaxFindingsPerSubject*subjects {
			return nil, fmt.Errorf("more than %d findings on %d subjects", MaxFindingsPerSubject*subjects, subjects)
		}
		r.Add(unpackFinding(m.Finding))
	case *detectorv1.EvaluateResponse_CurveRequest:
		r.RequestCurves(m.CurveRequest.GetSubjects()...)
		if len(r.requests) > subjects {
			return nil, fmt.Errorf("more curves asked for than the window's %d subjects", subjects)
		}
	case *detectorv1.EvaluateResponse_Done:
		if text := m.Done.GetError(); text != "" {
			return nil, errors.New(clipLong(text))
		}
		r.Complete(a.window)
		if err := r.Check(a.window); err != nil {
			return nil, fmt.Errorf("report refused: %w", err)
		}
		return r, nil
	default:
		return nil, errors.New("a message of a kind that is not in the contract")
	}
	return nil, nil
}

// clipLong shortens a detector's own error, which may carry a stack.
func clipLong(s string) string {
	if len(s) > MaxTextBytes {
		return s[:MaxTextBytes] + "…"
	}
	return s
}
