package console

import (
	"errors"
	"net/http"
	"sort"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
)

type caseRow struct {
	Case
	Name, StateWords, OpenedAt, UpdatedAt, Age string
	ReasonWords                                []string
	Closed                                     bool
}

func (c *console) caseRow(n *grid.Network, one Case) caseRow {
	now, loc := c.cfg.Clock(), c.cfg.Site.Location
	row := caseRow{Case: one, Name: c.identify(n, one.UsagePointID, one.CustomerID).Name, StateWords: in(c.words.states, one.State),
		OpenedAt: stamp(one.Opened, now, loc), UpdatedAt: stamp(one.Updated, now, loc), Age: ago(one.Opened, now), Closed: one.State == "closed"}
	if one.UsagePointID == "" && one.TransformerID != "" {
		row.Name = c.areaName(one)
	}
	for _, code := range one.Reasons {
		row.ReasonWords = append(row.ReasonWords, in(c.words.reasons, code))
	}
	return row
}

// areaName is what a case about a transformer is called: it names no customer.
func (c *console) areaName(one Case) string {
	if len(one.Reasons) == 0 {
		return "Case about " + one.TransformerID
	}
	name := in(c.words.reasons, one.Reasons[0])
	if one.Reasons[0] == "overloaded" || one.Reasons[0] == "undersized" {
		return name
	}
	return name + ", nobody named"
}

type casesView struct {
	NotSetUp     bool
	Rows         []caseRow
	Open, Closed int
	Threshold    float64
}

func (c *console) cases(w http.ResponseWriter, r *http.Request) {
	v := casesView{NotSetUp: c.cfg.Cases == nil, Threshold: c.cfg.Threshold}
	_, list, err := c.openCases(r.Context())
	if err != nil {
		c.fail(w, r, "The cases could not be read", err)
		return
	}
	network := c.cfg.Network()
	for _, one := range list {
		row := c.caseRow(network, one)
		if row.Closed {
			v.Closed++
		} else {
			v.Open++
		}
		v.Rows = append(v.Rows, row)
	}
	sort.SliceStable(v.Rows, func(i, j int) bool { return !v.Rows[i].Closed && v.Rows[j].Closed })
	c.render(w, r, http.StatusOK, "cases", "Cases", v)
}

// unmetShown is how many conditions of a measure stand open; the others unfold.
const unmetShown = 3

type measureRow struct {
	Measure
	Name, StateWords string
	Shut             bool
	Further          []Unmet // conditions beyond the first few
}

type timelineRow struct {
	At, What, Text, Actor string
}

type caseView struct {
	caseRow
	Measures     []measureRow
	MeasuresNote string
	Blocked      int
	Timeline     []timelineRow
	Point        *detect.Assessment
	Chips        chips
	Class, Use   string
	Protected    string
	Transformer  string
	Open         int // innocent explanations that are open
}

func (c *console) caseByID(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if c.cfg.Cases == nil {
		c.missing(w, r, "case", id)
		return
	}
	one, err := c.cfg.Cases.Case(r.Context(), id)
	if errors.Is(err, ErrNotFound) {
		c.missing(w, r, "case", id)
		return
	}
	if err != nil {
		c.fail(w, r, "The case could not be read", err)
		return
	}
	s := c.state(r.Context())
	v := caseView{caseRow: c.caseRow(s.network, *one), Transformer: one.TransformerID}
	v.Measures, v.MeasuresNote, v.Blocked, err = c.measures(r, id)
	if err != nil {
		c.fail(w, r, "The measures of this case could not be read", err)
		return
	}
	identity := c.identify(s.network, one.UsagePointID, one.CustomerID)
	v.Class, v.Protected = identity.Class, "not on record"
	if identity.cust != nil {
		v.Use = c.useName(identity.cust)
		v.Protected = "no"
		if len(identity.cust.Protected) > 0 {
			var words []string
			for _, p := range identity.cust.Protected {
				words = append(words, lower(c.words.protected, p))
			}
			v.Protected = "yes: " + list(words)
		}
	}
	if s.result != nil {
		if v.Point = s.result.points[one.UsagePointID]; v.Point != nil {
			v.Chips = c.chips(v.Point, identity.cust)
			v.Open = openExplanations(v.Point)
		}
	}
	if v.Point == nil {
		v.Chips.Reasons = v.ReasonWords
	}
	for i := len(one.Timeline) - 1; i >= 0; i-- {
		e := one.Timeline[i]
		v.Timeline = append(v.Timeline, timelineRow{At: stamp(e.At, s.now, s.loc), What: e.What, Text: e.Text, Actor: e.Actor})
	}
	c.render(w, r, http.StatusOK, "case", one.ID, v)
}

func (c *console) measures(r *http.Request, id string) (rows []measureRow, note string, blocked int, err error) {
	m, err := c.cfg.Cases.Measures(r.Context(), id)
	if err != nil || m == nil {
		return nil, "", 0, err
	}
	for _, one := range m.List {
		row := measureRow{Measure: one, Name: in(c.words.measures, one.Code), StateWords: lower(c.words.measureStates, one.State)}
		row.Shut = one.State == "blocked" || one.State == "not_applicable"
		if one.State == "blocked" {
			blocked++
			if len(one.Unmet) > 0 {
				row.StateWords = "blocked, " + plural(len(one.Unmet), "condition", "conditions") + " unmet"
			}
		}
		if len(row.Unmet) > unmetShown+1 {
			row.Unmet, row.Further = row.Unmet[:unmetShown], row.Unmet[unmetShown:]
		}
		rows = append(rows, row)
	}
	if m.Policy != "" {
		note = "against policy " + m.Policy
	}
	if !m.FactsAt.IsZero() {
		if note != "" {
			note += ", "
		}
		note += "facts of " + stamp(m.FactsAt, c.cfg.Clock(), c.cfg.Site.Location)
	}
	return rows, note, blocked, nil
}
