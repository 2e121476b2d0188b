package outcomes

import (
	"cmp"
	"slices"

	"github.com/gridwarden/gridwarden/internal/risk"
)

// Summary is what all inspections together say.
type Summary struct {
	Inspections int            `json:"inspections"`
	Outcomes    map[Found]int  `json:"outcomes"`
	Choices     map[Choice]int `json:"choices"`

	// HitRates by how points were chosen; by detector and version, of the
	// points at which it had a finding.
	ByChoice   []HitRate `json:"by_choice"`
	ByDetector []HitRate `json:"by_detector"`
	ByBand     []HitRate `json:"by_band"` // of risk, of the points that the lot chose

	// Prevalence is the share of abnormal use among all points, from those
	// that the lot chose.
	Prevalence risk.Rate `json:"-"`

	// Fit is nil where there is too little to learn from; Why says what is missing.
	Fit *risk.Fit `json:"fit,omitempty"`
	Why string    `json:"why,omitempty"`
}

// HitRate is how often abnormal use was found.
type HitRate struct {
	Name    string    `json:"name"`
	Version string    `json:"version,omitempty"`
	Records int       `json:"records_errors"` // not hits, and worth the visit
	Rate    risk.Rate `json:"rate"`
}

// Summarise counts what was found. Visits without access count for nothing;
// points without a run that had judged them are left out of the calibration,
// and so are those that tips and other occasions led to: what those knew is
// not in the risk.
func Summarise(list []Inspection) *Summary {
	s := &Summary{Inspections: len(list), Outcomes: make(map[Found]int), Choices: make(map[Choice]int)}
	var choices, detectors, bands tally
	var drawn []risk.Weighted
	var labels []risk.Labelled
	prior := 0.0
	for i := range list {
		in := &list[i]
		s.Outcomes[in.Found]++
		s.Choices[in.Choice]++
		if in.Found == NoAccess {
			continue
		}
		choices.add(string(in.Choice), "", in.Found)
		for _, v := range in.Detectors {
			detectors.add(v.Detector, v.Version, in.Found)
		}
		if in.Choice == ByLot {
			drawn = append(drawn, risk.Weighted{Propensity: in.Propensity, Abnormal: in.Found == Confirmed})
		}
		if in.RunID == "" || in.Choice != ByLot && in.Choice != BySuspicion {
			continue
		}
		if in.Choice == ByLot {
			bands.add(bandName(in.Risk), "", in.Found)
		}
		labels = append(labels, risk.Labelled{Risk: in.Risk, Abnormal: in.Found == Confirmed, Drawn: in.Choice == ByLot})
		prior = in.Prior // of the latest: Inspections come by day
	}
	s.ByChoice, s.ByDetector, s.ByBand = choices.rates(), detectors.rates(), bands.rates()
	s.Prevalence = risk.Prevalence(drawn)
	fit, err := risk.Recalibrate(prior, labels)
	if err != nil {
		s.Why = err.Error()
	}
	s.Fit = fit
	return s
}

// tally counts hits by name and version.
type tally struct {
	order []HitRate
	hits  []int
}

func (t *tally) add(name, version string, found Found) {
	at := slices.IndexFunc(t.order, func(h HitRate) bool { return h.Name == name && h.Version == version })
	if at < 0 {
		at = len(t.order)
		t.order, t.hits = append(t.order, HitRate{Name: name, Version: version}), append(t.hits, 0)
	}
	t.order[at].Rate.Of++
	switch found {
	case Confirmed:
		t.hits[at]++
	case RecordsError:
		t.order[at].Records++
	}
}

func (t *tally) rates() []HitRate {
	out := make([]HitRate, len(t.order))
	for i, h := range t.order {
		h.Rate = risk.NewRate(t.hits[i], h.Rate.Of)
		out[i] = h
	}
	slices.SortFunc(out, func(x, y HitRate) int { return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Version, y.Version)) })
	return out
}
