package console

import (
	"html/template"
	"math"
	"net/http"
	"sort"
	"strings"

	"github.com/gridwarden/gridwarden/internal/console/chart"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

const (
	recentDays = 30
	historyMax = 400 // days of one meter that a page reads at the most
	heatMax    = 120 // days in a heat map
)

type contributionRow struct {
	Source, Text, Value string
	LogOdds             float64
	Weighed             bool
}

type evidenceRow struct {
	Text, Value, Days, Source string
	Bar                       template.HTML
	LogOdds                   float64
	Weighed                   bool
}

type innocentRow struct {
	Name, Text, Outcome string
	Strong              bool
}

type pair struct{ Label, Value, Href string }

type tile struct {
	Label, Value, Unit, Note string
	Words                    bool // the value is words, not a number
}

type usagePointView struct {
	ID, Name, Summary, Facts string
	Rank, Ranked             int
	Transformer              string
	CaseID                   string
	Tiles                    []tile
	Figures                  []figure
	Chips                    chips
	Contributions            []contributionRow
	Limit                    float64
	Evidence                 []evidenceRow
	Weaker                   []evidenceRow // facts that hardly moved the risk
	Innocent                 []innocentRow
	Tested, Open             int
	Measures                 []measureRow
	MeasuresNote             string
	NoCase                   string
	Records                  []pair
	Stamps                   []pair
	NoResult                 string
	Found                    bool // a detector found something
	Shadow                   []shadowFinding
}

func (c *console) usagePoint(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	s := c.state(r.Context())
	if s.resultErr != nil {
		c.fail(w, r, "The latest result could not be read", s.resultErr)
		return
	}
	d, err := c.pointData(r.Context(), s, id)
	if err != nil {
		c.fail(w, r, "The curve of "+clip(id, 60)+" could not be read", err)
		return
	}
	if d == nil {
		c.missing(w, r, "usage point", id)
		return
	}
	byPoint, _, err := c.openCases(r.Context())
	if err != nil {
		c.fail(w, r, "The cases could not be read", err)
		return
	}
	v := usagePointView{ID: id, Name: d.name, CaseID: byPoint[id].ID}
	c.describePoint(&v, d, s)
	if err := c.judgePoint(&v, d, r); err != nil {
		c.fail(w, r, "The measures of this case could not be read", err)
		return
	}
	v.Tiles = c.pointTiles(d, s, byPoint[id])
	v.Figures = []figure{c.overlayFigure(d), c.heatFigure(d), c.baseFigure(d), c.durationFigure(d)}
	if s.result != nil {
		v.Shadow = c.shadowFindings(s.result, id)
	}
	c.render(w, r, http.StatusOK, "usagepoint", id, v)
}

func (c *console) describePoint(v *usagePointView, d *pointData, s *state) {
	transformerID := ""
	if d.a != nil {
		transformerID = d.a.TransformerID
		v.Rank = d.a.Rank
		v.Ranked = len(s.result.ranked)
		v.Chips = c.chips(d.a, d.cust)
		v.Chips.Reasons = nil // the sentence says them
	}
	var facts []string
	if d.cust != nil {
		facts = append(facts, sentence(lower(c.words.classes, string(d.cust.Class))))
	}
	if d.point != nil {
		transformerID = d.point.TransformerID
		meter := "meter " + d.point.MeterID
		if f := d.point.Factor(); f != 1 {
			meter += ", factor " + num3(f)
		}
		facts = append(facts, meter)
	}
	v.Transformer, v.Facts = transformerID, strings.Join(facts, "; ")
	v.Summary = c.pointSummary(d, s)
	v.Records = c.pointRecords(d, s)
}

// pointSummary is the sentence that a reader in a hurry takes along.
func (c *console) pointSummary(d *pointData, s *state) string {
	switch {
	case s.result == nil:
		return "No detection run yet."
	case d.a == nil:
		return "Not part of the last run."
	case d.a.Rank == 0:
		return "No detector found anything abnormal here, " + span(s.result.FirstDay, s.result.LastDay) + "."
	}
	var reasons []string
	for i, w := range c.chips(d.a, d.cust).Reasons {
		if i > 0 {
			w = uncapital(w)
		}
		reasons = append(reasons, w)
	}
	text := list(reasons)
	if d.a.FirstDay > 0 && d.a.FirstDay > s.result.FirstDay {
		text += ", since " + day(d.a.FirstDay)
	}
	if text == "" {
		text = "Noted by " + list(d.a.Detectors)
	}
	if n := openExplanations(d.a); n > 0 {
		text += "; " + plural(n, "innocent explanation is", "innocent explanations are") + " open"
	}
	return text + "."
}

func (c *console) pointRecords(d *pointData, s *state) []pair {
	var out []pair
	add := func(label, value string) {
		if value != "" {
			out = append(out, pair{Label: label, Value: value})
		}
	}
	if d.cust != nil {
		out = append(out, pair{Label: "Customer", Value: d.cust.ID})
		add("Category", string(d.cust.Category))
		add("Subject", d.cust.Subject)
		add("Tariff", orElse(d.cust.TariffID, "not on record"))
		if d.cust.ContractedKVA > 0 {
			add("Contracted", withUnit(num3(d.cust.ContractedKVA), "kVA"))
		} else {
			add("Contracted", "not on record")
		}
		if d.cust.RegisteredDataCentre {
			add("Register", "data centre, registered")
		}
		protected := "none on record"
		if len(d.cust.Protected) > 0 {
			var words []string
			for _, p := range d.cust.Protected {
				words = append(words, lower(c.words.protected, p))
			}
			protected = list(words)
		}
		add("Protected", protected)
	} else {
		add("Customer", "not on record")
	}
	if d.point == nil {
		add("Usage point", "no assignment on record for today")
		return out
	}
	if t := s.network.Transformer(d.point.TransformerID); t != nil {
		n := len(s.network.UsagePointsBehind(t.ID, s.now))
		behind := "shared with " + plural(n-1, "other", "others")
		if n == 1 {
			behind = "sole usage point"
		}
		out = append(out, pair{Label: "Transformer", Value: t.ID + ", " + withUnit(num3(t.RatedKVA), "kVA") + ", " + behind, Href: href("transformers", t.ID)})
	}
	add("Phase", orElse(string(d.point.Phase), "not on record"))
	add("Ratios", ratios(d.point))
	since := "the first record"
	if !d.point.ValidFrom.IsZero() {
		since = d.point.ValidFrom.In(s.loc).Format("2 Jan 2006")
	}
	add("Assigned since", since)
	return out
}

func ratios(u *grid.UsagePoint) string {
	var parts []string
	if u.CTRatio > 0 {
		parts = append(parts, "CT "+num3(u.CTRatio))
	}
	if u.PTRatio > 0 {
		parts = append(parts, "PT "+num3(u.PTRatio))
	}
	if u.Multiplier > 0 {
		parts = append(parts, "multiplier "+num3(u.Multiplier))
	}
	if len(parts) == 0 {
		return "direct, factor 1"
	}
	return strings.Join(parts, ", ")
}

// judgePoint fills what detectors and policy say.
func (c *console) judgePoint(v *usagePointView, d *pointData, r *http.Request) error {
	if v.CaseID != "" {
		var err error
		if v.Measures, v.MeasuresNote, _, err = c.measures(r, v.CaseID); err != nil {
			return err
		}
	}
	switch {
	case c.cfg.Cases == nil:
		v.NoCase = "Cases are not set up on this installation."
	case d.a == nil:
		v.NoCase = "A case needs a finding; there is none."
	case d.a.Risk < c.cfg.Threshold:
		v.NoCase = "The risk is below the case threshold of " + fixed(c.cfg.Threshold, 2) + ". Nothing is asked of the customer."
	default:
		v.NoCase = "The risk is at or above the case threshold; the case opens with the next pass."
	}
	if d.a == nil {
		v.NoResult = "No detector has judged this usage point yet."
		return nil
	}
	v.Contributions, v.Limit = c.contributions(d.a)
	for i := range d.a.Findings {
		f := &d.a.Findings[i]
		for _, e := range f.Evidence {
			row := evidenceRow{Text: orElse(e.Text, in(c.words.evidence, e.Code)), Value: evidenceValue(e), Source: in(c.words.detectors, f.Stamp.Detector), LogOdds: e.LogOdds, Weighed: e.LogOdds != 0}
			if e.FirstDay > 0 && e.LastDay >= e.FirstDay {
				row.Days = span(curve.Date(e.FirstDay), curve.Date(e.LastDay))
			}
			v.Evidence = append(v.Evidence, row)
			v.Limit = max(v.Limit, math.Abs(e.LogOdds))
		}
		if f.Stamp.Detector != "" {
			v.Stamps = append(v.Stamps, pair{Label: in(c.words.detectors, f.Stamp.Detector) + " " + f.Stamp.Version, Value: clip(f.Stamp.SHA256, 17)})
		}
	}
	v.Evidence, v.Weaker = weighed(v.Evidence)
	v.Innocent, v.Open = c.innocentRows(d.a)
	v.Tested = len(v.Innocent)
	v.Found = len(d.a.Findings) > 0
	return nil
}

const (
	evidenceShown = 8
	weakLogOdds   = 0.3 // below it a fact changes the odds by less than a third
)

// weighed orders facts by weight and sets the weak ones of many apart.
func weighed(rows []evidenceRow) (strong, weak []evidenceRow) {
	sort.SliceStable(rows, func(i, j int) bool { return math.Abs(rows[i].LogOdds) > math.Abs(rows[j].LogOdds) })
	for i, row := range rows {
		if len(rows) <= evidenceShown || i < 3 || i < evidenceShown && math.Abs(row.LogOdds) >= weakLogOdds {
			strong = append(strong, row)
		} else {
			weak = append(weak, row)
		}
	}
	return strong, weak
}

func (c *console) contributions(a *detect.Assessment) (rows []contributionRow, limit float64) {
	for _, one := range a.Contributions {
		rows = append(rows, contributionRow{Source: in(c.words.detectors, one.Source), Text: one.Text, LogOdds: one.LogOdds, Value: signed(one.LogOdds), Weighed: known(one.LogOdds)})
		if known(one.LogOdds) {
			limit = max(limit, math.Abs(one.LogOdds))
		}
	}
	return rows, limit
}

func signed(v float64) string {
	if v > 0 {
		return "+" + fixed(v, 1)
	}
	return fixed(v, 1)
}

// evidenceValue is the value of a fact where it has a unit; a bare ratio stands
// in the sentence, in the form that a reader can use.
func evidenceValue(e sdk.Evidence) string {
	if e.Unit == "" {
		return ""
	}
	return withUnit(num(e.Value), e.Unit)
}

// innocentRows lists each explanation once, the open ones first: they are what is left to do.
func (c *console) innocentRows(a *detect.Assessment) (rows []innocentRow, open int) {
	order := map[sdk.Outcome]int{sdk.Explains: 0, sdk.Open: 1, sdk.Unlikely: 2, sdk.RuledOut: 3}
	type ranked struct {
		innocentRow
		rank int
	}
	var all []ranked
	seen := map[string]bool{}
	for i := range a.Findings {
		for _, e := range a.Findings[i].Innocent {
			key := e.Code + "\x00" + e.Text
			if seen[key] {
				continue
			}
			seen[key] = true
			if e.Outcome == sdk.Open {
				open++
			}
			all = append(all, ranked{innocentRow{Name: in(c.words.innocent, e.Code), Text: e.Text, Outcome: in(c.words.outcomes, string(e.Outcome)), Strong: e.Outcome != sdk.RuledOut}, order[e.Outcome]})
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].rank < all[j].rank })
	for _, one := range all {
		rows = append(rows, one.innocentRow)
	}
	return rows, open
}

