package console

import (
	"math"
	"net/http"
	"time"
)

// frame is what every page carries: where, when, who, and what is abnormal.
type frame struct {
	Name, Title string
	Site, Area  string
	Now         time.Time
	Zone        string
	Theme       string
	Path        string
	Nav         []navItem
	User        User
	Role        string
	Bare        bool // before login
	Facts       []fact
	Alarms      alarmCounts
	Live        string // kinds of update on which the page refreshes itself
}

type navItem struct {
	Name, Label, Href string
	Current           bool
}

type fact struct {
	Label, Value string
	Optional     bool // left out where room is short
}

type alarmCounts struct{ P1, P2, P3 int }

// Words says the counts in words.
func (a alarmCounts) Words() string {
	if a == (alarmCounts{}) {
		return "Alarms: none"
	}
	return "Alarms: " + count(a.P1) + " urgent, " + count(a.P2) + " high, " + count(a.P3) + " low"
}

// section says under which entry of the navigation a page stands.
func section(page string) string {
	switch page {
	case "usagepoint":
		return "queue"
	case "transformer":
		return "transformers"
	case "case":
		return "cases"
	case "device":
		return "devices"
	}
	return page
}

func (c *console) frame(r *http.Request, page, title string) frame {
	now := c.cfg.Clock().In(c.cfg.Site.Location)
	f := frame{Name: page, Title: title, Site: c.cfg.Site.Name, Area: c.cfg.Site.Area, Now: now, Zone: zoneName(now),
		Theme: themeOf(r), Path: r.URL.RequestURI()}
	user, ok := userOf(r.Context())
	if !ok {
		f.Bare = true
		f.Path = "/"
		return f
	}
	f.User, f.Role = user, lower(c.words.roles, user.Role)
	if f.User.DisplayName == "" {
		f.User.DisplayName = user.Name
	}
	for _, item := range []navItem{
		{Name: "overview", Label: "Overview", Href: "/"},
		{Name: "queue", Label: "Queue", Href: "/queue"},
		{Name: "cases", Label: "Cases", Href: "/cases"},
		{Name: "transformers", Label: "Transformers", Href: "/transformers"},
		{Name: "devices", Label: "Devices", Href: "/devices"},
		{Name: "plugins", Label: "Plugins", Href: "/plugins"},
	} {
		item.Current = item.Name == section(page)
		f.Nav = append(f.Nav, item)
	}
	switch page {
	case "overview":
		f.Live = "result live"
	case "devices", "device":
		f.Live = "live reads result"
	case "plugins", "transformers":
		f.Live = "live result"
	case "queue", "usagepoint", "transformer", "cases", "case":
		f.Live = "result case"
	}
	state := c.state(r.Context())
	f.Facts = state.facts()
	for _, a := range state.alarms() {
		switch a.Priority {
		case 1:
			f.Alarms.P1++
		case 2:
			f.Alarms.P2++
		case 3:
			f.Alarms.P3++
		}
	}
	return f
}

func (s *state) facts() []fact {
	var out []fact
	if s.devices != nil {
		answering := 0
		oldest := time.Duration(-1)
		for i := range s.devices {
			if s.devices[i].state == answeringState {
				answering++
			}
			if age := s.now.Sub(s.devices[i].LastGood); !s.devices[i].LastGood.IsZero() && age > oldest {
				oldest = age
			}
		}
		out = append(out, fact{Label: "Devices", Value: count(answering) + " of " + count(len(s.devices))})
		if oldest >= 0 {
			out = append(out, fact{Label: "Oldest reading", Value: lasting(oldest)})
		}
	}
	out = append(out, fact{Label: "Historian", Value: s.historian.short, Optional: s.historian.err == nil && len(out) > 0})
	if s.result != nil {
		out = append(out, fact{Label: "Data to", Value: day(s.result.LastDay)})
	}
	return out
}

// loadKnown reports whether a live load is there at all.
func loadKnown(l Loading, rated float64) bool { return known(loadPct(l, rated)) }

// loadPct is the load in percent of the rating: apparent power where known,
// else active power.
func loadPct(l Loading, rated float64) float64 {
	if l.At.IsZero() || rated <= 0 {
		return math.NaN()
	}
	if known(l.KVA) && l.KVA > 0 {
		return 100 * l.KVA / rated
	}
	return 100 * l.KW / rated
}
