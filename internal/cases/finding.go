package cases

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Finding is a detector's finding as a case keeps it. In an area case it names
// no suspects.
type Finding struct {
	ID          string         `json:"id"` // F-…, from subject, detector, reason and first day
	Reason      string         `json:"reason"`
	Probability float64        `json:"probability"`
	FirstDay    curve.Date     `json:"first_day"`
	LastDay     curve.Date     `json:"last_day"`
	Detail      detect.Finding `json:"detail"` // with evidence, explanations and stamp
}

// newFinding takes a detector's finding of run r into a case about subject.
func newFinding(r *detect.Result, subject Subject, f detect.Finding) Finding {
	if subject.Kind.Area() {
		f.Suspects = nil // an area case accuses nobody
	}
	first, last := curve.Date(f.FirstDay), curve.Date(f.LastDay)
	if first == 0 && last == 0 { // the whole window
		first, last = r.FirstDay, r.LastDay
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s|%s|%s|%s|%s", subject.Kind, subject.ID, f.Stamp.Detector, f.Reason, first)))
	f.Probability, f.ExcessKWhMonth = finite(f.Probability), finite(f.ExcessKWhMonth)
	f.Evidence, f.Suspects, f.Metrics = finiteEvidence(f.Evidence), finiteSuspects(f.Suspects), finiteMetrics(f.Metrics)
	return Finding{
		ID: "F-" + hex.EncodeToString(sum[:6]), Reason: f.Reason, Probability: f.Probability,
		FirstDay: first, LastDay: last, Detail: f,
	}
}

// finite takes what a detector could not number as 0. A case is kept as JSON,
// which has no NaN, and what was not measured must never weigh.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

func finiteEvidence(list []sdk.Evidence) []sdk.Evidence {
	out := slices.Clone(list)
	for i := range out {
		out[i].Value, out[i].LogOdds = finite(out[i].Value), finite(out[i].LogOdds)
	}
	return out
}

func finiteSuspects(list []sdk.Suspect) []sdk.Suspect {
	out := slices.Clone(list)
	for i := range out {
		out[i].Probability = finite(out[i].Probability)
	}
	return out
}

func finiteMetrics(metrics map[string]float64) map[string]float64 {
	out := maps.Clone(metrics)
	maps.DeleteFunc(out, func(_ string, v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	return out
}

// same reports whether two findings of one subject are the same thing seen
// twice: same detector, same reason, and days that overlap or adjoin. The
// window of detection moves with the calendar, and with it the first day of
// whatever began before it, so that equal first days cannot be asked for.
func (f Finding) same(o Finding) bool {
	return f.ID == o.ID || (f.Detail.Stamp.Detector == o.Detail.Stamp.Detector && f.Reason == o.Reason &&
		f.FirstDay <= o.LastDay+1 && o.FirstDay <= f.LastDay+1)
}

// knows reports whether the case has the finding already.
func (c *Case) knows(f Finding) bool {
	for _, have := range c.Findings {
		if have.same(f) {
			return true
		}
	}
	return false
}
