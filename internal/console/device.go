package console

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

type deviceValueRow struct {
	Name, Code       string
	Value, Unit, Raw string
	Quality, Glyph   string
	Flags            []string // in words
	Why              string
	At               string
	AtWords          string // where event and receipt differ
}

type deviceRequest struct {
	Request string
	Points  []devicePoint
}

type devicePoint struct{ Name, Node string }

type devicePlan struct {
	Name, Every, Next string
	Requests          []deviceRequest
}

type deviceView struct {
	ID, Summary, Glyph, Class string
	Facts                     string
	Failures                  []failure
	FailedAt                  string
	Past                      bool // the failure is over
	Tiles                     []tile
	Values                    []deviceValueRow
	NotGood                   int
	Plan                      []devicePlan
	Requests                  int
	Setup                     []pair
	Notes                     []string
	Reload                    *reloadView
}

func (c *console) device(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	var detail *DeviceDetail
	if c.cfg.Device != nil {
		if d, ok := c.cfg.Device(id); ok {
			detail = d
		}
	}
	if detail == nil {
		c.missing(w, r, "device", id)
		return
	}
	s := c.state(r.Context())
	d := judge(detail.Device, s.now)
	v := deviceView{ID: id, Glyph: d.state.glyph(), Class: d.state.glyph(),
		Summary: deviceSummary(s, &d), Facts: deviceFacts(&d), Tiles: deviceTiles(s, &d), Notes: detail.Notes, Setup: c.deviceSetup(s, &d), Reload: c.reloaded(s)}
	if detail.PastError != "" {
		v.Failures, v.FailedAt, v.Past = failures(id, detail.PastError), stampSeconds(detail.PastErrorAt, s), d.LastError == ""
	}
	for i := range detail.Values {
		row := valueRow(s, &detail.Values[i])
		if d.LastError != "" && slices.Contains(detail.Values[i].Flags, "comm_failure") {
			row.Why = "" // the device's error stands above, once
		}
		if row.Glyph != "ok" {
			v.NotGood++
		}
		v.Values = append(v.Values, row)
	}
	for i := range detail.Groups {
		plan := planOf(s, &detail.Groups[i])
		v.Requests += len(plan.Requests)
		v.Plan = append(v.Plan, plan)
	}
	c.render(w, r, http.StatusOK, "device", "Device "+clip(id, 60), v)
}

// deviceSummary says in a sentence how the device does and what comes next.
func deviceSummary(s *state, d *deviceState) string {
	switch d.state {
	case waitingState:
		return "Not read yet; its first turn is still to come."
	case answeringState:
		return "Answering since " + stampSeconds(d.Since, s) + "; every point was read."
	case failingState:
		if d.LastGood.IsZero() {
			return "The last read failed, wholly or in part; it has never been read whole so far."
		}
		return "The last read failed, wholly or in part; last read whole " + ago(d.LastGood, s.now) + " ago."
	}
	text := "Never answered"
	if d.state == silentState {
		text = "Silent for " + ago(d.LastGood, s.now)
	}
	if next := d.next(s.now); next != "" {
		text += "; left alone, " + next
	}
	return text + "."
}

// driverWords name a driver's family of protocols.
func driverWords(driver string) string {
	return in(map[string]string{"opcua": "OPC UA"}, driver)
}

func deviceFacts(d *deviceState) string {
	how := "polled every " + lasting(d.Interval)
	if d.Mode == "subscribe" {
		how = "subscribed, published every " + lasting(d.Interval)
	}
	return driverWords(d.Driver) + ", " + how + ", " + d.Address
}

