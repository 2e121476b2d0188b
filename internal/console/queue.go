package console

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/gridwarden/gridwarden/internal/detect"
)

const queuePage = 100

// queueQuery is what the address asks for.
type queueQuery struct {
	View, Q, Feeder, Reason, Sort string
	Desc                          bool
	Min                           float64
	MinText                       string
	Page                          int
}

func readQueueQuery(values url.Values) queueQuery {
	q := queueQuery{View: values.Get("view"), Q: clip(values.Get("q"), 100), Feeder: values.Get("feeder"), Reason: values.Get("reason"), Sort: values.Get("sort"), Desc: values.Get("dir") == "desc"}
	if v, err := strconv.ParseFloat(values.Get("min"), 64); err == nil && v > 0 && v <= 1 {
		q.Min, q.MinText = v, strconv.FormatFloat(v, 'f', -1, 64)
	}
	q.Page, _ = strconv.Atoi(values.Get("page"))
	q.Page = max(1, q.Page)
	if queueLess(q.Sort) == nil {
		q.Sort = "rank"
	}
	if !slices.Contains([]string{"above", "case", "explained", "protected"}, q.View) {
		q.View = "all"
	}
	return q
}

// with is the address of the same query with some keys changed; "" removes one.
func (q queueQuery) with(path string, changes ...string) string {
	values := url.Values{}
	set := func(k, v, plain string) {
		if v != "" && v != plain {
			values.Set(k, v)
		}
	}
	set("view", q.View, "all")
	set("q", q.Q, "")
	set("feeder", q.Feeder, "")
	set("reason", q.Reason, "")
	set("min", q.MinText, "")
	set("sort", q.Sort, "rank")
	if q.Desc {
		values.Set("dir", "desc")
	}
	for i := 0; i+1 < len(changes); i += 2 {
		values.Del(changes[i])
		set(changes[i], changes[i+1], "")
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// queueLess is the natural order of a column, nil where it cannot be sorted by.
func queueLess(key string) func(a, b *pointRow) bool {
	switch key {
	case "rank":
		return func(a, b *pointRow) bool { return a.Rank < b.Rank }
	case "name":
		return func(a, b *pointRow) bool { return a.Name < b.Name }
	case "transformer":
		return func(a, b *pointRow) bool { return a.TransformerID < b.TransformerID }
	case "risk":
		return func(a, b *pointRow) bool { return a.Risk < b.Risk }
	case "mean":
		return func(a, b *pointRow) bool { return a.MeanKW < b.MeanKW }
	case "excess":
		return func(a, b *pointRow) bool { return a.ExcessKWhMonth < b.ExcessKWhMonth }
	case "recoverable":
		return func(a, b *pointRow) bool { return a.Recoverable < b.Recoverable }
	}
	return nil
}

func inView(view string, row *pointRow) bool {
	switch view {
	case "above":
		return !row.Quiet
	case "case":
		return row.CaseID != ""
	case "explained":
		return len(row.Chips.Explained) > 0
	case "protected":
		return len(row.Chips.Protected) > 0
	}
	return true
}

func (q queueQuery) keeps(row *pointRow) bool {
	return inView(q.View, row) && row.Risk >= q.Min && (q.Feeder == "" || row.FeederID == q.Feeder) &&
		(q.Reason == "" || slices.Contains(row.Reasons, q.Reason)) &&
		matches(q.Q, row.Name, row.UsagePointID, row.MeterID, row.CustomerID, row.TransformerID, row.CaseID)
}

type option struct {
	Value, Label string
	Selected     bool
}

type tab struct {
	Label, Href string
	Count       int
	Current     bool
}

type column struct {
	Label, Href, AriaSort, Class string
}

// sorted marks the column where the list is sorted by it, and returns the
// direction that choosing it asks for: highest tells what is wanted first, and
// the other way is wanted where it is chosen again.
func (c *column) sorted(by, descending, highest bool) (dir string) {
	if by {
		c.AriaSort = "ascending"
		if descending {
			c.AriaSort = "descending"
		}
		highest = !descending
	}
	if highest {
		return "desc"
	}
	return ""
}

type queueView struct {
	NoResult         bool
	Query            queueQuery
	Tabs             []tab
	Feeders, Reasons []option
	Columns          []column
	Rows             []pointRow
	Hidden           int
	HiddenBy         string
	Total, Points    int
	Note             string
	Currency         string
	CSV              string
	Clear            string
	Prev, Next       string
	From, To, Kept   int
	Areas            []transformerRow
	Failed           []string
}

func (c *console) queueRows(r *http.Request, q queueQuery) (all, kept []pointRow, s *state, err error) {
	s = c.state(r.Context())
	if s.resultErr != nil {
		return nil, nil, s, s.resultErr
	}
	byPoint, _, err := c.openCases(r.Context())
	if err != nil || s.result == nil {
		return nil, nil, s, err
	}
	for _, a := range s.result.ranked {
		all = append(all, c.row(s.network, a, byPoint))
	}
	for i := range all {
		if q.keeps(&all[i]) {
			kept = append(kept, all[i])
		}
	}
	less := queueLess(q.Sort)
	sort.SliceStable(kept, func(i, j int) bool {
		if q.Desc {
			return less(&kept[j], &kept[i])
		}
		return less(&kept[i], &kept[j])
	})
	return all, kept, s, nil
}

func (c *console) queue(w http.ResponseWriter, r *http.Request) {
	q := readQueueQuery(r.URL.Query())
	all, kept, s, err := c.queueRows(r, q)
	if err != nil {
		c.fail(w, r, "The queue could not be read", err)
		return
	}
	v := queueView{NoResult: s.result == nil, Query: q, Total: len(all), Kept: len(kept), CSV: q.with("/queue.csv"), Clear: "/queue"}
	if s.result != nil {
		v.Points = len(s.result.UsagePoints)
		v.Note = c.resultNote(s)
		for _, f := range s.result.Failed {
			v.Failed = append(v.Failed, in(c.words.detectors, f.Detector)+": "+clip(f.Error, 200))
		}
	}
	v.page(kept, q)
	v.Hidden, v.HiddenBy = len(all)-len(kept), c.filterWords(q)
	v.Tabs = queueTabs(all, q)
	v.Feeders, v.Reasons = c.queueOptions(all, q)
	for i := range all {
		if all[i].Currency != "" {
			v.Currency = all[i].Currency
			break
		}
	}
	v.Columns = queueColumns(q, v.Currency)
	v.Areas = c.areas(s)
	c.render(w, r, http.StatusOK, "queue", "Queue", v)
}

func (v *queueView) page(kept []pointRow, q queueQuery) {
	from := min((q.Page-1)*queuePage, max(0, (len(kept)-1)/queuePage*queuePage))
	to := min(from+queuePage, len(kept))
	v.Rows, v.From, v.To = kept[from:to], from+1, to
	page := from/queuePage + 1
	if page > 1 {
		v.Prev = q.with("/queue", "page", strconv.Itoa(page-1))
	}
	if to < len(kept) {
		v.Next = q.with("/queue", "page", strconv.Itoa(page+1))
	}
}

func queueTabs(all []pointRow, q queueQuery) []tab {
	var tabs []tab
	for _, t := range []struct{ key, label string }{{"all", "All"}, {"above", "Above the case threshold"}, {"case", "With a case"}, {"explained", "Explained"}, {"protected", "Protected"}} {
		n := 0
		for i := range all {
			if inView(t.key, &all[i]) {
				n++
			}
		}
		view := t.key
		if view == "all" {
			view = ""
		}
		tabs = append(tabs, tab{Label: t.label, Href: q.with("/queue", "view", view), Count: n, Current: q.View == t.key})
	}
	return tabs
}

func (c *console) queueOptions(all []pointRow, q queueQuery) (feeders, reasons []option) {
	feederSet, reasonSet := map[string]bool{}, map[string]bool{}
	for i := range all {
		if all[i].FeederID != "" {
			feederSet[all[i].FeederID] = true
		}
		for _, code := range all[i].Reasons {
			reasonSet[code] = true
		}
	}
	for id := range feederSet {
		feeders = append(feeders, option{Value: id, Label: id, Selected: id == q.Feeder})
	}
	for code := range reasonSet {
		reasons = append(reasons, option{Value: code, Label: in(c.words.reasons, code), Selected: code == q.Reason})
	}
	byLabel := func(o []option) { sort.Slice(o, func(i, j int) bool { return o[i].Label < o[j].Label }) }
	byLabel(feeders)
	byLabel(reasons)
	return feeders, reasons
}

func queueColumns(q queueQuery, currency string) []column {
	recoverable := "Recoverable\nper month"
	if currency != "" {
		recoverable = "Recoverable\n" + currency + "/month"
	}
	var out []column
	for _, def := range []struct{ key, label, class string }{
		{"rank", "Rank", "n"}, {"name", "Customer", "w-name"}, {"transformer", "Transf.", ""}, {"risk", "Risk,\ngood data", ""},
		{"", "Reasons", ""}, {"mean", "Mean\nkW", "n"}, {"excess", "Excess\nkWh/month", "n"}, {"recoverable", recoverable, "n"}, {"", "Case", ""},
	} {
		col := column{Label: def.label, Class: def.class}
		if def.key != "" {
			// Numbers are first wanted highest first, ranks and names lowest first.
			dir := col.sorted(q.Sort == def.key, q.Desc, !slices.Contains([]string{"rank", "name", "transformer"}, def.key))
			key := def.key
			if key == "rank" {
				key = ""
			}
			col.Href = q.with("/queue", "sort", key, "dir", dir)
		}
		out = append(out, col)
	}
	return out
}

func (c *console) filterWords(q queueQuery) string {
	var parts []string
	if q.Q != "" {
		parts = append(parts, "“"+q.Q+"”")
	}
	if q.Feeder != "" {
		parts = append(parts, "feeder "+q.Feeder)
	}
	if q.Reason != "" {
		parts = append(parts, "reason “"+in(c.words.reasons, q.Reason)+"”")
	}
	if q.Min > 0 {
		parts = append(parts, "risk from "+fixed(q.Min, 2))
	}
	switch q.View {
	case "above":
		parts = append(parts, "above the case threshold")
	case "case":
		parts = append(parts, "with a case")
	case "explained":
		parts = append(parts, "explained")
	case "protected":
		parts = append(parts, "protected")
	}
	return strings.Join(parts, ", ")
}

// areas are the transformers where energy is missing or the records are in
// doubt: they have no customer, so they have no rank.
func (c *console) areas(s *state) []transformerRow {
	if s.result == nil || s.network == nil {
		return nil
	}
	var rows []transformerRow
	for i := range s.network.Transformers {
		row := c.transformerRow(s, &s.network.Transformers[i])
		if hasVerdict(row.TransformerAssessment, "theft", "unmetered_load", "records_error") {
			rows = append(rows, row)
		}
	}
	sort.SliceStable(rows, func(i, j int) bool { return urgency(rows[i]) > urgency(rows[j]) })
	return rows
}

// queueCSV is the same list as a file, in the columns of findings.csv.
func (c *console) queueCSV(w http.ResponseWriter, r *http.Request) {
	_, kept, _, err := c.queueRows(r, readQueueQuery(r.URL.Query()))
	if err != nil {
		c.fail(w, r, "The queue could not be read", err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="queue.csv"`)
	w.Header().Set("Cache-Control", "no-store")
	out := csv.NewWriter(w)
	_ = out.Write([]string{"rank", "usage_point_id", "meter_id", "customer_id", "transformer_id", "risk", "priority", "reasons", "detectors",
		"first_day", "last_day", "mean_kw", "excess_kwh_month", "recoverable", "currency", "case_id"})
	for i := range kept {
		a := &kept[i]
		_ = out.Write([]string{strconv.Itoa(a.Rank), inert(a.UsagePointID), inert(a.MeterID), inert(a.CustomerID), inert(a.TransformerID),
			strconv.FormatFloat(a.Risk, 'f', 4, 64), strconv.FormatFloat(a.Priority, 'f', 4, 64), inert(strings.Join(a.Reasons, ";")), inert(strings.Join(a.Detectors, ";")),
			a.FirstDay.String(), a.LastDay.String(), measured(a.MeanKW, 3), strconv.FormatFloat(a.ExcessKWhMonth, 'f', 1, 64),
			strconv.FormatFloat(a.Recoverable, 'f', 2, 64), inert(a.Currency), inert(a.CaseID)})
	}
	out.Flush() // an error here means that the reader has left
}

// inert keeps a spreadsheet from taking text of the records for a formula.
func inert(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// measured writes a number of a file, empty where it is unknown.
func measured(v detect.Measured, decimals int) string {
	if !v.Known() {
		return ""
	}
	return strconv.FormatFloat(float64(v), 'f', decimals, 64)
}
