package detect

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Change is a finding that is new, gone, or says something else.
type Change struct {
	What    string          `json:"what"` // new, gone, changed
	Kind    sdk.SubjectKind `json:"kind"`
	Subject string          `json:"subject"` // real id
	Reason  string          `json:"reason"`
	Then    *Finding        `json:"then,omitempty"`
	Now     *Finding        `json:"now,omitempty"`
	Fields  []Difference    `json:"fields,omitempty"` // of a finding that changed
}

// What a Change can be.
const (
	ChangeNew     = "new"
	ChangeGone    = "gone"
	ChangeChanged = "changed"
)

// Comparison is how one detector's findings differ between two runs over the
// same days, and what that does to cases.
type Comparison struct {
	Detector  string       `json:"detector"`
	Then      Stamp        `json:"then"` // zero where it did not judge
	Now       Stamp        `json:"now"`
	Same      int          `json:"same"` // findings that are alike but for the program's stamp
	New       int          `json:"new"`
	Gone      int          `json:"gone"`
	Changed   int          `json:"changed"`
	Changes   []Change     `json:"changes"`
	Opens     []CaseChange `json:"opens"`      // would open a case now and would not have before
	NoMore    []CaseChange `json:"no_more"`    // the other way round
	Threshold float64      `json:"threshold"`  // of risk, for a case
	StillOpen int          `json:"still_open"` // would open a case either way
}

// CaseChange is a usage point whose risk crosses the threshold of a case.
type CaseChange struct {
	UsagePointID string  `json:"usage_point_id"`
	Then         float64 `json:"then"` // the risk that stands
	Now          float64 `json:"now"`
}

// Compare compares two results over the same days with regard to one detector.
// A usage point would open a case where the risk that stands is at or above
// the threshold.
func Compare(then, now *Result, detector string, threshold float64) (*Comparison, error) {
	for _, r := range []*Result{then, now} {
		for _, f := range r.Failed {
			if f.Detector == detector {
				return nil, fmt.Errorf("detector %s did not finish: %s", detector, f.Error)
			}
		}
	}
	out := &Comparison{Detector: detector, Threshold: threshold, Opens: []CaseChange{}, NoMore: []CaseChange{}}
	for r, stamp := range map[*Result]*Stamp{then: &out.Then, now: &out.Now} {
		if r.Inputs != nil {
			*stamp, _ = r.Inputs.stamp(detector)
		}
	}
	before, after := unstamped(then.allFindings(detector)), unstamped(now.allFindings(detector))
	var err error
	if out.Changes, err = changes(before, after); err != nil {
		return nil, err
	}
	for _, c := range out.Changes {
		switch c.What {
		case ChangeNew:
			out.New++
		case ChangeGone:
			out.Gone++
		default:
			out.Changed++
		}
	}
	out.Same = len(after) - out.New - out.Changed
	out.cases(then, now)
	return out, nil
}

func (c *Comparison) cases(then, now *Result) {
	before := make(map[string]float64, len(then.UsagePoints))
	for i := range then.UsagePoints {
		before[then.UsagePoints[i].UsagePointID] = then.UsagePoints[i].RiskThatStands()
	}
	for i := range now.UsagePoints {
		a := &now.UsagePoints[i]
		change := CaseChange{a.UsagePointID, before[a.UsagePointID], a.RiskThatStands()}
		was, is := change.Then >= c.Threshold, change.Now >= c.Threshold
		switch {
		case was && is:
			c.StillOpen++
		case is:
			c.Opens = append(c.Opens, change)
		case was:
			c.NoMore = append(c.NoMore, change)
		}
	}
}

// allFindings returns everything that a detector found.
func (r *Result) allFindings(detector string) []Finding {
	var out []Finding
	for i := range r.UsagePoints {
		out = append(out, r.UsagePoints[i].Findings...)
	}
	for i := range r.Transformers {
		out = append(out, r.Transformers[i].Findings...)
	}
	return slices.DeleteFunc(out, func(f Finding) bool { return f.Stamp.Detector != detector })
}

// unstamped takes off what differs between any two programs.
func unstamped(findings []Finding) []Finding {
	for i := range findings {
		findings[i].Stamp = Stamp{Detector: findings[i].Stamp.Detector}
	}
	return findings
}

// findingKey is what findings are matched by.
type findingKey struct {
	kind            sdk.SubjectKind
	subject, reason string
}

func placed(findings []Finding) map[findingKey][]Finding {
	out := make(map[findingKey][]Finding)
	for _, f := range findings {
		p := findingKey{f.Kind, f.Subject, f.Reason}
		out[p] = append(out[p], f)
	}
	return out
}

// changes matches findings by subject and reason, in their order where there
// are several.
func changes(then, now []Finding) ([]Change, error) {
	before, after := placed(then), placed(now)
	places := slices.Collect(maps.Keys(before))
	for p := range after {
		if _, known := before[p]; !known {
			places = append(places, p)
		}
	}
	slices.SortFunc(places, func(x, y findingKey) int {
		return compareNames(string(x.kind)+"\x00"+x.subject+"\x00"+x.reason, string(y.kind)+"\x00"+y.subject+"\x00"+y.reason)
	})
	out := []Change{}
	for _, p := range places {
		old, fresh := before[p], after[p]
		for i := range max(len(old), len(fresh)) {
			c := Change{Kind: p.kind, Subject: p.subject, Reason: p.reason}
			switch {
			case i >= len(old):
				c.What, c.Now = ChangeNew, &fresh[i]
			case i >= len(fresh):
				c.What, c.Then = ChangeGone, &old[i]
			default:
				fields, err := fieldsOf(&old[i], &fresh[i])
				if err != nil {
					return nil, err
				}
				if len(fields) == 0 {
					continue
				}
				c.What, c.Then, c.Now, c.Fields = ChangeChanged, &old[i], &fresh[i], fields
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// fieldsOf lists the fields in which two findings differ, by name.
func fieldsOf(then, now *Finding) ([]Difference, error) {
	before, err := flat(then)
	if err != nil {
		return nil, err
	}
	after, err := flat(now)
	if err != nil {
		return nil, err
	}
	names := slices.Collect(maps.Keys(before))
	for name := range after {
		if _, known := before[name]; !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []Difference
	for _, name := range names {
		if before[name] != after[name] {
			out = append(out, Difference{name, before[name], after[name]})
		}
	}
	return out, nil
}

// flat is a finding as values by path: evidence.0.value.
func flat(f *Finding) (map[string]string, error) {
	data, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("a finding of %s: %w", f.Stamp.Detector, err)
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, fmt.Errorf("a finding of %s: %w", f.Stamp.Detector, err)
	}
	out := make(map[string]string)
	flatten(out, "", tree)
	return out, nil
}

func flatten(out map[string]string, path string, v any) {
	below := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			flatten(out, below(name), value)
		}
	case []any:
		for i, value := range v {
			flatten(out, below(fmt.Sprint(i)), value)
		}
	case nil:
	default:
		out[path] = fmt.Sprint(v)
	}
}
