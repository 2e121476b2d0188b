package cases

import (
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
)

// EventType names what happened.
type EventType string

// Event types.
const (
	Opened       EventType = "opened"
	FindingAdded EventType = "finding_added"
	Noted        EventType = "note"
	DeskReviewed EventType = "reviewed"
)

// Program is the actor of what the program does by itself.
const Program = "gridwarden"

// Event is one thing that happened in a case. Exactly the body that belongs to
// its type is set.
type Event struct {
	CaseID string    `json:"case_id"`
	Seq    int       `json:"seq"` // 1, 2, … within the case
	Type   EventType `json:"type"`
	At     time.Time `json:"at"`
	By     string    `json:"by"` // login name, or Program

	Opened   *OpenedBody   `json:"opened,omitempty"`
	Finding  *FindingBody  `json:"finding,omitempty"`
	Note     *NoteBody     `json:"note,omitempty"`
	Reviewed *ReviewedBody `json:"reviewed,omitempty"`
}

// OpenedBody is what the case began with.
type OpenedBody struct {
	Subject       Subject   `json:"subject"`
	UsagePointID  string    `json:"usage_point_id,omitempty"`
	MeterID       string    `json:"meter_id,omitempty"`
	CustomerID    string    `json:"customer_id,omitempty"`
	TransformerID string    `json:"transformer_id,omitempty"`
	PolicyHash    string    `json:"policy_hash"` // pack in force when the case opened
	Assessment    Snapshot  `json:"assessment"`
	Findings      []Finding `json:"findings"`
}

// FindingBody is a finding that joined later.
type FindingBody struct {
	Assessment Snapshot `json:"assessment"`
	Finding    Finding  `json:"finding"`
}

// NoteBody is what a person wrote down.
type NoteBody struct {
	Text string `json:"text"`
}

// ReviewedBody is the outcome of a desk review.
type ReviewedBody struct {
	Text            string `json:"text"`
	RecordsRuledOut bool   `json:"records_ruled_out"` // CT/PT ratio, meter exchange, mapping are not the cause
}

// Snapshot is the assessment at the time of an event.
type Snapshot struct {
	RunID          string          `json:"run_id"`
	Risk           float64         `json:"risk"`
	Priority       float64         `json:"priority"`
	Reasons        []string        `json:"reasons"`
	FirstDay       curve.Date      `json:"first_day"`
	LastDay        curve.Date      `json:"last_day"`
	ExcessKWhMonth float64         `json:"excess_kwh_month"`
	GoodShare      detect.Measured `json:"good_share"`
}

// Summary returns the event in a few words, for timelines.
func (e *Event) Summary() string {
	switch e.Type {
	case Opened:
		return "Case opened by finding"
	case FindingAdded:
		return "New finding"
	case Noted:
		return "Note"
	case DeskReviewed:
		return "Desk review concluded"
	}
	return string(e.Type)
}

// Fold adds up events to a case. Events that do not follow each other are an
// error: a log with a gap proves nothing.
func Fold(events []Event) (*Case, error) {
	if len(events) == 0 {
		return nil, fmt.Errorf("case without events: %w", ErrNotFound)
	}
	return (&Case{}).With(events)
}

// With returns the case after further events, without a timeline. c stays as
// it is.
func (c *Case) With(events []Event) (*Case, error) {
	next := *c
	next.Timeline = nil
	for i := range events {
		if err := next.apply(&events[i]); err != nil {
			return nil, err
		}
	}
	return &next, nil
}

// apply takes the case one event further. It leaves Timeline alone.
func (c *Case) apply(e *Event) error {
	wrong := func(what string) error {
		return fmt.Errorf("case %s: event %d is %s; restore the database from a backup", e.CaseID, e.Seq, what)
	}
	switch {
	case e.Seq != c.Version+1:
		return wrong(fmt.Sprintf("out of order after event %d", c.Version))
	case (e.Type == Opened) != (e.Seq == 1):
		return wrong("an opening out of place")
	case e.Seq > 1 && e.CaseID != c.ID:
		return wrong("of another case than " + c.ID)
	}
	switch {
	case e.Type == Opened && e.Opened != nil:
		b := e.Opened
		c.ID, c.Subject, c.Opened, c.State = e.CaseID, b.Subject, e.At, Open
		c.UsagePointID, c.MeterID, c.CustomerID, c.TransformerID = b.UsagePointID, b.MeterID, b.CustomerID, b.TransformerID
		c.Findings = append([]Finding(nil), b.Findings...)
		c.take(b.Assessment)
	case e.Type == FindingAdded && e.Finding != nil:
		c.State = Open
		c.Findings = append(c.Findings[:len(c.Findings):len(c.Findings)], e.Finding.Finding)
		c.take(e.Finding.Assessment)
	case e.Type == Noted && e.Note != nil:
	case e.Type == DeskReviewed && e.Reviewed != nil:
		c.State = Reviewed
	default:
		return wrong(fmt.Sprintf("of type %q without its body", e.Type))
	}
	c.Version, c.Updated = e.Seq, e.At
	return nil
}

func (c *Case) take(s Snapshot) {
	c.Risk, c.Priority, c.Reasons = s.Risk, s.Priority, s.Reasons
	c.FirstDay, c.LastDay = s.FirstDay, s.LastDay
	c.ExcessKWhMonth, c.GoodShare = s.ExcessKWhMonth, s.GoodShare
}
