package sim

import "github.com/gridwarden/gridwarden/internal/curve"

// What a judge of the district is expected to say of a planted story.
const (
	ExpectFlag        = "flag"        // the usage point's risk is high
	ExpectClear       = "clear"       // it looks suspicious and must not be accused
	ExpectTransformer = "transformer" // the transformer's verdict is Planted.Verdict
)

// Planted is one story with its truth.
type Planted struct {
	Story         string `json:"story"`
	UsagePointID  string `json:"usage_point_id,omitempty"`
	TransformerID string `json:"transformer_id"` // where it is in truth, whatever the records say
	Expect        string `json:"expect"`
	// Verdict is the code of transformer_findings.csv that is expected of the
	// transformer; "" where none is asked for.
	Verdict string  `json:"verdict,omitempty"`
	From    string  `json:"from,omitempty"` // first day, "" where it began before the history
	KW      float64 `json:"kw,omitempty"`   // of the abnormal load at the end of the history, while it runs
	Note    string  `json:"note"`           // what is really going on
}

// Lookalike is an innocent usage point that resembles a story.
type Lookalike struct {
	Kind          string `json:"kind"`
	UsagePointID  string `json:"usage_point_id"`
	TransformerID string `json:"transformer_id"`
	From          string `json:"from,omitempty"`
}

// Truth returns the planted stories in a fixed order.
func (d *District) Truth() []Planted {
	out := make([]Planted, len(d.stories))
	for i, s := range d.stories {
		p := s.planted
		if s.point != nil {
			p.UsagePointID = s.point.id
		}
		p.TransformerID = d.areas[s.area].id
		p.From = d.dayName(s.from)
		out[i] = p
	}
	return out
}

// Lookalikes returns the innocent points that were made to resemble stories.
func (d *District) Lookalikes() []Lookalike {
	out := make([]Lookalike, len(d.lookalikes))
	for i, l := range d.lookalikes {
		out[i] = Lookalike{Kind: l.kind, UsagePointID: l.point.id, TransformerID: d.areas[l.point.area].id, From: d.dayName(l.from)}
	}
	return out
}

// dayName is the date of a day of the history, "" for those before it.
func (d *District) dayName(day float64) string {
	if day < 0 {
		return ""
	}
	return (d.first + curve.Date(day)).String()
}

// story is a Planted in the making.
type story struct {
	planted Planted
	point   *point // nil where nobody metered is behind it
	area    int
	from    float64
}

type lookalike struct {
	kind  string
	point *point
	from  float64
}
