package console

import (
	"html/template"
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/internal/console/chart"
	"github.com/gridwarden/gridwarden/internal/curve"
)

const noCurve = "No readings of this meter are stored. Import a meter export, or poll the meter."

// flat reports whether a mean day has hardly any shape.
func flat(kw []float64) bool {
	lo, hi := quantile(kw, 0.1), quantile(kw, 0.9)
	return known(hi) && hi > 0 && lo/hi >= 0.8
}

// overlayFigure lays the recent days over one another.
func (c *console) overlayFigure(d *pointData) figure {
	f := figure{Title: "Load over the day", Empty: noCurve, Note: "kW"}
	if len(d.last) == 0 {
		return f
	}
	median := across(d.last, d.n, 0.5)
	x := hours(d.n)
	top := highest(median)
	var every []float64
	for i := range d.last {
		every = append(every, d.last[i].kw...)
	}
	top = math.Max(top, quantile(every, 0.998))
	var lo, hi []float64
	if d.peers.count > 0 {
		lo, hi = across(d.peers.profiles, d.n, 0.1), across(d.peers.profiles, d.n, 0.9)
		top = math.Max(top, highest(hi))
	}
	before := d.before()
	if before != nil {
		top = math.Max(top, highest(before))
	}
	f.Title = overlayTitle(median, hi)
	p := chart.NewPlot(chart.Half(), "Load over the day: each thin line one day, the strong line their median", 0, 24, math.Min(0, quantile(every, 0.002)), top)
	p.YAxis(plainTick)
	for h := 0; h <= 24; h += 4 {
		p.XTick(float64(h), clock(h, 24))
	}
	if lo != nil {
		p.Band("band", x, lo, hi)
	}
	for i := range d.last {
		p.Line("thin", x, capped(d.last[i].kw, p.Y.Max))
	}
	if before != nil {
		p.Line("ln-2 dash", x, before)
	}
	p.Line("ln", x, median)
	overlayLabels(p, d, median, before, hi)
	f.SVG = []template.HTML{p.HTML()}
	f.Note = "kW, " + span(d.last[0].date, d.last[len(d.last)-1].date) + ", each thin line one day, strong line their median"
	if lo != nil {
		f.Note += "; band: 10th to 90th percentile of " + d.peers.words
	} else {
		f.Note += "; too few peers for a band"
	}
	return f
}

// overlayLabels names the lines beside them, where none passes.
func overlayLabels(p *chart.Plot, d *pointData, median, before, hi []float64) {
	at := func(ys []float64, hour int) float64 { return ys[min(len(ys)-1, hour*len(ys)/24)] }
	var taken []float64
	if v := at(median, 14); known(v) {
		p.Clear("halo t-ink", p.X.At(14), p.Y.At(v)-9, "median of "+plural(len(d.last), "day", "days"), &taken)
	}
	if before != nil {
		if v := at(before, 2); known(v) {
			p.Clear("halo", p.X.At(1), p.Y.At(v)-8, "median before "+day(d.step), &taken)
		}
	}
	if hi != nil {
		if v := at(hi, 8); known(v) {
			p.Clear("halo", p.X.At(7), p.Y.At(v)-8, "peers", &taken)
		}
	}
}

// before is the median day before the step; nil where there is no step or too few days before it.
func (d *pointData) before() []float64 {
	if d.step == 0 {
		return nil
	}
	var earlier []profile
	for i := range d.all {
		if d.all[i].date < d.step {
			earlier = append(earlier, d.all[i])
		}
	}
	if len(earlier) < 3 {
		return nil
	}
	return across(earlier[max(0, len(earlier)-recentDays):], d.n, 0.5)
}

func capped(ys []float64, top float64) []float64 {
	out := make([]float64, len(ys))
	for i, y := range ys {
		out[i] = y
		if y > top {
			out[i] = top
		}
	}
	return out
}

func overlayTitle(median, peersHigh []float64) string {
	mid := quantile(median, 0.5)
	if flat(median) {
		title := withUnit(num(mid), "kW") + " day and night"
		if peersHigh != nil && mid > highest(peersHigh) {
			title += "; peers stay below " + withUnit(num(highest(peersHigh)), "kW")
		}
		return title
	}
	slot := 0
	for i, v := range median {
		if known(v) && !(median[slot] >= v) {
			slot = i
		}
	}
	return "Highest around " + clock(slot*24/len(median), 24) + " with " + withUnit(num(median[slot]), "kW") + ", " + withUnit(num(between(median, 0, 5)), "kW") + " at night"
}

