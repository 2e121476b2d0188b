package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"
)

type deviceRow struct {
	deviceState
	StateWords string
	StateSub   string
	Glyph      string
	LastGoodAt string
	Every      string
	P50, P99   string // ms
	Behind     string // what it meters
	BehindHref string
	Quality    string // share of reads that were good
	Failures   []failure
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
	Choices  []option // of drivers
	Columns  []column
	Query    devicesQuery
	HiddenBy string
	All      int
	More     int
	Reload   *reloadView
}

const devicesShown = 200

// devicesQuery is what the address asks for.
type devicesQuery struct {
	State, Driver, Q, Sort string
	Desc                   bool
}

func readDevicesQuery(values url.Values) devicesQuery {
	q := devicesQuery{State: values.Get("state"), Driver: values.Get("driver"), Q: clip(values.Get("q"), 100), Sort: values.Get("sort"), Desc: values.Get("dir") == "desc"}
	if compareDevices(q.Sort) == nil {
		q.Sort = "state"
	}
	if !slices.Contains([]string{"answering", "failing", "silent"}, q.State) {
		q.State = ""
	}
	return q
}

// with is the address of the same query with some keys changed; "" removes one.
func (q devicesQuery) with(changes ...string) string {
	values := url.Values{}
	set := func(k, v string) {
		values.Del(k)
		if v != "" && !(k == "sort" && v == "state") {
			values.Set(k, v)
		}
	}
	set("state", q.State)
	set("driver", q.Driver)
	set("q", q.Q)
	set("sort", q.Sort)
	if q.Desc {
		set("dir", "desc")
	}
	for i := 0; i+1 < len(changes); i += 2 {
		set(changes[i], changes[i+1])
	}
	if len(values) == 0 {
		return "/devices"
	}
	return "/devices?" + values.Encode()
}

func (q devicesQuery) keeps(d *deviceState) bool {
	return inState(q.State, d.state) && (q.Driver == "" || d.Driver == q.Driver) && matches(q.Q, d.ID, d.MeterID, d.Address, d.Profile)
}

func (q devicesQuery) words() string {
	var parts []string
	if q.State != "" {
		parts = append(parts, q.State)
	}
	if q.Driver != "" {
		parts = append(parts, "driver "+q.Driver)
	}
	if q.Q != "" {
		parts = append(parts, "“"+q.Q+"”")
	}
	return strings.Join(parts, ", ")
}

// compareDevices is the natural order of a column, nil where it cannot be sorted by.
func compareDevices(key string) func(a, b *deviceState) int {
	switch key {
	case "state":
		return func(a, b *deviceState) int { return b.state.severity() - a.state.severity() }
	case "device":
		return func(a, b *deviceState) int { return strings.Compare(a.ID, b.ID) }
	case "good":
		return func(a, b *deviceState) int { return a.LastGood.Compare(b.LastGood) }
	case "every":
		return func(a, b *deviceState) int { return cmp.Compare(a.Interval, b.Interval) }
	case "p50":
		return func(a, b *deviceState) int { return cmp.Compare(a.P50, b.P50) }
	case "p99":
		return func(a, b *deviceState) int { return cmp.Compare(a.P99, b.P99) }
	case "share":
		return func(a, b *deviceState) int { return cmp.Compare(a.goodShare(), b.goodShare()) }
	case "profile":
		return func(a, b *deviceState) int {
			return cmp.Or(strings.Compare(a.Profile, b.Profile), strings.Compare(a.Address, b.Address))
		}
	}
	return nil
}

func (d *deviceState) goodShare() float64 {
	if d.Due == 0 {
		return -1
	}
	return float64(d.OK) / float64(d.Due)
}

