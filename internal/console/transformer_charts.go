package console

import (
	"html/template"
	"math"

	"github.com/gridwarden/gridwarden/internal/console/chart"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

const (
	loadDays    = 7
	stackSeries = 5
)

// loadFigure draws the last seven days' load against the rating, and the
// hot-spot below it where it was measured.
func (c *console) loadFigure(d *areaData) figure {
	f := figure{Class: "full", Title: "Load against rating", Empty: "This transformer has no meter of its own with readings, so its load is not measured."}
	if !d.hasCurve {
		return f
	}
	end := d.days[len(d.days)-1].Date
	first := max(d.days[0].Date, end-loadDays+1)
	x, load, hot, activeOnly := c.loadSeries(within(d.days, first, end), d.t.RatedKVA)
	top, highestLoad := math.Max(110, highest(load)), highest(load)
	frame := chart.Wide()
	p := chart.NewPlot(frame, "Load in percent of the rating, seven days", float64(first), float64(end)+1, math.Min(0, quantile(load, 0)), top)
	p.YAxis(func(v float64) string { return withUnit(plainTick(v), "%") })
	for date := first; date <= end; date++ {
		if date > first {
			p.XLine(float64(date))
		}
		p.Text("m", p.X.At(float64(date)+0.5), p.Bottom()+17, dateTime(date).Format("Mon 2"+nbsp+"Jan"))
	}
	p.Exceed("exceed", x, load, 100)
	p.HLine("lim", 100)
	p.Text("halo t-alarm", p.Right()+6, p.Y.At(100)+4, "rating "+withUnit(num3(d.t.RatedKVA), "kVA"))
	if limit := c.cfg.Limits.LoadPct; limit <= p.Y.Max {
		p.HLine("lim-soft", limit)
		p.Text("halo", p.Right()+6, p.Y.At(limit)+4, withUnit(whole(limit), "%")+" any hour")
	}
	p.Line("ln", x, load)
	f.SVG = append(f.SVG, p.HTML())
	f.Title = loadTitle(x, load, highestLoad)
	f.Note = "% of " + withUnit(num3(d.t.RatedKVA), "kVA") + ", " + minutesWords(d.n) + " means, " + span(first, end)
	if activeOnly {
		f.Note += "; active power only, the power factor is not measured"
	}
	if hot != nil {
		f.SVG = append(f.SVG, c.hotPlot(d, x, hot, first, end))
		f.Note += "; below: hot-spot in °C, measured"
	}
	return f
}

// loadSeries gives the load in percent over fractional dates, and the measured
// hot-spot where the days have one. A missing day breaks the lines.
func (c *console) loadSeries(days []curve.Day, rated float64) (x, load, hot []float64, activeOnly bool) {
	for i := range days {
		day := &days[i]
		temperature := day.Other[meter.HotSpotTemperature]
		for k := range day.EnergyKWh {
			v := math.NaN()
			if usable(day, k) {
				kva, active := apparent(day, k)
				activeOnly = activeOnly || active
				v = 100 * kva / rated
			}
			t := math.NaN()
			if k < len(temperature) {
				t = float64(temperature[k])
			}
			x = append(x, float64(day.Date)+float64(k)/float64(max(1, day.Intervals())))
			load, hot = append(load, v), append(hot, t)
		}
		if i+1 < len(days) && days[i+1].Date > day.Date+1 {
			x, load, hot = append(x, float64(day.Date+1)), append(load, math.NaN()), append(hot, math.NaN())
		}
	}
	if !known(highest(hot)) {
		hot = nil
	}
	return x, load, hot, activeOnly
}

func (c *console) hotPlot(d *areaData, x, hot []float64, first, end curve.Date) template.HTML {
	limit := d.row.HotLimit
	p := chart.NewPlot(chart.Frame{W: 1240, H: 190, Left: 46, Top: 10, Right: 112, Bottom: 12}, "Hot-spot temperature, seven days", float64(first), float64(end)+1, 0, math.Max(limit+5, highest(hot)))
	p.YAxis(func(v float64) string { return withUnit(plainTick(v), "°C") })
	for date := first + 1; date <= end; date++ {
		p.XLine(float64(date))
	}
	p.Exceed("exceed", x, hot, limit)
	p.HLine("lim", limit)
	p.Text("halo t-alarm", p.Right()+6, p.Y.At(limit)+4, "limit "+withUnit(whole(limit), "°C"))
	p.Line("ln", x, hot)
	return p.HTML()
}

func loadTitle(x, load []float64, top float64) string {
	if !known(top) {
		return "No usable reading in these seven days"
	}
	daysOver := map[curve.Date]bool{}
	for i, v := range load {
		if known(v) && v > 100 {
			daysOver[curve.Date(math.Floor(x[i]))] = true
		}
	}
	if n := len(daysOver); n > 0 {
		days := "on " + plural(n, "day", "days") + " of seven"
		if n == loadDays {
			days = "on every day"
		}
		return "Above its rating " + days + "; highest " + withUnit(whole(top), "%")
	}
	return "Never above its rating; highest " + withUnit(whole(top), "%")
}

// balanceFigure draws what no meter behind the transformer has, day by day.
func (c *console) balanceFigure(d *areaData, s *state) figure {
	f := figure{Title: "Balance by day", Empty: "A balance needs the transformer's own meter and every meter behind it."}
	resid, part, n := residual(d.balance)
	if !known(part) {
		if len(d.balance) > 0 {
			f.Empty = "On no day do all " + count(len(d.points)) + " meters behind it have data, so no balance can be struck."
		}
		return f
	}
	lo, hi := 0.0, 0.0
	incomplete := 0
	for _, b := range d.balance {
		if b.complete {
			lo, hi = math.Min(lo, b.area-b.metered), math.Max(hi, b.area-b.metered)
		} else {
			incomplete++
		}
	}
	frame := chart.Half()
	frame.Left = 46
	p := chart.NewPlot(frame, "Energy at the transformer less energy of the meters behind it, by day", float64(d.first), float64(d.last)+1, lo, hi)
	p.YAxis(plainTick)
	for date, label := range dateTicks(d.first, d.last, 8) {
		p.XTick(float64(date)+0.5, label)
	}
	for _, b := range d.balance {
		a := float64(b.date) + 0.12
		if b.complete {
			p.Bar("fill-2", a, a+0.76, b.area-b.metered)
			continue
		}
		p.Rect("missing", p.X.At(a), p.Top(), p.X.At(a+0.76)-p.X.At(a), p.Bottom()-p.Top())
	}
	f.SVG = []template.HTML{p.HTML()}
	f.Title = share(part) + " of the energy has no meter behind it"
	if resid < 0 {
		f.Title = "The meters behind it show " + share(-part) + " more than the transformer"
	}
	f.Note = "kWh a day, transformer less meters, losses included, " + plural(n, "complete day", "complete days")
	if kw := unmeteredKW(d.t.ID, s.network); kw > 0 {
		f.Note += "; " + withUnit(num3(kw), "kW") + " of known load without meter included"
	}
	if incomplete > 0 {
		f.Note += "; dashed: " + plural(incomplete, "day", "days") + " on which a meter is missing"
	}
	return f
}

// stackFigure stacks the mean day of the largest usage points.
func (c *console) stackFigure(d *areaData) figure {
	f := figure{Title: "Average day", Empty: "No meter behind this transformer has readings."}
	type series struct {
		label string
		kw    []float64
	}
	var stack []series
	rest := series{kw: make([]float64, d.n)}
	others := 0
	for i := range d.points {
		p := &d.points[i]
		if !known(mean(p.mean)) {
			continue
		}
		if i < stackSeries-1 || len(d.points) <= stackSeries {
			stack = append(stack, series{label: p.point.ID, kw: p.mean})
			continue
		}
		others++
		for k, v := range p.mean {
			if known(v) {
				rest.kw[k] += v
			}
		}
	}
	if others > 0 {
		rest.label = plural(others, "other", "others")
		stack = append(stack, rest)
	}
	if len(stack) == 0 {
		return f
	}
	total := make([]float64, d.n)
	for _, one := range stack {
		for k, v := range one.kw {
			if known(v) {
				total[k] += v
			}
		}
	}
	top := highest(total)
	own := averaged(d.ps, d.n)
	if known(highest(own)) {
		top = math.Max(top, highest(own))
	}
	p := chart.NewPlot(chart.Frame{W: 600, H: 300, Left: 40, Top: 16, Right: 96, Bottom: 26}, "Average day, usage points stacked", 0, 24, 0, top)
	p.YAxis(plainTick)
	for h := 0; h <= 24; h += 4 {
		p.XTick(float64(h), clock(h, 24))
	}
	x := hours(d.n)
	below := make([]float64, d.n)
	var taken []float64
	for i, one := range stack {
		above := make([]float64, d.n)
		for k := range above {
			above[k] = below[k]
			if known(one.kw[k]) {
				above[k] += math.Max(0, one.kw[k])
			}
		}
		p.Band("st"+count(i+1), x, below, above)
		last := d.n - 1
		p.Clear("", p.Right()+6, (p.Y.At(below[last])+p.Y.At(above[last]))/2+4, clip(one.label, 13), &taken)
		below = above
	}
	if known(highest(own)) {
		p.Line("ln", x, own)
		if v := own[d.n*3/4]; known(v) {
			p.Text("halo t-ink m", p.X.At(18), math.Max(p.Top()+10, p.Y.At(highest(own))-6), "transformer's meter")
		}
	}
	f.SVG = []template.HTML{p.HTML()}
	f.Title = stackTitle(d)
	f.Note = "kW by time of day, mean of " + span(d.first, d.last) + ", largest at the bottom"
	return f
}

func stackTitle(d *areaData) string {
	total := 0.0
	for i := range d.points {
		total += d.points[i].kwh
	}
	if total <= 0 || len(d.points) == 0 {
		return "Average day"
	}
	if len(d.points) == 1 {
		return d.points[0].point.ID + " is the only usage point behind it"
	}
	return d.points[0].point.ID + " takes " + share(d.points[0].kwh/total) + " of the metered energy"
}
