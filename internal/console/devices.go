package console

import (
	"net/http"
	"sort"
	"strings"
	"time"
)

type deviceRow struct {
	deviceState
	StateWords string
	LastGoodAt string
	Age        string
	Every      string
	Behind     string // what it meters
	BehindHref string
	Quality    string // share of reads that were good
	Class      string // of the state, for the style sheet
}

type driverRow struct {
	Driver                       string
	Devices, Answering           int
	Due, OK, Failed, MissedReads int64
	Good                         string
}

type devicesView struct {
	NotSetUp bool
	Rows     []deviceRow
	Drivers  []driverRow
	Tabs     []tab
	State    string
	Q        string
	Shown    int
	All      int
	More     int
}

const devicesShown = 200

func (c *console) devices(w http.ResponseWriter, r *http.Request) {
	s := c.state(r.Context())
	v := devicesView{NotSetUp: s.devices == nil, State: r.URL.Query().Get("state"), Q: clip(r.URL.Query().Get("q"), 100), All: len(s.devices)}
	byState, byDriver := map[pollState]int{}, map[string]*driverRow{}
	for _, d := range s.devices {
		byState[d.state]++
		driver := byDriver[d.Driver]
		if driver == nil {
			driver = &driverRow{Driver: d.Driver}
			byDriver[d.Driver] = driver
		}
		driver.Devices++
		if d.state == answeringState {
			driver.Answering++
		}
		driver.Due += d.Due
		driver.OK += d.OK
		driver.Failed += d.Failed
		driver.MissedReads += d.Missed
		if inState(v.State, d.state) && matches(v.Q, d.ID, d.MeterID, d.Address, d.Profile) {
			v.Rows = append(v.Rows, c.deviceRow(s, d))
		}
	}
	for _, d := range byDriver {
		d.Good = ratio(d.OK, d.Due)
		v.Drivers = append(v.Drivers, *d)
	}
	sort.Slice(v.Drivers, func(i, j int) bool { return v.Drivers[i].Driver < v.Drivers[j].Driver })
	severity := map[pollState]int{neverState: 3, silentState: 2, failingState: 1}
	sort.SliceStable(v.Rows, func(i, j int) bool {
		if a, b := severity[v.Rows[i].state], severity[v.Rows[j].state]; a != b {
			return a > b
		}
		return v.Rows[i].ID < v.Rows[j].ID
	})
	if v.Shown = len(v.Rows); v.Shown > devicesShown {
		v.More, v.Rows = v.Shown-devicesShown, v.Rows[:devicesShown]
	}
	v.Tabs = []tab{
		{Label: "All", Href: "/devices", Count: len(s.devices), Current: v.State == ""},
		{Label: "Answering", Href: "/devices?state=answering", Count: byState[answeringState], Current: v.State == "answering"},
		{Label: "Last try failed", Href: "/devices?state=failing", Count: byState[failingState], Current: v.State == "failing"},
		{Label: "Silent", Href: "/devices?state=silent", Count: byState[silentState] + byState[neverState], Current: v.State == "silent"},
	}
	c.render(w, r, http.StatusOK, "devices", "Devices", v)
}

func inState(wanted string, s pollState) bool {
	switch wanted {
	case "answering":
		return s == answeringState
	case "failing":
		return s == failingState
	case "silent":
		return s == silentState || s == neverState
	}
	return true
}

func (c *console) deviceRow(s *state, d deviceState) deviceRow {
	row := deviceRow{deviceState: d, LastGoodAt: stampSeconds(d.LastGood, s), Age: ago(d.LastGood, s.now), Every: lasting(d.Interval), Quality: ratio(d.OK, d.Due)}
	switch d.state {
	case answeringState:
		row.StateWords, row.Class = "answering", "ok"
	case failingState:
		row.StateWords, row.Class = "last try failed", "failing"
	case silentState:
		row.StateWords, row.Class = "silent for "+row.Age, "silent"
	case neverState:
		row.StateWords, row.Class = "never answered", "silent"
	}
	if s.network == nil {
		return row
	}
	if t := s.network.TransformerOfMeter(d.MeterID); t != nil {
		row.Behind, row.BehindHref = t.ID, href("transformers", t.ID)
	} else if u := s.network.UsagePointOfMeter(d.MeterID, s.now); u != nil {
		row.Behind, row.BehindHref = u.ID, href("usage-points", u.ID)
	}
	return row
}

func stampSeconds(t time.Time, s *state) string {
	if t.IsZero() {
		return "never"
	}
	t, now := t.In(s.loc), s.now.In(s.loc)
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05")
	}
	return stamp(t, now, s.loc)
}

// ratio is ok of due as percent; "none due" before the first read.
func ratio(ok, due int64) string {
	if due == 0 {
		return "none due"
	}
	return share(float64(ok) / float64(due))
}

type pluginRow struct {
	Plugin
	Label, StateWords, Short string
	Bad                      bool
}

type pluginsView struct {
	NotSetUp bool
	Rows     []pluginRow
	Failed   []string
	Note     string
}

func (c *console) plugins(w http.ResponseWriter, r *http.Request) {
	s := c.state(r.Context())
	v := pluginsView{NotSetUp: c.cfg.Plugins == nil}
	for _, p := range s.plugins {
		row := pluginRow{Plugin: p, Label: in(c.words.detectors, p.Name), StateWords: orElse(strings.ReplaceAll(p.State, "_", " "), unknown), Short: clip(p.SHA256, 13), Bad: p.Error != ""}
		v.Rows = append(v.Rows, row)
	}
	if s.result != nil {
		v.Note = c.resultNote(s)
		for _, f := range s.result.Failed {
			v.Failed = append(v.Failed, in(c.words.detectors, f.Detector)+": "+f.Error)
		}
	}
	c.render(w, r, http.StatusOK, "plugins", "Plugins", v)
}
