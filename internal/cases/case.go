package cases

import (
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
)

// Kind says what a case is about.
type Kind string

// Kinds. All but UsagePoint are area cases: they are about a transformer and
// name no customer.
const (
	UsagePoint    Kind = "usage_point"
	UnmeteredLoad Kind = "unmetered_load" // energy that no meter registers
	Undersized    Kind = "undersized"     // the transformer is too small for its load
)

// Area reports whether cases of this kind are about a transformer.
func (k Kind) Area() bool { return k != UsagePoint }

// State of a case.
type State string

// States. A case is open until its findings were reviewed at the desk, and
// again when a new finding joins.
const (
	Open     State = "open"
	Reviewed State = "reviewed"
)

// States returns all states, in order of life.
func States() []State { return []State{Open, Reviewed} }

// Subject is what a case is about. One open case at the most stands for each.
type Subject struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"` // of the usage point or transformer
}

// Case is a case as its events leave it.
type Case struct {
	ID            string    `json:"id"` // C-2026-0001
	Subject       Subject   `json:"subject"`
	State         State     `json:"state"`
	Version       int       `json:"version"` // number of events; what a command was based on
	UsagePointID  string    `json:"usage_point_id,omitempty"`
	MeterID       string    `json:"meter_id,omitempty"`
	CustomerID    string    `json:"customer_id,omitempty"`
	TransformerID string    `json:"transformer_id,omitempty"`
	Opened        time.Time `json:"opened"`
	Updated       time.Time `json:"updated"`

	Risk           float64         `json:"risk"` // when it was opened, or at the last new finding
	Priority       float64         `json:"priority"`
	Reasons        []string        `json:"reasons"`
	FirstDay       curve.Date      `json:"first_day"`
	LastDay        curve.Date      `json:"last_day"`
	ExcessKWhMonth float64         `json:"excess_kwh_month"`
	GoodShare      detect.Measured `json:"good_share"`

	Findings []Finding `json:"findings"`
	Timeline []Event   `json:"timeline,omitempty"` // empty in lists
}

// CaseID returns the id of the number-th case of a year.
func CaseID(year, number int) string { return fmt.Sprintf("C-%04d-%04d", year, number) }

// Filter narrows a list. Zero fields do not narrow.
type Filter struct {
	State   State
	Subject Subject // Kind and ID each narrow alone
	Limit   int     // at most so many, newest first; 0: all
}

// matches reports whether a case passes the filter.
func (f Filter) matches(c *Case) bool {
	return (f.State == "" || f.State == c.State) &&
		(f.Subject.Kind == "" || f.Subject.Kind == c.Subject.Kind) &&
		(f.Subject.ID == "" || f.Subject.ID == c.Subject.ID)
}