// heatFigure shows date by time of day.
func (c *console) heatFigure(d *pointData) figure {
	f := figure{Title: "Load by date and time of day", Empty: noCurve, Note: "kW"}
	if len(d.all) == 0 {
		return f
	}
	shown := d.all
	first, last := shown[0].date, shown[len(shown)-1].date
	first = max(first, last-heatMax+1)
	columns := make([][]float64, int(last-first)+1)
	absent := 0
	for i := range shown {
		if shown[i].date >= first {
			columns[int(shown[i].date-first)] = shown[i].kw
		}
	}
	for i := range columns {
		if columns[i] == nil {
			absent++
		}
	}
	heat := chart.Heat{Title: "Load by date and time of day", Columns: columns, Rows: d.n, Unit: "kW", Label: plainTick,
		XLabels: map[int]string{}, YLabels: map[int]string{}}
	for date, label := range dateTicks(first, last, 9) {
		heat.XLabels[int(date-first)] = label
	}
	for h := 0; h <= 24; h += 6 {
		heat.YLabels[h*d.n/24] = clock(h, 24)
	}
	f.Title = heatTitle(d)
	f.Note = "kW, " + span(first, last) + ", " + minutesWords(d.n) + " means"
	if absent > 0 {
		f.Note += "; dashed: " + plural(absent, "day", "days") + " without data"
	}
	f.SVG = []template.HTML{heat.Draw(chart.Frame{W: 600, H: 300, Left: 44, Top: 10, Right: 14, Bottom: 26})}
	return f
}

func heatTitle(d *pointData) string {
	mid := across(d.last, d.n, 0.5)
	switch {
	case d.grew():
		return "Grew bit by bit, at all hours alike"
	case d.step > 0 && d.step > d.all[0].date:
		return "The pattern changed on " + dayLong(d.step)
	case flat(mid):
		return "No time of day and no weekday stands out"
	}
	from, to := busiest(mid)
	return "Busiest from " + clock(from, 24) + " to " + clock(to, 24)
}

// busiest is the stretch of three hours with the highest mean.
func busiest(kw []float64) (from, to int) {
	best := math.Inf(-1)
	for h := 0; h+3 <= 24; h++ {
		if m := between(kw, h, h+3); known(m) && m > best {
			best, from = m, h
		}
	}
	return from, from + 3
}

func minutesWords(n int) string {
	minutes := 1440 / n
	if minutes == 60 {
		return "hourly"
	}
	return count(minutes) + "-minute"
}

// baseFigure shows the base load of every day with the step that a detector marked.
func (c *console) baseFigure(d *pointData) figure {
	f := figure{Title: "Base load", Empty: noCurve, Note: "kW"}
	if len(d.all) == 0 {
		return f
	}
	first, last := d.all[0].date, d.all[len(d.all)-1].date
	base := d.base()
	p := chart.NewPlot(chart.Half(), "Base load of each day", float64(first), float64(max(last, first+1)), math.Min(0, quantile(base, 0.01)), highest(base))
	p.YAxis(plainTick)
	for date, label := range dateTicks(first, last, 9) {
		p.XTick(float64(date), label)
	}
	p.Line("ln", xs(first, len(base)), base)
	if d.step > first && d.step <= last {
		c.markStep(p, d.step, first, base)
	}
	f.Title = baseTitle(base, first, d.step)
	f.Note = "kW, lowest 5 % of each local day, " + span(first, last)
	if d.step == 0 {
		f.Note += "; no detector marked a step"
	}
	f.SVG = []template.HTML{p.HTML()}
	return f
}

// base is the base load of each day of the span, NaN where a day is missing.
func (d *pointData) base() []float64 {
	first, last := d.all[0].date, d.all[len(d.all)-1].date
	base := make([]float64, int(last-first)+1)
	for i := range base {
		base[i] = math.NaN()
	}
	for i := range d.all {
		base[int(d.all[i].date-first)] = baseLoad(d.all[i].kw)
	}
	return base
}

// grew reports whether the step that was marked is one of many.
func (d *pointData) grew() bool {
	if d.step == 0 || d.step <= d.all[0].date || d.step > d.all[len(d.all)-1].date {
		return false
	}
	_, _, ok := ramp(d.base(), int(d.step-d.all[0].date))
	return ok
}

func (c *console) markStep(p *chart.Plot, step, first curve.Date, base []float64) {
	k := int(step - first)
	was, is := quantile(base[:k], 0.5), quantile(base[max(k, len(base)-14):], 0.5)
	wasY := labelAbove(p, was)
	if from, to, ok := ramp(base, k); ok {
		was, is, wasY = from, to, p.Y.At(from)+24 // the line climbs through what is above it
	}
	middle := p.Top() + 22
	// The mark's label goes where the line is not: low where the load is high.
	if known(was) && p.Y.At(was) < (p.Top()+p.Bottom())/2 {
		middle = p.Bottom() - 22
	}
	p.VMark(float64(step), middle, "step "+day(step))
	if known(was) && known(is) {
		p.Text("halo", p.Left()+8, wasY, withUnit(num(was), "kW"))
		p.Text("halo t-ink e", p.Right()-4, labelAbove(p, is), withUnit(num(is), "kW"))
	}
}