func deviceTiles(s *state, d *deviceState) []tile {
	good := tile{Label: "Last whole read", Value: stampSeconds(d.LastGood, s), Note: "nothing good yet"}
	if !d.LastGood.IsZero() {
		good.Note = ago(d.LastGood, s.now) + " ago, due every " + lasting(d.Interval)
	}
	trip := tile{Label: "Round trip, median", Value: "none", Words: true, Note: "of good reads, so far none"}
	if d.P50 > 0 {
		trip = tile{Label: "Round trip, median", Value: tripMS(d.P50), Unit: "ms", Note: "99 of 100 within " + withUnit(tripMS(d.P99), "ms") + ", last " + withUnit(tripMS(d.RoundTrip), "ms")}
	}
	reads := tile{Label: "Good reads", Value: ratio(d.OK, d.Due), Note: count(d.Failed) + " of " + count(d.Due) + " failed, " + plural(int(d.Missed), "turn", "turns") + " missed"}
	next := tile{Label: "Next turn", Value: "none planned", Words: true, Note: "readings come unasked"}
	switch {
	case d.NextProbe.After(s.now):
		next = tile{Label: "Next probe", Value: stampSeconds(d.NextProbe, s), Note: "in " + lasting(d.NextProbe.Sub(s.now)) + "; left alone until then, so that its neighbours are read"}
	case !d.NextTurn.IsZero():
		next = tile{Label: "Next turn", Value: stampSeconds(d.NextTurn, s), Note: "the earliest of its groups"}
	}
	parallel := tile{Label: "Requests at once", Value: "not told", Words: true, Note: "by this driver"}
	if d.Parallel > 0 {
		parallel = tile{Label: "Requests at once", Value: count(d.Parallel), Note: "as learned; " + plural(d.Connections, "connection", "connections") + " open to it or its gateway"}
	}
	return []tile{good, trip, reads, next, parallel, clockTile(d)}
}

// clockWrong is how far a clock may be off before it is said.
const clockWrong = 5 * time.Second

func clockTile(d *deviceState) tile {
	t := tile{Label: "Clock", Value: "none", Words: true, Note: "the device shows no clock"}
	if !d.ClockKnown {
		return t
	}
	off := d.ClockOffset.Abs()
	way := "ahead of ours"
	if d.ClockOffset < 0 {
		way = "behind ours"
	}
	switch {
	case off < time.Second:
		return tile{Label: "Clock", Value: "right", Words: true, Note: "within a second of ours"}
	case off <= clockWrong:
		return tile{Label: "Clock", Value: lasting(off), Note: way}
	}
	return tile{Label: "Clock", Value: lasting(off), Note: way + ": synchronise it; times that it gives are doubted"}
}

func (c *console) deviceSetup(s *state, d *deviceState) []pair {
	out := []pair{{Label: "Driver", Value: driverWords(d.Driver)}, {Label: "Address", Value: d.Address}, {Label: "Profile", Value: d.Profile}, {Label: "Meter", Value: d.MeterID}}
	meters := pair{Label: "Meters", Value: "not in the registry"}
	if id, link := behind(s, d.MeterID); id != "" {
		meters.Value, meters.Href = id, link
	}
	return append(out, meters)
}

// qualityWords name a quality; its glyph has the shape.
func qualityWords(quality string) (words, glyph string) {
	switch quality {
	case "good":
		return "good", "ok"
	case "uncertain":
		return "uncertain", "failing"
	case "bad":
		return "bad", "silent"
	}
	return "not read yet", "waiting"
}

// flagWords say what a flag means.
func flagWords(flag string) string {
	words := map[string]string{
		"stale": "old: the source does not renew it", "estimated": "estimated by the device", "substituted": "substituted", "edited": "edited by hand",
		"out_of_range": "outside the range of the profile", "rollover": "the register began again at zero", "test": "the device is in test mode",
		"comm_failure": "the device was not reached", "missing": "the device did not give it", "spike": "a spike", "negative": "negative where it cannot be",
		"duplicate": "came twice", "frozen": "frozen: not one bit has changed for long", "implausible": "implausible",
	}
	return lower(words, flag)
}