func (c *console) pointTiles(d *pointData, s *state, one Case) []tile {
	var out []tile
	risk := tile{Label: "Risk", Value: "not scored", Words: true, Note: "no detector could judge it"}
	if d.a != nil && s.result != nil {
		risk = tile{Label: "Risk", Value: riskWords(d.a.Risk), Note: "calibrated at a prior of " + num3(s.result.Prior) + "; case from " + fixed(c.cfg.Threshold, 2)}
	}
	out = append(out, risk)
	if len(d.recent) == 0 {
		out = append(out, tile{Label: "Energy", Value: "no curve", Words: true, Note: "no readings of this meter are stored"})
	} else {
		kwh, _, all := energy(d.recent)
		e := tile{Label: "Energy, last " + plural(len(d.recent), "day", "days"), Value: whole(kwh), Unit: "kWh", Note: span(d.recent[0].Date, d.recent[len(d.recent)-1].Date)}
		if d.a != nil && d.a.ExcessKWhMonth > 0 {
			e.Note = whole(d.a.ExcessKWhMonth) + " a month beyond what is explained"
		}
		mean, top := c.meanAndMax(d)
		m := tile{Label: "Mean load", Value: num(mean), Unit: "kW", Note: "max " + withUnit(num(top), "kW")}
		if d.cust != nil && d.cust.ContractedKVA > 0 {
			m.Note += "; contracted " + withUnit(num3(d.cust.ContractedKVA), "kVA")
		}
		out = append(out, e, m)
		if all > 0 {
			out = append(out, tile{Label: "Good intervals, " + plural(len(d.recent), "day", "days"), Value: strings.TrimSuffix(share(goodShare(d.recent)), nbsp+"%"), Unit: "%", Note: missingWords(d.recent)})
		}
	}
	use := tile{Label: "Declared use", Value: "not on record", Words: true, Note: "customer unknown"}
	if d.cust != nil {
		use.Value, use.Note = c.useName(d.cust), string(d.cust.Category)
	}
	out = append(out, use)
	measure := tile{Label: "Case", Value: "none", Words: true, Note: "nothing is asked of the customer"}
	if one.ID != "" {
		measure = tile{Label: "Case " + one.ID, Value: in(c.words.states, one.State), Words: true, Note: "opened " + stamp(one.Opened, s.now, s.loc)}
	}
	return append(out, measure)
}

func (c *console) meanAndMax(d *pointData) (avg, top float64) {
	var values []float64
	for i := range d.last {
		values = append(values, d.last[i].kw...)
	}
	return mean(values), highest(values)
}

// withBars draws the weight of each fact against the greatest weight on the page.
func withBars(rows []evidenceRow, limit float64) []evidenceRow {
	for i := range rows {
		rows[i].Bar = chart.WeightBar(rows[i].LogOdds, limit)
	}
	return rows
}
