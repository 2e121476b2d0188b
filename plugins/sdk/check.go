package sdk

import (
	"errors"
	"fmt"
	"math"
	"unicode"
	"unicode/utf8"
)

// Limits on what one window's report may hold. They are far above what an
// honest detector needs; beyond them a report is refused as garbage.
const (
	MaxFindingsPerSubject = 4
	MaxEvidence           = 64   // pieces of evidence, explanations or metrics of one finding
	MaxSuspects           = 256  // suspects of one finding
	MaxMeasures           = 32   // measured values of one subject
	MaxTextBytes          = 4096 // of one text
	maxCodeBytes          = 64
	maxMagnitude          = 1e12 // of any number: nothing on a distribution grid is larger
)

// ValidCode reports whether s can be a reason, evidence, metric or attribute
// code: lower-case letters, digits and "_", starting with a letter.
func ValidCode(s string) bool {
	if s == "" || len(s) > maxCodeBytes || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// Complete fills in what a detector may leave out: days that are both 0 become
// the window's, and those of evidence become the finding's.
func (r *Report) Complete(w *Window) {
	for i := range r.findings {
		f := &r.findings[i]
		if f.FirstDay == 0 && f.LastDay == 0 {
			f.FirstDay, f.LastDay = w.FirstDay, w.LastDay()
		}
		for j := range f.Evidence {
			if e := &f.Evidence[j]; e.FirstDay == 0 && e.LastDay == 0 {
				e.FirstDay, e.LastDay = f.FirstDay, f.LastDay
			}
		}
	}
}

// Check returns an error where the report cannot be taken as a judgement of w:
// unknown subjects, probabilities outside 0 … 1, codes that are none, too much
// of anything. The host refuses such a report and the detector with it.
func (r *Report) Check(w *Window) error {
	known := make(map[string]SubjectKind, len(w.Subjects))
	for i := range w.Subjects {
		known[w.Subjects[i].ID] = w.Subjects[i].Kind
	}
	if limit := MaxFindingsPerSubject * len(w.Subjects); len(r.findings) > limit {
		return fmt.Errorf("%d findings on %d subjects; at most %d for each are taken", len(r.findings), len(w.Subjects), MaxFindingsPerSubject)
	}
	for subject, p := range r.scores {
		if kind, ok := known[subject]; !ok {
			return unknownSubject("a score", subject)
		} else if kind != UsagePoint {
			return fmt.Errorf("a score on a %s; only usage points are scored", kind)
		}
		if !probability(p) {
			return fmt.Errorf("a score of %v; a probability lies in 0 … 1", p)
		}
	}
	for subject, values := range r.measures {
		if _, ok := known[subject]; !ok {
			return unknownSubject("a measured value", subject)
		}
		if err := checkValues(values, MaxMeasures); err != nil {
			return fmt.Errorf("measured values: %w", err)
		}
	}
	for i := range r.findings {
		if err := r.findings[i].check(w, known); err != nil {
			return fmt.Errorf("finding %d (reason %q): %w", i+1, clip(r.findings[i].Reason), err)
		}
	}
	if len(r.requests) > 0 && w.Curves != nil {
		return errors.New("curves asked for again in the window that answers; judge with what is there")
	}
	if len(r.requests) > len(w.Subjects) {
		return fmt.Errorf("%d curves asked for in a window of %d subjects; ask once for each", len(r.requests), len(w.Subjects))
	}
	for _, subject := range r.requests {
		if _, ok := known[subject]; !ok {
			return unknownSubject("a request for curves", subject)
		}
	}
	return nil
}

func (f *Finding) check(w *Window, known map[string]SubjectKind) error {
	kind, ok := known[f.Subject]
	switch {
	case !ok:
		return unknownSubject("a finding", f.Subject)
	case kind != f.Kind:
		return fmt.Errorf("kind %q for a subject that is a %s", clip(string(f.Kind)), kind)
	case !ValidCode(f.Reason):
		return fmt.Errorf("reason code %q; write lower-case letters, digits and \"_\", at most %d", clip(f.Reason), maxCodeBytes)
	case !probability(f.Probability):
		return fmt.Errorf("probability %v; it lies in 0 … 1", f.Probability)
	case !number(f.ExcessKWhMonth):
		return fmt.Errorf("excess of %v kWh a month; it must be a finite number", f.ExcessKWhMonth)
	case len(f.AlsoReasons) > MaxEvidence, len(f.Evidence) > MaxEvidence, len(f.Innocent) > MaxEvidence, len(f.Verdicts) > MaxEvidence:
		return fmt.Errorf("more than %d reasons, evidence, explanations or verdicts", MaxEvidence)
	case len(f.Suspects) > MaxSuspects:
		return fmt.Errorf("%d suspects; at most %d are taken", len(f.Suspects), MaxSuspects)
	case len(f.Verdicts) > 0 && f.Kind != Transformer:
		return errors.New("verdicts on a usage point; only transformers have them")
	}
	for _, reason := range f.AlsoReasons {
		if !ValidCode(reason) {
			return fmt.Errorf("reason code %q; write lower-case letters, digits and \"_\"", clip(reason))
		}
	}
	if err := inWindow(w, f.FirstDay, f.LastDay); err != nil {
		return err
	}
	for _, v := range f.Verdicts {
		switch v {
		case VerdictOverloaded, VerdictUndersized, VerdictTheft, VerdictUnmeteredLoad, VerdictRecordsError:
		default:
			return fmt.Errorf("verdict %q is none of the contract's", clip(v))
		}
	}
	for _, s := range f.Suspects {
		if kind, ok := known[s.Subject]; !ok || kind != UsagePoint {
			return unknownSubject("a suspect", s.Subject)
		}
		if !probability(s.Probability) {
			return fmt.Errorf("a suspect's probability of %v; it lies in 0 … 1", s.Probability)
		}
	}
	for i := range f.Evidence {
		if err := f.Evidence[i].check(w); err != nil {
			return fmt.Errorf("evidence %d: %w", i+1, err)
		}
	}
	for i := range f.Innocent {
		if err := f.Innocent[i].check(); err != nil {
			return fmt.Errorf("explanation %d: %w", i+1, err)
		}
	}
	if err := checkValues(f.Metrics, MaxEvidence); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

func (e *Evidence) check(w *Window) error {
	if !ValidCode(e.Code) {
		return fmt.Errorf("code %q; write lower-case letters, digits and \"_\"", clip(e.Code))
	}
	if !number(e.Value) || !number(e.LogOdds) {
		return fmt.Errorf("%s: value %v with weight %v; both must be finite", e.Code, e.Value, e.LogOdds)
	}
	if !text(e.Text) || !text(e.Unit) {
		return fmt.Errorf("%s: text that is not printable UTF-8 of at most %d bytes", e.Code, MaxTextBytes)
	}
	return inWindow(w, e.FirstDay, e.LastDay)
}

func (e *Explanation) check() error {
	if !ValidCode(e.Code) {
		return fmt.Errorf("code %q; write lower-case letters, digits and \"_\"", clip(e.Code))
	}
	if !text(e.Text) {
		return fmt.Errorf("%s: text that is not printable UTF-8 of at most %d bytes", e.Code, MaxTextBytes)
	}
	switch e.Outcome {
	case Explains, Open, Unlikely, RuledOut:
		return nil
	}
	return fmt.Errorf("%s: outcome %q; use explains, open, unlikely or ruled_out", e.Code, clip(string(e.Outcome)))
}

func checkValues(values map[string]float64, limit int) error {
	if len(values) > limit {
		return fmt.Errorf("%d values; at most %d are taken", len(values), limit)
	}
	for name, v := range values {
		if !ValidCode(name) {
			return fmt.Errorf("name %q; write lower-case letters, digits and \"_\"", clip(name))
		}
		if !number(v) {
			return fmt.Errorf("%s is %v; leave out what is not known", name, v)
		}
	}
	return nil
}

func inWindow(w *Window, first, last Date) error {
	if first > last || first < w.FirstDay || last > w.LastDay() {
		return fmt.Errorf("days %d to %d; the window spans %s to %s", first, last, w.FirstDay, w.LastDay())
	}
	return nil
}

func unknownSubject(what, subject string) error {
	return fmt.Errorf("%s on subject %q, which is not in the window", what, clip(subject))
}

func probability(p float64) bool { return p >= 0 && p <= 1 }

func number(v float64) bool { return math.Abs(v) <= maxMagnitude }

func text(s string) bool {
	if len(s) > MaxTextBytes || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// clip shortens hostile text for an error message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
