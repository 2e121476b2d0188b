package dueprocess

import "time"

// Measure is one thing that may be done about a case, mildest first. The order
// is that of severity: comparing measures compares how far they go.
type Measure int

// The measures, mildest first.
const (
	Watch Measure = iota
	DeskReview
	Inspect
	Rectify
	TariffCorrection
	Refer
	Suspend
	Restore
	measureCount
)

// names are the stable codes of the measures, in order.
var names = [measureCount]string{
	"watch", "desk_review", "inspect", "rectify", "tariff_correction", "refer", "suspend", "restore",
}

// String returns the code: watch, desk_review, …
func (m Measure) String() string {
	if m < 0 || m >= measureCount {
		return "unknown_measure"
	}
	return names[m]
}

// MarshalText writes the code.
func (m Measure) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Measures returns all measures, mildest first.
func Measures() []Measure {
	out := make([]Measure, measureCount)
	for i := range out {
		out[i] = Measure(i)
	}
	return out
}

func parseMeasure(code string) (Measure, bool) {
	for i, name := range names {
		if name == code {
			return Measure(i), true
		}
	}
	return 0, false
}

// State is how a measure stands. The zero value is Blocked, so that a measure
// nobody judged is never open.
type State int

// States.
const (
	Blocked State = iota
	Open
	Running
	Done
	DoesNotApply
)

// String returns blocked, open, running, done or does_not_apply.
func (s State) String() string {
	switch s {
	case Open:
		return "open"
	case Running:
		return "running"
	case Done:
		return "done"
	case DoesNotApply:
		return "does_not_apply"
	}
	return "blocked"
}

// MarshalText writes the code.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Condition is an unmet condition, in words for the officer who reads it.
type Condition struct {
	Missing  string `json:"missing"`  // what is missing
	Supplier string `json:"supplier"` // who or what can supply it
	Rule     string `json:"rule"`     // the rule's name in the policy pack, or floor.…
}

// Standing is the judgement of one measure.
type Standing struct {
	Measure Measure     `json:"measure"`
	State   State       `json:"state"`
	Text    string      `json:"text"` // what the measure means here; never empty
	Unmet   []Condition `json:"unmet"`
}

// Judgement is the judgement of all measures, mildest first.
type Judgement struct {
	Policy     string     `json:"policy"`      // name and version of the pack
	PolicyHash string     `json:"policy_hash"` // SHA-256 of the pack's text, hexadecimal
	At         time.Time  `json:"at"`          // the moment judged
	Measures   []Standing `json:"measures"`
}

// Of returns the standing of one measure.
func (j Judgement) Of(m Measure) Standing {
	for _, s := range j.Measures {
		if s.Measure == m {
			return s
		}
	}
	return Standing{Measure: m, Text: "not judged"}
}

// OpenMeasures returns the codes of the measures that are open or running,
// mildest first.
func (j Judgement) OpenMeasures() []string {
	var out []string
	for _, s := range j.Measures {
		if s.State == Open || s.State == Running {
			out = append(out, s.Measure.String())
		}
	}
	return out
}
