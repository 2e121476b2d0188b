package console

import (
	"net/http"
	"sort"
)

type transformersView struct {
	NoNetwork bool
	Rows      []transformerRow
	Tabs      []tab
	Feeders   []option
	Q, View   string
	All, More int
	Note      string
	NoLive    bool
}

const transformersShown = 500

// transformers lists all of them, those that ask for a look first.
func (c *console) transformers(w http.ResponseWriter, r *http.Request) {
	s := c.state(r.Context())
	if s.resultErr != nil {
		c.fail(w, r, "The latest result could not be read", s.resultErr)
		return
	}
	query := r.URL.Query()
	v := transformersView{NoNetwork: s.network == nil, Q: clip(query.Get("q"), 100), View: query.Get("view"), NoLive: c.cfg.Loading == nil}
	feeder := query.Get("feeder")
	counts, feeders := map[string]int{}, map[string]bool{}
	if s.network != nil {
		v.All = len(s.network.Transformers)
		for i := range s.network.Transformers {
			row := c.transformerRow(s, &s.network.Transformers[i])
			feeders[row.FeederID] = true
			for _, key := range []string{"", "look", "load", "energy", "records"} {
				if inTransformerView(key, row) {
					counts[key]++
				}
			}
			if inTransformerView(v.View, row) && (feeder == "" || feeder == row.FeederID) && matches(v.Q, row.TransformerID, row.FeederID, row.SubstationID) {
				v.Rows = append(v.Rows, row)
			}
		}
	}
	sort.SliceStable(v.Rows, func(i, j int) bool {
		if a, b := urgency(v.Rows[i]), urgency(v.Rows[j]); a != b {
			return a > b
		}
		return loadKey(v.Rows[i]) > loadKey(v.Rows[j])
	})
	if len(v.Rows) > transformersShown {
		v.More, v.Rows = len(v.Rows)-transformersShown, v.Rows[:transformersShown]
	}
	for _, t := range []struct{ key, label string }{{"", "All"}, {"look", "To look at"}, {"load", "Load"}, {"energy", "Energy missing"}, {"records", "Records"}} {
		link := "/transformers"
		if t.key != "" {
			link += "?view=" + t.key
		}
		v.Tabs = append(v.Tabs, tab{Label: t.label, Href: link, Count: counts[t.key], Current: v.View == t.key})
	}
	for id := range feeders {
		v.Feeders = append(v.Feeders, option{Value: id, Label: id, Selected: id == feeder})
	}
	sort.Slice(v.Feeders, func(i, j int) bool { return v.Feeders[i].Label < v.Feeders[j].Label })
	if s.result != nil {
		v.Note = c.resultNote(s)
	}
	c.render(w, r, http.StatusOK, "transformers", "Transformers", v)
}

func inTransformerView(view string, row transformerRow) bool {
	switch view {
	case "look":
		return notOK(row.TransformerAssessment) || row.Over
	case "load":
		return hasVerdict(row.TransformerAssessment, "overloaded", "undersized") || row.Over
	case "energy":
		return hasVerdict(row.TransformerAssessment, "theft", "unmetered_load")
	case "records":
		return hasVerdict(row.TransformerAssessment, "records_error")
	}
	return true
}

func loadKey(r transformerRow) float64 {
	if known(r.LoadingP95Pct) {
		return float64(r.LoadingP95Pct)
	}
	return -1
}