func (c *console) devices(w http.ResponseWriter, r *http.Request) {
	s := c.state(r.Context())
	q := readDevicesQuery(r.URL.Query())
	v := devicesView{NotSetUp: s.devices == nil, Query: q, All: len(s.devices), Reload: c.reloaded(s), Drivers: driverRows(s), HiddenBy: q.words()}
	var kept []*deviceState
	byState := map[pollState]int{}
	for i := range s.devices {
		d := &s.devices[i]
		byState[d.state]++
		if q.keeps(d) {
			kept = append(kept, d)
		}
	}
	order := compareDevices(q.Sort)
	sort.SliceStable(kept, func(i, j int) bool {
		a, b := kept[i], kept[j]
		if q.Desc {
			a, b = b, a
		}
		if n := order(a, b); n != 0 {
			return n < 0
		}
		return kept[i].ID < kept[j].ID
	})
	v.More = max(0, len(kept)-devicesShown)
	for _, d := range kept[:len(kept)-v.More] {
		v.Rows = append(v.Rows, c.deviceRow(s, d))
	}
	for _, t := range []struct {
		key, label string
		n          int
	}{
		{"", "All", len(s.devices)}, {"answering", "Answering", byState[answeringState]}, {"failing", "Failing", byState[failingState]},
		{"silent", "Silent", byState[silentState] + byState[neverState]},
	} {
		v.Tabs = append(v.Tabs, tab{Label: t.label, Href: q.with("state", t.key), Count: t.n, Current: q.State == t.key})
	}
	for _, d := range v.Drivers {
		v.Choices = append(v.Choices, option{Value: d.Driver, Label: d.Driver, Selected: d.Driver == q.Driver})
	}
	v.Columns = deviceColumns(q)
	c.render(w, r, http.StatusOK, "devices", "Devices", v)
}

func deviceColumns(q devicesQuery) []column {
	var out []column
	for _, def := range []struct{ key, label, class string }{
		{"device", "Device", ""}, {"state", "State", ""}, {"good", "Last good", "n"}, {"every", "Every", "n wide"}, {"p50", "Round trip\nmedian ms", "n wide"}, {"p99", "Round trip\np99 ms", "n wide"},
		{"share", "Good", "n wide"}, {"", "Meters", "wide"}, {"profile", "Profile, address", "wide"}, {"", "Last error", "wide"},
	} {
		col := column{Label: def.label, Class: def.class}
		if def.key != "" {
			// Times and shares are first wanted lowest first, round trips highest.
			dir := col.sorted(q.Sort == def.key, q.Desc, slices.Contains([]string{"p50", "p99"}, def.key))
			col.Href = q.with("sort", def.key, "dir", dir)
		}
		out = append(out, col)
	}
	return out
}

// driverRows sums the polls up by driver.
func driverRows(s *state) []driverRow {
	byDriver := map[string]*driverRow{}
	for i := range s.devices {
		d := &s.devices[i]
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
	}
	var out []driverRow
	for _, d := range byDriver {
		d.Good = ratio(d.OK, d.Due)
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b driverRow) int { return strings.Compare(a.Driver, b.Driver) })
	return out
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

func (c *console) deviceRow(s *state, d *deviceState) deviceRow {
	row := deviceRow{deviceState: *d, LastGoodAt: stampSeconds(d.LastGood, s), Every: lasting(d.Interval), Quality: ratio(d.OK, d.Due),
		StateWords: d.words(s), StateSub: d.next(s.now), Glyph: d.state.glyph(), Class: d.state.glyph(), P50: tripMS(d.P50), P99: tripMS(d.P99),
		Failures: failures(d.ID, d.LastError)}
	row.Behind, row.BehindHref = behind(s, d.MeterID)
	return row
}

// behind is what a meter stands for in the records.
func behind(s *state, meterID string) (id, link string) {
	if s.network == nil {
		return "", ""
	}
	if t := s.network.TransformerOfMeter(meterID); t != nil {
		return t.ID, href("transformers", t.ID)
	}
	if u := s.network.UsagePointOfMeter(meterID, s.now); u != nil {
		return u.ID, href("usage-points", u.ID)
	}
	return "", ""
}

// tripMS writes a round trip in milliseconds; "" where there was none.
func tripMS(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return num(float64(d) / float64(time.Millisecond))
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
