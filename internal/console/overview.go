package console

import (
	"html/template"
	"net/http"
	"sort"
)

const (
	overviewRows  = 8
	overviewChips = 3
)

type overviewView struct {
	SLD        template.HTML
	SLDNote    string
	SLDHidden  int
	NoNetwork  bool
	Alarms     []alarm
	AlarmNote  string
	Rows       []pointRow
	Ranked     int
	Above      int
	NoResult   bool
	ResultNote string
	Verdicts   []transformerRow
	VerdictAll int
	Cases      []caseRow
	CasesOpen  int
	NoCases    bool
	Feeds      []feed
	Legend     bool
}

type feed struct {
	Label, Value, Note string
	Bad                bool
}

func (c *console) overview(w http.ResponseWriter, r *http.Request) {
	s := c.state(r.Context())
	if s.resultErr != nil {
		c.fail(w, r, "The latest result could not be read", s.resultErr)
		return
	}
	byPoint, cases, err := c.openCases(r.Context())
	if err != nil {
		c.fail(w, r, "The cases could not be read", err)
		return
	}
	v := overviewView{NoNetwork: s.network == nil || len(s.network.Transformers) == 0, NoResult: s.result == nil, NoCases: c.cfg.Cases == nil}
	if !v.NoNetwork {
		v.SLD, v.SLDHidden = c.singleLine(s)
		v.SLDNote = c.sldNote(s)
	}
	v.Alarms = s.alarms()
	v.AlarmNote = s.watched()
	if s.result != nil {
		v.Ranked = len(s.result.ranked)
		for _, a := range s.result.ranked {
			if a.Risk >= c.cfg.Threshold {
				v.Above++
			}
		}
		for _, a := range s.result.ranked[:min(overviewRows, v.Ranked)] {
			row := c.row(s.network, a, byPoint)
			if n := len(row.Chips.Reasons); n > overviewChips {
				row.Chips.Reasons, row.Chips.More = row.Chips.Reasons[:overviewChips], n-overviewChips
			}
			v.Rows = append(v.Rows, row)
		}
		v.ResultNote = c.resultNote(s)
		v.Verdicts, v.VerdictAll = c.topVerdicts(s, 6)
		v.Legend = v.VerdictAll > 0
	}
	for _, one := range cases {
		if one.State == "closed" {
			continue
		}
		v.CasesOpen++
		if len(v.Cases) < 6 {
			v.Cases = append(v.Cases, c.caseRow(s.network, one))
		}
	}
	v.Feeds = c.feeds(s)
	c.render(w, r, http.StatusOK, "overview", "Overview", v)
}

func (c *console) sldNote(s *state) string {
	switch {
	case c.cfg.Loading == nil:
		return "Nothing is polled live. Dashed: 95th percentile of the last run."
	case s.loadingErr != nil:
		return "Live values could not be read: " + clip(s.loadingErr.Error(), 80)
	}
	return "Bar: load ÷ rating, tick at 100 %. Right: hot-spot. " + s.now.In(s.loc).Format("15:04:05")
}

// watched says what an empty list of alarms rests on.
func (s *state) watched() string {
	fresh := 0
	for _, l := range s.loading {
		if s.fresh(l) {
			fresh++
		}
	}
	switch {
	case fresh == 0 && s.devices == nil:
		return "Nothing is polled live, so nothing can be said of the present."
	case fresh == 0:
		return "No transformer gives a live load, so loads are not judged."
	}
	return "Nothing needs an operator now. " + plural(fresh, "transformer gives", "transformers give") + " a live load."
}

// resultNote says when and from what the ranking was made.
func (c *console) resultNote(s *state) string {
	note := "run " + stamp(s.result.At, s.now, s.loc) + ", data to " + day(s.result.LastDay)
	if len(s.result.Failed) > 0 {
		note += ", without " + plural(len(s.result.Failed), "detector", "detectors")
	}
	return note
}