// labelAbove is a height just above a level, or below where there is no room.
func labelAbove(p *chart.Plot, v float64) float64 {
	y := p.Y.At(v) - 10
	if y < p.Top()+8 {
		y = p.Y.At(v) + 20
	}
	return y
}

// ramp reports a base load that grew over many days, so that no single day is
// its step: the days around the step make up less than half of the growth.
func ramp(base []float64, k int) (from, to float64, ok bool) {
	if k < 3 || k+3 > len(base) || len(base) < 20 {
		return 0, 0, false
	}
	from, to = quantile(base[:5], 0.5), quantile(base[len(base)-5:], 0.5)
	jump := quantile(base[k:k+3], 0.5) - quantile(base[k-3:k], 0.5)
	return from, to, known(from) && known(to) && known(jump) && to > 1.2*from && jump < 0.5*(to-from)
}

func baseTitle(base []float64, first, step curve.Date) string {
	if k := int(step - first); step > 0 && k > 0 && k < len(base) {
		if from, to, ok := ramp(base, k); ok {
			return "Base load grew from " + num(from) + " to " + withUnit(num(to), "kW") + " in " + plural(len(base), "day", "days")
		}
		was, is := quantile(base[:k], 0.5), quantile(base[max(k, len(base)-14):], 0.5)
		if known(was) && known(is) {
			if is < was {
				return "Base load fell from " + num(was) + " to " + withUnit(num(is), "kW") + " on " + dayLong(step)
			}
			return "Base load stepped from " + num(was) + " to " + withUnit(num(is), "kW") + " on " + dayLong(step)
		}
	}
	lo, mid, hi := quantile(base, 0.05), quantile(base, 0.5), quantile(base, 0.95)
	if !known(mid) {
		return "Base load not known"
	}
	if num(lo) == num(hi) {
		return "Base load " + withUnit(num(mid), "kW") + " throughout"
	}
	return "Base load between " + num(lo) + " and " + withUnit(num(hi), "kW")
}

// durationFigure sorts the recent load by the share of time for which it is exceeded.
func (c *console) durationFigure(d *pointData) figure {
	f := figure{Title: "Load duration", Empty: noCurve, Note: "kW"}
	if len(d.last) == 0 {
		return f
	}
	const points = durationPoints
	x, own := make([]float64, points+1), durationCurve(d.last)
	for i := range x {
		x[i] = float64(i)
	}
	top := highest(own)
	if !known(top) {
		return f
	}
	var lo, hi []float64
	if d.peers.count > 0 {
		lo, hi = across(d.peers.durations, points+1, 0.1), across(d.peers.durations, points+1, 0.9)
		top = math.Max(top, highest(hi))
	}
	p := chart.NewPlot(chart.Half(), "Load by the share of time for which it is exceeded", 0, points, math.Min(0, own[points]), top)
	p.YAxis(plainTick)
	for v := 0; v <= 100; v += 25 {
		p.XTick(float64(v), withUnit(count(v), "%"))
	}
	if lo != nil {
		p.Band("band", x, lo, hi)
	}
	p.Line("ln", x, own)
	lf := loadFactor(d.last)
	f.Title = "Load factor " + fixed(lf, 2)
	if n := len(d.peers.loadFactors); n >= peersMin {
		f.Title += "; peers reach " + fixed(quantile(d.peers.loadFactors, 0.1), 2) + " to " + fixed(quantile(d.peers.loadFactors, 0.9), 2)
	}
	var taken []float64
	p.Clear("halo t-ink", p.X.At(52), p.Y.At(own[52])-9, "this customer", &taken)
	if hi != nil {
		p.Clear("halo", p.X.At(20), p.Y.At(hi[20])-8, "peers", &taken)
	}
	f.Note = "kW by share of time exceeded, " + plural(len(d.last), "day", "days") + "; load factor is mean over highest load"
	f.SVG = []template.HTML{p.HTML()}
	return f
}

const durationPoints = 100

// durationCurve is the load that is exceeded for 0, 1 … 100 percent of the time.
func durationCurve(ps []profile) []float64 {
	var values []float64
	for i := range ps {
		for _, v := range ps[i].kw {
			if known(v) {
				values = append(values, v)
			}
		}
	}
	slices.Sort(values)
	out := make([]float64, durationPoints+1)
	for i := range out {
		out[i] = math.NaN()
		if len(values) > 0 {
			out[i] = values[(len(values)-1)*(durationPoints-i)/durationPoints]
		}
	}
	return out
}
