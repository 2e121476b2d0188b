package console

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// areaData is what the page of a transformer is drawn from.
type areaData struct {
	t        *grid.PowerTransformer
	row      transformerRow
	days     []curve.Day // of its own meter, recent
	points   []areaPoint
	first    curve.Date // of the recent days
	last     curve.Date
	n        int
	ps       []profile // of its own meter
	hasCurve bool
	balance  []balanceDay
	peak     peakMoment
}

type areaPoint struct {
	point *grid.UsagePoint
	days  []curve.Day
	kwh   float64
	mean  []float64 // mean day
}

// balanceDay compares a day's energy at the transformer with that of the meters behind it.
type balanceDay struct {
	date     curve.Date
	area     float64
	metered  float64
	missing  int // meters without a usable day
	complete bool
}

type peakMoment struct {
	date curve.Date
	slot int
	kw   float64
}

type behindRow struct {
	ID, Name, Swatch   string
	KWh, Share, AtPeak float64
	PeakShare          float64
	Risk               float64
	Scored             bool
	Reasons            string
	CaseID             string
	Suspect            bool
}

type transformerFinding struct {
	Title, Detector, Days, Probability string
	Evidence                           []evidenceRow
	Innocent                           []innocentRow
}

type transformerView struct {
	ID, Facts, Summary string
	Verdicts           []string
	Tiles              []tile
	Load, Balance, Day figure
	Behind             []behindRow
	Rest               []behindRow // smaller ones without a case
	RestKWh, RestShare float64
	BehindNote         string
	Findings           []transformerFinding
	Metrics            []pair
	Plate              []pair
	Limit              float64
	NoResult           bool
	Suspects           []pair
}

func (c *console) transformer(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	s := c.state(r.Context())
	if s.resultErr != nil {
		c.fail(w, r, "The latest result could not be read", s.resultErr)
		return
	}
	var t *grid.PowerTransformer
	if s.network != nil {
		t = s.network.Transformer(id)
	}
	if t == nil {
		c.missing(w, r, "transformer", id)
		return
	}
	byPoint, _, err := c.openCases(r.Context())
	if err != nil {
		c.fail(w, r, "The cases could not be read", err)
		return
	}
	d, err := c.areaData(r.Context(), s, t)
	if err != nil {
		c.fail(w, r, "The curves behind "+clip(id, 60)+" could not be read", err)
		return
	}
	v := transformerView{ID: id, Verdicts: d.row.Verdict, NoResult: s.result == nil}
	feeder := "feeder " + t.FeederID
	if t.SubstationID != "" {
		feeder += ", substation " + t.SubstationID
	}
	v.Facts = withUnit(num3(t.RatedKVA), "kVA") + ", " + feeder + ". " + meterWords(t)
	v.Summary = c.transformerSummary(d)
	v.Tiles = c.transformerTiles(d, s)
	v.Load, v.Balance, v.Day = c.loadFigure(d), c.balanceFigure(d, s), c.stackFigure(d)
	c.behind(&v, d, s, byPoint)
	c.transformerFindings(&v, d)
	v.Plate = nameplate(t, s.network)
	c.render(w, r, http.StatusOK, "transformer", id, v)
}

func meterWords(t *grid.PowerTransformer) string {
	if t.MeterID == "" {
		return "It has no meter of its own, so its load is not measured."
	}
	return "Meter " + t.MeterID + "."
}

func (c *console) areaData(ctx context.Context, s *state, t *grid.PowerTransformer) (*areaData, error) {
	d := &areaData{t: t, row: c.transformerRow(s, t)}
	first, last, ok, err := c.cfg.Curves.Span(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the span of the curves: %w", err)
	}
	if !ok {
		return d, nil
	}
	d.last, d.first = last, max(first, last-recentDays+1)
	if t.MeterID != "" {
		if d.days, err = c.cfg.Curves.Days(ctx, t.MeterID, d.first, d.last); err != nil {
			return nil, fmt.Errorf("read the days of transformer meter %s: %w", t.MeterID, err)
		}
	}
	all := d.days
	for _, u := range s.network.UsagePointsBehind(t.ID, d.last.Start(s.loc).Add(12*time.Hour)) {
		days, err := c.cfg.Curves.Days(ctx, u.MeterID, d.first, d.last)
		if err != nil {
			return nil, fmt.Errorf("read the days of meter %s: %w", u.MeterID, err)
		}
		kwh, _, _ := energy(days)
		d.points = append(d.points, areaPoint{point: u, days: days, kwh: kwh})
		if len(all) == 0 {
			all = days
		}
	}
	d.n = slotsPerDay(all)
	d.hasCurve = len(d.days) > 0
	d.ps = profiles(d.days, d.n, s.loc)
	for i := range d.points {
		d.points[i].mean = averaged(profiles(d.points[i].days, d.n, s.loc), d.n)
	}
	sort.SliceStable(d.points, func(i, j int) bool { return d.points[i].kwh > d.points[j].kwh })
	d.balance = balanceOf(d)
	d.peak = peakOf(d.ps)
	return d, nil
}