// quantityWords write a code as a name: "Active power A", "THD current".
func quantityWords(code string) string {
	parts := strings.Split(code, "_")
	for i, p := range parts {
		switch p {
		case "a", "b", "c", "n", "ab", "bc", "ca", "thd":
			parts[i] = strings.ToUpper(p)
		case "hot":
			parts[i] = "hot-spot"
		case "spot":
			parts[i] = ""
		}
	}
	return sentence(strings.Join(strings.Fields(strings.Join(parts, " ")), " "))
}

func valueRow(s *state, v *DeviceValue) deviceValueRow {
	row := deviceValueRow{Name: quantityWords(v.Quantity), Code: v.Quantity, Value: "none", Raw: v.Raw, Why: v.Detail}
	row.Quality, row.Glyph = qualityWords(v.Quality)
	if known(v.Number) {
		digits := 6
		if v.Unit == "kWh" || v.Unit == "kvarh" {
			digits = 10 // registers are compared to the last digit
		}
		row.Value = figures(v.Number, digits)
		if v.Unit != "1" {
			row.Unit = v.Unit
		}
	}
	for _, f := range v.Flags {
		row.Flags = append(row.Flags, flagWords(f))
	}
	switch {
	case v.Received.IsZero():
		row.At = ""
	case v.At.IsZero():
		row.At = stampSeconds(v.Received, s)
		if !known(v.Number) {
			row.AtWords = "tried"
		}
	default:
		row.At = stampSeconds(v.At, s)
		if late := v.Received.Sub(v.At); late >= time.Second {
			row.AtWords = "received " + lasting(late) + " later"
		}
	}
	return row
}

func planOf(s *state, g *DeviceGroup) devicePlan {
	plan := devicePlan{Name: orElse(g.Name, "all others"), Every: lasting(g.Interval)}
	if !g.NextTurn.IsZero() {
		plan.Next = stampSeconds(g.NextTurn, s)
	}
	for i := range g.Blocks {
		b := &g.Blocks[i]
		request := deviceRequest{Request: b.words()}
		for k, q := range b.Quantities {
			point := devicePoint{Name: quantityWords(q)}
			if k < len(b.Nodes) {
				point.Node = b.Nodes[k]
			}
			request.Points = append(request.Points, point)
		}
		plan.Requests = append(plan.Requests, request)
	}
	return plan
}

// words say what one request asks for.
func (b *DeviceBlock) words() string {
	if b.Table == "nodes" {
		return plural(b.Count, "node", "nodes")
	}
	kind := map[string]string{"holding": "holding registers", "input": "input registers", "coil": "coils", "discrete": "discrete inputs"}
	name := lower(kind, b.Table)
	if b.Count == 1 {
		return sentence(strings.TrimSuffix(name, "s")) + " " + plain10(b.Address)
	}
	return sentence(name) + " " + plain10(b.Address) + " to " + plain10(b.Address+b.Count-1) + " (" + count(b.Count) + ")"
}

type reloadView struct {
	At, By, File string
	Refused      bool
	Result       string
	Restart      string
	Problems     []string
	More         int
	Warnings     []string
}

const problemsShown = 12

// reloaded is what became of the last reload, nil before the first.
func (c *console) reloaded(s *state) *reloadView {
	if c.cfg.Reloaded == nil {
		return nil
	}
	r := c.cfg.Reloaded()
	if r == nil {
		return nil
	}
	by := map[string]string{"command": "gridwarden devices reload"}
	v := &reloadView{At: stampSeconds(r.At, s), By: orElse(by[r.By], r.By), File: r.File, Refused: len(r.Problems) > 0,
		Restart: strings.Join(r.Restart, ", "), Problems: r.Problems, Warnings: r.Warnings}
	if len(v.Problems) > problemsShown {
		v.More, v.Problems = len(v.Problems)-problemsShown, v.Problems[:problemsShown]
	}
	v.Result = count(r.Added) + " added, " + count(r.Removed) + " removed, " + count(r.Changed) + " changed, " + count(r.Kept) + " kept"
	return v
}