func (c *console) topVerdicts(s *state, n int) (rows []transformerRow, all int) {
	if s.network == nil {
		return nil, 0
	}
	for i := range s.network.Transformers {
		if row := c.transformerRow(s, &s.network.Transformers[i]); notOK(row.TransformerAssessment) {
			rows = append(rows, row)
		}
	}
	sort.SliceStable(rows, func(i, j int) bool { return urgency(rows[i]) > urgency(rows[j]) })
	return rows[:min(n, len(rows))], len(rows)
}

func urgency(r transformerRow) float64 {
	u := 0.0
	for _, v := range r.Verdicts {
		switch v {
		case "overloaded":
			u += 1000
		case "undersized":
			u += 500
		case "theft", "unmetered_load":
			u += 300
		case "records_error":
			u += 100
		}
	}
	if known(r.UnexplainedKWhMonth) {
		u += min(99, float64(r.UnexplainedKWhMonth)/1000)
	}
	return u
}

// feeds says of each source whether it runs, and what works without it.
func (c *console) feeds(s *state) []feed {
	var out []feed
	if s.devices == nil {
		out = append(out, feed{Label: "Devices", Value: "none polled", Note: "Imported curves and cases work."})
	} else {
		byState := map[pollState]int{}
		for _, d := range s.devices {
			byState[d.state]++
		}
		f := feed{Label: "Devices", Value: count(byState[answeringState]) + " of " + count(len(s.devices)) + " answering"}
		if bad := len(s.devices) - byState[answeringState]; bad > 0 {
			f.Note, f.Bad = plural(bad, "device does", "devices do")+" not.", true
		}
		out = append(out, f)
	}
	if s.result != nil {
		f := feed{Label: "Meter data", Value: "to " + dayLong(s.result.LastDay)}
		if good := meanGood(s.result); known(good) {
			f.Note = share(good) + " of intervals good."
		}
		if behind := int(dateOf(s.now.In(s.loc)) - s.result.LastDay); behind > 2 {
			f.Note, f.Bad = "Stale: "+count(behind-1)+" days are missing since. "+f.Note, true
		}
		out = append(out, f)
	} else {
		out = append(out, feed{Label: "Meter data", Value: "no result yet", Note: "The first run follows the import."})
	}
	out = append(out, c.historianFeed(s))
	if c.cfg.Backlog != nil {
		f := feed{Label: "Stream", Value: count(s.backlog) + " readings waiting"}
		if s.backlogErr != nil {
			f = feed{Label: "Stream", Value: "not readable", Note: clip(s.backlogErr.Error(), 120), Bad: true}
		} else if s.backlog == 0 {
			f.Value = "nothing waiting"
		}
		out = append(out, f)
	}
	return append(out, c.detectorFeed(s))
}

func (c *console) historianFeed(s *state) feed {
	switch {
	case !s.historian.configured:
		return feed{Label: "Historian", Value: "none configured", Note: "Telemetry waits in the stream. Curves and cases work."}
	case s.historian.err != nil:
		return feed{Label: "Historian", Value: orElse(s.historian.short, "failing"), Note: clip(s.historian.err.Error(), 160), Bad: true}
	}
	return feed{Label: "Historian", Value: s.historian.short}
}

func (c *console) detectorFeed(s *state) feed {
	if c.cfg.Plugins == nil {
		return feed{Label: "Detectors", Value: unknown}
	}
	running := 0
	for _, p := range s.plugins {
		if p.Error == "" {
			running++
		}
	}
	f := feed{Label: "Detectors", Value: count(running) + " of " + count(len(s.plugins)) + " in order", Bad: running < len(s.plugins)}
	if s.result != nil && len(s.result.Failed) > 0 {
		f.Note, f.Bad = "The last run lacks "+s.result.Failed[0].Detector+": "+clip(s.result.Failed[0].Error, 120), true
	}
	return f
}

func meanGood(x *index) float64 {
	sum, n := 0.0, 0
	for i := range x.UsagePoints {
		if known(x.UsagePoints[i].GoodShare) {
			sum += float64(x.UsagePoints[i].GoodShare)
			n++
		}
	}
	if n == 0 {
		return nan()
	}
	return sum / float64(n)
}
