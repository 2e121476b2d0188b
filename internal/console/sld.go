package console

import (
	"html/template"
	"math"
	"sort"
	"strings"

	"github.com/gridwarden/gridwarden/internal/console/chart"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// What the single-line diagram shows at most; what goes beyond is counted and linked.
const (
	sldFeeders = 8
	sldCells   = 10 // of one feeder
)

const (
	sldWidth  = 960.0
	sldCols   = 5
	cellLeft  = 150.0
	cellW     = 156.0
	cellH     = 62.0
	cellPitch = 161.6
	rowPitch  = 68.0
	feederGap = 8.0
)

type sldFeeder struct {
	id, substation string
	rows           []transformerRow
	left           int // transformers that are not drawn
	kva            float64
	fresh          int
}

// singleLine draws substations, feeders and their transformers with load,
// rating and hot-spot. In a network too large for one drawing it keeps what is
// abnormal or most loaded.
func (c *console) singleLine(s *state) (svg template.HTML, hidden int) {
	feeders := c.sldFeeders(s)
	if len(feeders) > sldFeeders {
		sort.SliceStable(feeders, func(i, j int) bool { return notable(feeders[i].rows) > notable(feeders[j].rows) })
		for _, f := range feeders[sldFeeders:] {
			hidden += len(f.rows) + f.left
		}
		feeders = feeders[:sldFeeders]
		sort.SliceStable(feeders, func(i, j int) bool { return feeders[i].substation+feeders[i].id < feeders[j].substation+feeders[j].id })
	}
	height := 24.0
	for _, f := range feeders {
		height += sldHeight(f)
	}
	canvas := chart.NewGroup(sldWidth, height, "Single-line diagram: "+plural(len(feeders), "feeder", "feeders")+" with "+plural(len(s.network.Transformers), "transformer", "transformers"))
	y := 24.0
	for start := 0; start < len(feeders); {
		end := start
		for end < len(feeders) && feeders[end].substation == feeders[start].substation {
			end++
		}
		y = c.drawBus(canvas, s, feeders[start:end], y)
		start = end
	}
	for _, f := range feeders {
		hidden += f.left
	}
	return canvas.HTML(), hidden
}

func sldHeight(f sldFeeder) float64 {
	n := len(f.rows)
	if f.left > 0 {
		n++
	}
	return math.Ceil(float64(n)/sldCols)*rowPitch + feederGap
}

func (c *console) sldFeeders(s *state) []sldFeeder {
	byID := map[string]*sldFeeder{}
	var order []*sldFeeder
	for i := range s.network.Transformers {
		t := &s.network.Transformers[i]
		key := t.SubstationID + "\x00" + t.FeederID
		f := byID[key]
		if f == nil {
			f = &sldFeeder{id: t.FeederID, substation: t.SubstationID}
			byID[key] = f
			order = append(order, f)
		}
		row := c.transformerRow(s, t)
		f.rows = append(f.rows, row)
		if l := s.loading[t.ID]; row.Fresh && loadKnown(l, t.RatedKVA) {
			f.kva += row.LoadNow * t.RatedKVA / 100
			f.fresh++
		}
	}
	sort.SliceStable(order, func(i, j int) bool {
		return order[i].substation+"\x00"+order[i].id < order[j].substation+"\x00"+order[j].id
	})
	out := make([]sldFeeder, len(order))
	for i, f := range order {
		if len(f.rows) > sldCells {
			f.left = len(f.rows) - (sldCells - 1)
			f.rows = mostNotable(f.rows, sldCells-1)
		}
		out[i] = *f
	}
	return out
}

// weight says how much a transformer asks for a look.
func weight(r transformerRow) float64 {
	w := 0.0
	if known(r.LoadNow) {
		w += r.LoadNow
	} else if known(r.LoadingP95Pct) {
		w += float64(r.LoadingP95Pct) / 2
	}
	if r.Over {
		w += 1000
	}
	if len(r.Verdict) > 0 {
		w += 300
	}
	return w
}

func notable(rows []transformerRow) float64 {
	top := 0.0
	for _, r := range rows {
		top = math.Max(top, weight(r))
	}
	return top
}

// mostNotable keeps n rows in their own order.
func mostNotable(rows []transformerRow, n int) []transformerRow {
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return weight(rows[order[i]]) > weight(rows[order[j]]) })
	order = order[:n]
	sort.Ints(order)
	out := make([]transformerRow, n)
	for i, k := range order {
		out[i] = rows[k]
	}
	return out
}

func (c *console) drawBus(canvas *chart.Canvas, s *state, feeders []sldFeeder, y float64) float64 {
	label := feeders[0].substation
	if kv := busKV(s.network, feeders[0].substation); kv > 0 {
		label += ", " + withUnit(num3(kv), "kV")
	}
	canvas.Text("t-ink", 4, y-9, label)
	top, bottom := y, y
	for _, f := range feeders {
		bottom = y + rowPitch/2
		c.drawFeeder(canvas, f, y)
		y += sldHeight(f)
	}
	canvas.Path("bus", "M10 "+chart.Coord(top)+"V"+chart.Coord(bottom+10))
	return y + 16
}

func busKV(n *grid.Network, substation string) float64 {
	for i := range n.Transformers {
		if n.Transformers[i].SubstationID == substation && n.Transformers[i].HVKV > 0 {
			return n.Transformers[i].HVKV
		}
	}
	return 0
}

