package sdk

import (
	"context"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Detector looks at windows of load and reports what is abnormal in them. It
// is the one interface a plugin author must implement; Configurer is optional.
//
// A detector keeps no state between windows: the same window and
// configuration must give the same report, so that a finding can be replayed.
type Detector interface {
	// Describe says what the detector is and what it needs. It must not fail
	// and must return the same value each time.
	Describe() Description

	// Evaluate judges one window and reports through out. The host may call
	// it concurrently. A non-nil error means that the window was not judged.
	Evaluate(ctx context.Context, w *Window, out *Report) error
}

// Configurer is implemented by detectors that take configuration.
type Configurer interface {
	// Configure takes a JSON object that fits Description.ConfigSchema. Errors
	// in single fields are returned as FieldErrors.
	Configure(config []byte) error
}

// Scope is what one window holds.
type Scope string

// Scopes.
const (
	ScopeUsagePoint      Scope = "usage_point"      // a batch of usage points, each judged alone
	ScopeTransformerArea Scope = "transformer_area" // one transformer with all usage points behind it
	ScopeFleet           Scope = "fleet"            // every usage point in one window
)

// Description is what a detector says of itself.
type Description struct {
	Name           string           // lower case, letters, digits and "_"
	Version        string           // semantic version
	Summary        string           // one line for the plugins page
	Scope          Scope            //
	Quantities     []meter.Quantity // quantities needed in raw curves; no other is ever sent
	Features       []Feature        // daily features needed; nil means all
	MinimumQuality meter.Quality    // intervals of lower quality are sent as missing; see Window
	LookbackDays   int              // how many days a window holds at the most; 0 means all there are
	Provides       []string         // attributes that it measures (Report.Measure) for the detectors that run after it
	ConfigSchema   []byte           // JSON Schema of the configuration, nil where there is none

	// Attributes are those of the records that the detector needs; nil means
	// all, an empty list none. Other detectors' measures are among them.
	Attributes []string
	// OnlyWith keeps subjects out that bear none of these attributes (as a
	// text, or as a number that is not zero); nil keeps all. Scope
	// ScopeTransformerArea always holds the whole area.
	OnlyWith []string
	// Events asks for the meters' events (Subject.Events).
	Events bool

	// Corroborates marks a detector that can only support what others find,
	// such as one that reads outside lists: what it scores and finds is shown,
	// and adds to evidence that is there, but lifts nobody by itself. Scope
	// ScopeTransformerArea cannot corroborate.
	Corroborates bool
}

// Finding is one thing that a detector found. It names no action: what may
// follow is for people and the law to say.
type Finding struct {
	Subject        string             `json:"subject"` // pseudonym of the usage point or transformer
	Kind           SubjectKind        `json:"kind"`
	Reason         string             `json:"reason"`                 // principal reason code, lower case with "_": flat_load, use_not_declared …
	AlsoReasons    []string           `json:"also_reasons,omitempty"` // further reason codes that the same evidence supports
	Probability    float64            `json:"probability"`            // calibrated probability of abnormal use at Window.Prior, 0 … 1
	FirstDay       Date               `json:"first_day"`              // since when; both days 0 mean the whole window
	LastDay        Date               `json:"last_day"`               // until when (inclusive)
	ExcessKWhMonth float64            `json:"excess_kwh_month"`       // energy beyond what is explained, kWh per 30 days
	Evidence       []Evidence         `json:"evidence"`
	Innocent       []Explanation      `json:"innocent"`
	Verdicts       []string           `json:"verdicts,omitempty"` // transformer findings: codes of transformer_findings.csv
	Suspects       []Suspect          `json:"suspects,omitempty"` // transformer findings: who the data name, most likely first
	Metrics        map[string]float64 `json:"metrics,omitempty"`  // further measured values by name: hot_spot_max_c, loading_p95_pct …
}

// Reasons for which the host values the excess as energy that went past the
// meter and was never billed.
const (
	ReasonFractionalTheft = "fractional_theft" // the meter counts a share only
	ReasonBypassTheft     = "bypass_theft"     // a load fed around the meter
)

// Verdicts of a transformer finding. "ok" and "no_meter" are the host's to give.
const (
	VerdictOverloaded    = "overloaded"
	VerdictUndersized    = "undersized"
	VerdictTheft         = "theft"
	VerdictUnmeteredLoad = "unmetered_load"
	VerdictRecordsError  = "records_error"
)

// Metrics of a transformer that the host shows for every transformer. A
// detector gives them with Report.Measure, finding or no finding.
const (
	MetricLoadingP95Pct       = "loading_p95_pct"       // 95th percentile of loading, % of the nameplate
	MetricHotSpotMaxC         = "hot_spot_max_c"        // highest hot-spot temperature, °C
	MetricLossPct             = "loss_pct"              // input less metered sum, % of the input
	MetricUnexplainedKWhMonth = "unexplained_kwh_month" // what technical losses leave unexplained, kWh per 30 days
)

// SubjectKind says what a finding is about.
type SubjectKind string

// Kinds of subject.
const (
	UsagePoint  SubjectKind = "usage_point"
	Transformer SubjectKind = "transformer"
)

// Evidence is one measured fact with the interval in which it holds.
type Evidence struct {
	Code     string  `json:"code"`      // lower case with "_": base_step, flat_share, night_day_ratio …
	Text     string  `json:"text"`      // in words for an officer, with numbers and units
	Value    float64 `json:"value"`     //
	Unit     string  `json:"unit"`      // "" for a ratio
	FirstDay Date    `json:"first_day"` // both days 0 mean those of the finding
	LastDay  Date    `json:"last_day"`
	LogOdds  float64 `json:"log_odds"` // weight: positive speaks for abnormal use, negative against; 0 where none is claimed
}

// Explanation is an innocent explanation that was considered.
type Explanation struct {
	Code    string  `json:"code"`    // thermostat, opening_hours, ev_charging, registered_data_centre …
	Text    string  `json:"text"`    // what was tested and what came out
	Outcome Outcome `json:"outcome"` //
}

// Outcome says how an innocent explanation fared.
type Outcome string

// Outcomes.
const (
	Explains Outcome = "explains"  // it accounts for what was seen
	Open     Outcome = "open"      // the data cannot say
	Unlikely Outcome = "unlikely"  //
	RuledOut Outcome = "ruled_out" //
)

// Suspect is a usage point that a transformer finding points at.
type Suspect struct {
	Subject     string  `json:"subject"`     // pseudonym
	Probability float64 `json:"probability"` // 0 … 1
}