// complete is the share of usable intervals from which a meter-day counts.
const complete = 0.95

func usableDay(day *curve.Day) (kwh float64, ok bool) {
	kwh, have := day.TotalKWh()
	return kwh, day.Intervals() > 0 && float64(have) >= complete*float64(day.Intervals())
}

// balanceOf compares day by day; a day on which any meter is missing is not
// complete, and its residual is not known.
func balanceOf(d *areaData) []balanceDay {
	if len(d.days) == 0 {
		return nil
	}
	out := make([]balanceDay, int(d.last-d.first)+1)
	for i := range out {
		out[i] = balanceDay{date: d.first + curve.Date(i), area: math.NaN(), missing: len(d.points)}
	}
	for i := range d.days {
		if kwh, ok := usableDay(&d.days[i]); ok {
			out[d.days[i].Date-d.first].area = kwh
		}
	}
	for i := range d.points {
		for k := range d.points[i].days {
			if kwh, ok := usableDay(&d.points[i].days[k]); ok {
				b := &out[d.points[i].days[k].Date-d.first]
				b.metered += kwh
				b.missing--
			}
		}
	}
	for i := range out {
		out[i].complete = out[i].missing == 0 && known(out[i].area) && len(d.points) > 0
	}
	return out
}

// residual is the share of the complete days' energy that no meter behind the transformer has.
func residual(days []balanceDay) (kwh, share float64, n int) {
	area := 0.0
	for _, b := range days {
		if b.complete {
			kwh += b.area - b.metered
			area += b.area
			n++
		}
	}
	if n == 0 || area <= 0 {
		return math.NaN(), math.NaN(), n
	}
	return kwh, kwh / area, n
}

func peakOf(ps []profile) peakMoment {
	p := peakMoment{kw: math.NaN(), slot: -1}
	for i := range ps {
		for s, v := range ps[i].kw {
			if known(v) && !(p.kw >= v) {
				p = peakMoment{date: ps[i].date, slot: s, kw: v}
			}
		}
	}
	return p
}

// apparent is the apparent power of interval k: from reactive power or power
// factor where the meter gives them, else the active power.
func apparent(day *curve.Day, k int) (kva float64, activeOnly bool) {
	p := day.PowerKW(k)
	if q := day.Other[meter.ReactivePower]; k < len(q) && known(float64(q[k])) {
		return math.Hypot(p, float64(q[k])), false
	}
	if pf := day.Other[meter.PowerFactor]; k < len(pf) && known(float64(pf[k])) && math.Abs(float64(pf[k])) > 0.1 {
		return p / math.Abs(float64(pf[k])), false
	}
	return p, true
}

func (c *console) transformerSummary(d *areaData) string {
	if len(d.row.Verdict) > 0 {
		words := make([]string, len(d.row.Verdict))
		for i, w := range d.row.Verdict {
			if words[i] = w; i > 0 {
				words[i] = uncapital(w)
			}
		}
		return list(words) + "."
	}
	if len(d.row.Verdicts) > 0 {
		return "In order."
	}
	return "Not judged yet."
}