func (c *console) drawFeeder(canvas *chart.Canvas, f sldFeeder, y float64) {
	mid := y + cellH/2
	canvas.Path("wire", "M10 "+chart.Coord(mid)+"H"+chart.Coord(cellLeft))
	canvas.Rect("sym closed", 20, mid-6, 12, 12)
	canvas.Text("t-ink", 40, mid-7, clip(f.id, 14))
	if f.fresh > 0 {
		canvas.Text("", 40, mid+17, withUnit(whole(f.kva), "kVA"))
		if f.fresh < len(f.rows)+f.left {
			canvas.Text("", 40, mid+33, "of "+count(f.fresh)+" of "+count(len(f.rows)+f.left))
		}
	} else {
		canvas.Text("", 40, mid+17, "no live load")
	}
	total := len(f.rows)
	if f.left > 0 {
		total++
	}
	lines := (total + sldCols - 1) / sldCols
	if lines > 1 {
		canvas.Path("wire", "M"+chart.Coord(cellLeft-5)+" "+chart.Coord(mid)+"v"+chart.Coord(float64(lines-1)*rowPitch))
	}
	for i := range total {
		col, line := i%sldCols, i/sldCols
		x, cy := cellLeft+float64(col)*cellPitch, y+float64(line)*rowPitch
		from := x - cellPitch + cellW
		if col == 0 {
			from = x - 5
		}
		canvas.Path("wire", "M"+chart.Coord(from)+" "+chart.Coord(cy+cellH/2)+"H"+chart.Coord(x))
		if i < len(f.rows) {
			c.drawCell(canvas, f.rows[i], x, cy)
			continue
		}
		canvas.Open("/transformers?feeder="+queryEscape(f.id), plural(f.left, "more transformer", "more transformers")+" on "+f.id)
		canvas.Cell("cell", x, cy, cellW, cellH)
		canvas.Text("m t-acc", x+cellW/2, cy+cellH/2+4, "and "+count(f.left)+" more")
		canvas.Close()
	}
}

func (c *console) drawCell(canvas *chart.Canvas, r transformerRow, x, y float64) {
	class := "cell"
	switch {
	case r.Over:
		class = "cell abn"
	case !r.Fresh:
		class = "cell stale"
	}
	canvas.Open(href("transformers", r.TransformerID), cellLabel(r))
	defer canvas.Close()
	canvas.Cell(class, x, y, cellW, cellH)
	canvas.Text("id-t", x+9, y+16, clip(r.TransformerID, 12))
	canvas.Text("e", x+cellW-9, y+16, withUnit(whole(r.RatedKVA), "kVA"))
	if r.Fresh {
		canvas.LoadBarAt(x+9, y+24, cellW-18, 9, r.LoadNow)
		loadClass, hotClass := "t-ink", "e"
		if known(r.LoadNow) && r.LoadNow > 100 {
			loadClass = "t-alarm"
		}
		if known(r.HotSpotNow) && r.HotSpotNow > r.HotLimit {
			hotClass = "e t-alarm"
		}
		if known(r.LoadNow) {
			canvas.Text(loadClass, x+9, y+51, withUnit(whole(r.LoadNow), "%"))
		}
		if known(r.HotSpotNow) {
			canvas.Text(hotClass, x+cellW-9, y+51, withUnit(whole(r.HotSpotNow), "°C"))
		}
		c.drawVerdict(canvas, r, x+cellW/2-4, y+41)
		return
	}
	canvas.Rect("stale-bar", x+9, y+24, cellW-18, 9)
	text := "no live data"
	if r.Age != "" {
		text = r.Age + " old"
	}
	canvas.Text("t-ink", x+9, y+51, text)
	if known(r.LoadNow) {
		canvas.Text("e", x+cellW-9, y+51, "last "+withUnit(whole(r.LoadNow), "%"))
	} else if known(r.LoadingP95Pct) {
		canvas.Text("e", x+cellW-9, y+51, "p95 "+withUnit(whole(r.LoadingP95Pct), "%"))
	}
}

// drawVerdict marks a verdict between load and hot-spot: a red square for what is beyond
// a limit now, an open diamond for what asks for a look.
func (c *console) drawVerdict(canvas *chart.Canvas, r transformerRow, x, y float64) {
	if r.Over {
		canvas.Rect("s1", x-6, y, 13, 13)
		canvas.Text("d1 m strong tiny", x+0.5, y+10.5, "1")
		return
	}
	if len(r.Verdict) > 0 {
		canvas.Path("look", "M"+chart.Coord(x)+" "+chart.Coord(y)+"l6 6-6 6-6-6z")
	}
}

func cellLabel(r transformerRow) string {
	parts := []string{r.TransformerID, withUnit(whole(r.RatedKVA), "kVA")}
	if r.Fresh {
		if known(r.LoadNow) {
			parts = append(parts, "load "+withUnit(whole(r.LoadNow), "%"))
		}
		if known(r.HotSpotNow) {
			parts = append(parts, "hot-spot "+withUnit(whole(r.HotSpotNow), "°C"))
		}
	} else if r.Age != "" {
		parts = append(parts, "no data for "+r.Age)
	} else {
		parts = append(parts, "no live data")
	}
	return strings.Join(append(parts, r.Verdict...), ", ")
}
