package outcomes

import (
	"context"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// Found is what an inspection found.
type Found string

// Outcomes of an inspection.
const (
	Confirmed    Found = "confirmed"     // the use is abnormal
	Innocent     Found = "innocent"      // it is explained
	RecordsError Found = "records_error" // the records were wrong, not the customer
	NoAccess     Found = "no_access"     // nothing could be seen
)

// Choice says how a point came to be inspected.
type Choice string

// Choices.
const (
	BySuspicion Choice = "suspicion" // its risk was high
	ByLot       Choice = "lot"       // gridwarden risk sample chose it
	ByTip       Choice = "tip"       // somebody told
	ByOther     Choice = "other"     // a routine visit, a meter change …
)

// Inspection is one visit to a usage point.
type Inspection struct {
	UsagePointID string     `json:"usage_point_id"`
	Day          curve.Date `json:"date"`
	Found        Found      `json:"outcome"`
	Choice       Choice     `json:"choice"`
	Propensity   float64    `json:"propensity,omitempty"` // with which the lot chose it, 0 … 1

	// What the last run before that day had said, filled in by Link; RunID is
	// "" where there was none.
	RunID     string    `json:"run_id,omitempty"`
	Prior     float64   `json:"prior,omitempty"`
	Risk      float64   `json:"risk,omitempty"` // before any calibration
	Detectors []Verdict `json:"detectors,omitempty"`
}

// Verdict is what one detector had said of the point.
type Verdict struct {
	Detector    string  `json:"detector"`
	Version     string  `json:"version"`
	Probability float64 `json:"probability"` // of its surest finding
}

// Store keeps inspections.
type Store interface {
	// PutInspections stores all or none; one of the same point and day is replaced.
	PutInspections(ctx context.Context, at time.Time, list []Inspection) error
	// Inspections returns all, by day, then usage point.
	Inspections(ctx context.Context) ([]Inspection, error)
}