func (c *console) transformerTiles(d *areaData, s *state) []tile {
	load := tile{Label: "Load now", Value: "no live data", Words: true, Note: "not polled"}
	hot := tile{Label: "Hot-spot now", Value: "no live data", Words: true, Note: "limit " + withUnit(whole(d.row.HotLimit), "°C")}
	l := s.loading[d.t.ID]
	at := "at " + l.At.In(s.loc).Format("15:04:05")
	switch {
	case d.row.Age != "" && !d.row.Fresh:
		load.Note = "silent for " + d.row.Age
		if known(d.row.LoadNow) {
			load.Note += "; last " + withUnit(whole(d.row.LoadNow), "%")
		}
	case d.row.Fresh:
		if known(d.row.LoadNow) {
			load = tile{Label: "Load now", Value: whole(d.row.LoadNow), Unit: "%", Note: withUnit(num(d.row.LoadNow*d.t.RatedKVA/100), "kVA") + " of " + num3(d.t.RatedKVA) + " " + at}
		}
		if known(d.row.HotSpotNow) {
			hot.Value, hot.Unit, hot.Words = whole(d.row.HotSpotNow), "°C", false
			hot.Note += ", " + at
		}
	}
	p95 := tile{Label: "Loading, 95th percentile", Value: "not judged", Words: true, Note: "no detection run yet"}
	max := tile{Label: "Highest hot-spot", Value: "not judged", Words: true, Note: "calculated where not measured"}
	if s.result != nil {
		days := span(s.result.FirstDay, s.result.LastDay)
		p95.Note = "a transformer without a meter is not judged"
		if known(d.row.LoadingP95Pct) && d.row.LoadingP95Pct > 0 {
			p95 = tile{Label: "Loading, 95th percentile", Value: whole(d.row.LoadingP95Pct), Unit: "%", Note: "run over " + days}
		}
		if known(d.row.HotSpotMaxC) && d.row.HotSpotMaxC > 0 {
			max = tile{Label: "Highest hot-spot", Value: whole(d.row.HotSpotMaxC), Unit: "°C", Note: "limit " + withUnit(whole(d.row.HotLimit), "°C") + ", " + days}
		}
	}
	kwh, _, _ := energy(d.days)
	e := tile{Label: "Energy", Value: "not measured", Words: true, Note: "no curve of its own meter"}
	if d.hasCurve {
		e = tile{Label: "Energy, last " + plural(len(d.days), "day", "days"), Value: whole(kwh), Unit: "kWh", Note: plural(len(d.points), "usage point", "usage points") + " behind it"}
	}
	resid, part, n := residual(d.balance)
	r := tile{Label: "Loss and residual", Value: unknown, Words: true, Note: "no day on which every meter has data"}
	if known(part) {
		r = tile{Label: "Loss and residual", Value: strings.TrimSuffix(share(part), nbsp+"%"), Unit: "%", Note: withUnit(whole(resid), "kWh") + " over " + plural(n, "complete day", "complete days")}
	}
	return []tile{load, hot, p95, max, e, r}
}

func nameplate(t *grid.PowerTransformer, n *grid.Network) []pair {
	out := []pair{{Label: "Rating", Value: withUnit(num3(t.RatedKVA), "kVA")}, {Label: "Cooling", Value: orElse(t.Cooling, "not on record, taken as ONAN")}}
	if t.HVKV > 0 && t.LVKV > 0 {
		out = append(out, pair{Label: "Voltages", Value: num3(t.HVKV) + " / " + withUnit(num3(t.LVKV), "kV")})
	}
	if t.NoLoadLossW > 0 {
		out = append(out, pair{Label: "No-load loss", Value: withUnit(whole(t.NoLoadLossW), "W")})
	}
	if t.LoadLossW > 0 {
		out = append(out, pair{Label: "Load loss", Value: withUnit(whole(t.LoadLossW), "W") + " at rating"})
	}
	if t.ImpedancePct > 0 {
		out = append(out, pair{Label: "Impedance", Value: withUnit(num3(t.ImpedancePct), "%")})
	}
	if t.InsulationClass != "" {
		out = append(out, pair{Label: "Insulation", Value: "class " + t.InsulationClass})
	}
	if kw := unmeteredKW(t.ID, n); kw > 0 {
		out = append(out, pair{Label: "Known without meter", Value: withUnit(num3(kw), "kW")})
	}
	return append(out, pair{Label: "Own meter", Value: orElse(t.MeterID, "none")})
}

func unmeteredKW(id string, n *grid.Network) float64 {
	kw := 0.0
	for i := range n.Unmetered {
		if n.Unmetered[i].TransformerID == id {
			kw += n.Unmetered[i].KW
		}
	}
	return kw
}

const behindShown = 15

