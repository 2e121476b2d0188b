package sdk

import "sync"

// Report collects what Evaluate has to say about one window. Its methods are
// safe for concurrent use.
type Report struct {
	mu       sync.Mutex
	scores   map[string]float64
	measures map[string]map[string]float64
	findings []Finding
	requests []string
}

// Score gives the calibrated probability of abnormal use of a usage point at
// Window.Prior. A detector scores every usage point that it could judge, also
// those with nothing to report; a point without a score was not judged.
func (r *Report) Score(subject string, probability float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.scores == nil {
		r.scores = make(map[string]float64)
	}
	r.scores[subject] = probability
}

// Add reports a finding. A usage point with a finding need not be scored too:
// its probability is its score.
func (r *Report) Add(f Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = append(r.findings, f)
}

// Measure gives a measured value of a subject that is no finding in itself: a
// transformer's Metric… values, or an attribute of Description.Provides.
func (r *Report) Measure(subject, name string, value float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.measures == nil {
		r.measures = make(map[string]map[string]float64)
	}
	if r.measures[subject] == nil {
		r.measures[subject] = make(map[string]float64)
	}
	r.measures[subject][name] = value
}

// RequestCurves asks for the raw curves of subjects of this window. The host
// answers with a further window that holds only those subjects and has Curves
// set; asking again there is an error. What is scored or found about a subject
// there replaces what was said of it before.
func (r *Report) RequestCurves(subjects ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, subjects...)
}

// Scores returns what was scored. The map is the report's own.
func (r *Report) Scores() map[string]float64 { return r.scores }

// Measures returns what was measured, by subject and name. The map is the report's own.
func (r *Report) Measures() map[string]map[string]float64 { return r.measures }

// Findings returns what was found, in the order of Add.
func (r *Report) Findings() []Finding { return r.findings }

// Requests returns the subjects whose curves were asked for.
func (r *Report) Requests() []string { return r.requests }
