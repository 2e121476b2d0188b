package detect

import (
	"context"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/risk"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Stamp says which program made a finding from which data, so that it can be
// replayed.
type Stamp struct {
	Detector    string `json:"detector"`
	Version     string `json:"version"`
	SHA256      string `json:"sha256"`       // of the executable that ran it
	ConfigHash  string `json:"config_hash"`  // SHA-256 of its configuration
	DataVersion string `json:"data_version"` // SHA-256 over the features that went in
}

// Finding is a detector's finding with the real ids put back for pseudonyms
// (Subject and Suspects) and the host's stamp.
type Finding struct {
	sdk.Finding
	Stamp Stamp `json:"stamp"`
	// EstimatedShare is the share of estimated, edited or otherwise uncertain
	// intervals among those with a value on the days of the evidence, 0 … 1.
	EstimatedShare Measured `json:"estimated_share"`
	// Corroborates says that its detector only supports what others find: the
	// finding stands against nobody by itself.
	Corroborates bool `json:"corroborates,omitempty"`
}

// LeastMeasured is the share of measured intervals below which a finding rests
// on estimates: it is shown, but it does not weigh in MeasuredRisk.
const LeastMeasured = 0.8

// RestsOnEstimates reports whether too few of the intervals behind a finding
// were measured for it to stand against anybody.
func (f *Finding) RestsOnEstimates() bool {
	return f.EstimatedShare.Known() && 1-float64(f.EstimatedShare) < LeastMeasured
}

// Contribution is what one source adds to the log-odds of a risk.
type Contribution struct {
	Source  string  `json:"source"` // detector name, or "prior"
	LogOdds float64 `json:"log_odds"`
	Text    string  `json:"text"`
}

// Assessment is the judgement of one usage point.
type Assessment struct {
	UsagePointID   string         `json:"usage_point_id"`
	MeterID        string         `json:"meter_id"`
	CustomerID     string         `json:"customer_id"`
	TransformerID  string         `json:"transformer_id"`
	Risk           float64        `json:"risk"`          // probability of abnormal use, 0 … 1
	MeasuredRisk   float64        `json:"measured_risk"` // the risk without findings that rest on estimates
	Priority       float64        `json:"priority"`      // risk weighed by energy, money, safety and confidence
	Rank           int            `json:"rank"`          // 1 is first; 0 for points without a finding
	Reasons        []string       `json:"reasons"`
	Detectors      []string       `json:"detectors"`
	FirstDay       curve.Date     `json:"first_day"`
	LastDay        curve.Date     `json:"last_day"`
	MeanKW         Measured       `json:"mean_kw"`
	ExcessKWhMonth float64        `json:"excess_kwh_month"` // per 30 days
	Recoverable    float64        `json:"recoverable"`      // per 30 days, in Currency
	Currency       string         `json:"currency"`
	GoodShare      Measured       `json:"good_share"`      // share of good intervals in the window, 0 … 1
	EstimatedShare Measured       `json:"estimated_share"` // the highest among the findings, null without any
	Contributions  []Contribution `json:"contributions"`
	Findings       []Finding      `json:"findings"`
}

// RiskThatStands is the risk that may be held against anybody: without what
// rests on estimates.
func (a *Assessment) RiskThatStands() float64 {
	for i := range a.Findings {
		if a.Findings[i].RestsOnEstimates() {
			return min(a.Risk, a.MeasuredRisk)
		}
	}
	return a.Risk
}

// TransformerAssessment is the judgement of one transformer.
type TransformerAssessment struct {
	TransformerID       string    `json:"transformer_id"`
	RatedKVA            float64   `json:"rated_kva"`
	LoadingP95Pct       Measured  `json:"loading_p95_pct"`
	HotSpotMaxC         Measured  `json:"hot_spot_max_c"`
	LossPct             Measured  `json:"loss_pct"`
	UnexplainedKWhMonth Measured  `json:"unexplained_kwh_month"`
	Verdicts            []string  `json:"verdicts"` // ok, overloaded, undersized, theft, unmetered_load, records_error, no_meter
	Suspects            []string  `json:"suspects"` // usage point ids, most likely first
	Findings            []Finding `json:"findings"`
}

// Result is one complete detection run.
type Result struct {
	RunID        string                  `json:"run_id"`
	At           time.Time               `json:"at"`
	FirstDay     curve.Date              `json:"first_day"`
	LastDay      curve.Date              `json:"last_day"`
	Prior        float64                 `json:"prior"`
	Calibration  risk.Calibration        `json:"calibration"` // that bent the merged risks
	DataVersion  string                  `json:"data_version"`
	UsagePoints  []Assessment            `json:"usage_points"`     // every usage point, ranked ones first in rank order
	Transformers []TransformerAssessment `json:"transformers"`     // every transformer, by id
	Failed       []DetectorFailure       `json:"failed"`           // detectors that did not finish
	Shadow       []Shadow                `json:"shadow,omitempty"` // detectors in shadow mode, by name
	Inputs       *Inputs                 `json:"inputs,omitempty"` // what the run was given, for Replay
}

// DetectorFailure says why a detector's judgement is missing from a result.
type DetectorFailure struct {
	Detector string `json:"detector"`
	Error    string `json:"error"`
}

// ResultStore keeps detection runs; sqlstore implements it.
type ResultStore interface {
	SaveResult(ctx context.Context, r *Result) error
	// LatestResult returns the newest run, nil where there is none yet.
	LatestResult(ctx context.Context) (*Result, error)
}