// behind lists the usage points with their share, largest first.
func (c *console) behind(v *transformerView, d *areaData, s *state, cases map[string]Case) {
	total := 0.0
	for i := range d.points {
		total += d.points[i].kwh
	}
	suspects := map[string]bool{}
	for _, id := range d.row.Suspects {
		suspects[id] = true
		v.Suspects = append(v.Suspects, pair{Label: id, Value: c.identify(s.network, id, "").Name, Href: href("usage-points", id)})
	}
	for i := range d.points {
		p := &d.points[i]
		row := behindRow{ID: p.point.ID, Name: c.identify(s.network, p.point.ID, p.point.CustomerID).Name, KWh: p.kwh, Share: nan(), AtPeak: nan(), PeakShare: nan(), Suspect: suspects[p.point.ID], CaseID: cases[p.point.ID].ID}
		if len(p.days) == 0 {
			row.KWh = nan()
		} else if total > 0 {
			row.Share = 100 * p.kwh / total
		}
		if d.peak.slot >= 0 {
			row.AtPeak = at(p.days, d.peak, d.n, s.loc)
			if d.peak.kw > 0 {
				row.PeakShare = 100 * row.AtPeak / d.peak.kw
			}
		}
		if i < stackSeries {
			row.Swatch = "st" + count(i+1)
		}
		if s.result != nil {
			if a := s.result.points[p.point.ID]; a != nil {
				row.Risk, row.Scored = a.Risk, true
				row.Reasons = strings.Join(c.chips(a, nil).Reasons, ", ")
			}
		}
		if i >= behindShown && !row.Suspect && row.CaseID == "" {
			v.Rest = append(v.Rest, row)
			continue
		}
		v.Behind = append(v.Behind, row)
	}
	for _, row := range v.Rest {
		if known(row.KWh) {
			v.RestKWh += row.KWh
			v.RestShare += row.Share
		}
	}
	v.BehindNote = span(d.first, d.last)
	if d.peak.slot >= 0 {
		v.BehindNote += "; peak " + day(d.peak.date) + " " + clock(d.peak.slot, d.n) + " with " + withUnit(num(d.peak.kw), "kW")
	}
}

func at(days []curve.Day, peak peakMoment, n int, loc *time.Location) float64 {
	for i := range days {
		if days[i].Date == peak.date {
			return profiles(days[i:i+1], n, loc)[0].kw[peak.slot]
		}
	}
	return math.NaN()
}

func (c *console) transformerFindings(v *transformerView, d *areaData) {
	metrics := map[string]bool{}
	for i := range d.row.Findings {
		f := &d.row.Findings[i]
		one := transformerFinding{Title: in(c.words.reasons, f.Reason), Detector: in(c.words.detectors, f.Stamp.Detector)}
		if f.Probability > 0 {
			one.Probability = riskWords(f.Probability)
		}
		if f.LastDay >= f.FirstDay && f.FirstDay > 0 {
			one.Days = span(curve.Date(f.FirstDay), curve.Date(f.LastDay))
		}
		for _, e := range f.Evidence {
			row := evidenceRow{Text: orElse(e.Text, in(c.words.evidence, e.Code)), Value: evidenceValue(e), LogOdds: e.LogOdds, Weighed: e.LogOdds != 0}
			if e.FirstDay > 0 && e.LastDay >= e.FirstDay {
				row.Days = span(curve.Date(e.FirstDay), curve.Date(e.LastDay))
			}
			v.Limit = math.Max(v.Limit, math.Abs(e.LogOdds))
			one.Evidence = append(one.Evidence, row)
		}
		for _, e := range f.Innocent {
			one.Innocent = append(one.Innocent, innocentRow{Name: in(c.words.innocent, e.Code), Text: e.Text, Outcome: in(c.words.outcomes, string(e.Outcome)), Strong: e.Outcome != "ruled_out"})
		}
		v.Findings = append(v.Findings, one)
		for _, key := range sortedKeys(f.Metrics) {
			if !metrics[key] {
				metrics[key] = true
				label, unit := metricWords(key)
				if name, ok := c.words.metrics[key]; ok {
					label = name
				}
				v.Metrics = append(v.Metrics, pair{Label: label, Value: withUnit(num(f.Metrics[key]), unit)})
			}
		}
	}
}

func sortedKeys(m map[string]float64) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// metricWords splits a metric's name from the unit at its end.
func metricWords(key string) (label, unit string) {
	for _, u := range []struct{ suffix, unit string }{{"_kwh_month", "kWh/month"}, {"_kwh", "kWh"}, {"_kva", "kVA"}, {"_kw", "kW"}, {"_pct", "%"}, {"_c", "°C"}, {"_h", "h"}} {
		if rest, ok := strings.CutSuffix(key, u.suffix); ok {
			key, unit = rest, u.unit
			break
		}
	}
	return sentence(strings.ReplaceAll(key, "_", " ")), unit
}
