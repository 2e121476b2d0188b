package chart

import (
	"html/template"
	"math"
	"strings"
)

// Plot is a canvas with two scales and the space around them.
type Plot struct {
	*Canvas
	X, Y                     Scale
	left, top, right, bottom float64
	yticks                   []float64
}

// Frame is the size of a plot and the margins inside it.
type Frame struct {
	W, H                     float64
	Left, Top, Right, Bottom float64
}

// Half is a chart of half a page, Wide one of the full width, Low a wide one of half the height.
func Half() Frame { return Frame{W: 600, H: 300, Left: 40, Top: 16, Right: 16, Bottom: 26} }

// Wide is a chart over the full width.
func Wide() Frame { return Frame{W: 1240, H: 240, Left: 46, Top: 14, Right: 112, Bottom: 26} }

// NewPlot starts a plot whose y axis runs over round numbers that hold ylo … yhi.
func NewPlot(f Frame, title string, xlo, xhi, ylo, yhi float64) *Plot {
	p := &Plot{Canvas: NewCanvas(f.W, f.H, title), left: f.Left, top: f.Top, right: f.W - f.Right, bottom: f.H - f.Bottom}
	ticks, from, to := Ticks(ylo, yhi, max(2, int((p.bottom-p.top)/56)))
	p.yticks = ticks
	p.X = Scale{Min: xlo, Max: xhi, From: p.left, To: p.right}
	p.Y = Scale{Min: from, Max: to, From: p.bottom, To: p.top}
	return p
}

// Left is the left edge of the plotting area.
func (p *Plot) Left() float64 { return p.left }

// Right is the right edge.
func (p *Plot) Right() float64 { return p.right }

// Top is the upper edge.
func (p *Plot) Top() float64 { return p.top }

// Bottom is the lower edge.
func (p *Plot) Bottom() float64 { return p.bottom }

// YAxis draws the horizontal grid with labels.
func (p *Plot) YAxis(label func(float64) string) {
	for _, v := range p.yticks {
		y := p.Y.At(v)
		class := "gl"
		if v == 0 {
			class = "ax0"
		}
		p.Path(class, "M"+Coord(p.left)+" "+Coord(y)+"H"+Coord(p.right))
		p.Text("e", p.left-6, y+4, label(v))
	}
}

// XTick labels a place on the x axis.
func (p *Plot) XTick(v float64, label string) {
	if x := p.X.At(v); x > p.W-20 {
		p.Text("e", p.W-2, p.bottom+17, label) // at the very edge the middle of a label would be cut off
	} else {
		p.Text("m", x, p.bottom+17, label)
	}
}

// XLine draws a vertical grid line.
func (p *Plot) XLine(v float64) {
	x := Coord(p.X.At(v))
	p.Path("gl", "M"+x+" "+Coord(p.top)+"V"+Coord(p.bottom))
}

// Line draws ys over xs; NaN breaks it. A value between two gaps becomes a short dash.
func (p *Plot) Line(class string, xs, ys []float64) {
	var b strings.Builder
	pen := false
	for i, y := range ys {
		if math.IsNaN(y) {
			pen = false
			continue
		}
		px, py := Coord(p.X.At(xs[i])), Coord(p.Y.At(y))
		if !pen {
			b.WriteString("M" + px + " " + py)
			if i+1 == len(ys) || math.IsNaN(ys[i+1]) {
				b.WriteString("h1.5")
			}
		} else {
			b.WriteString("L" + px + " " + py)
		}
		pen = true
	}
	p.Path(class, b.String())
}

// Band fills between lo and hi; NaN in either breaks it.
func (p *Plot) Band(class string, xs, lo, hi []float64) {
	for start := 0; start < len(xs); {
		if math.IsNaN(lo[start]) || math.IsNaN(hi[start]) {
			start++
			continue
		}
		end := start
		for end < len(xs) && !math.IsNaN(lo[end]) && !math.IsNaN(hi[end]) {
			end++
		}
		var b strings.Builder
		for i := start; i < end; i++ {
			b.WriteString(letter(i == start) + Coord(p.X.At(xs[i])) + " " + Coord(p.Y.At(lo[i])))
		}
		for i := end - 1; i >= start; i-- {
			b.WriteString("L" + Coord(p.X.At(xs[i])) + " " + Coord(p.Y.At(hi[i])))
		}
		b.WriteString("z")
		p.Path(class, b.String())
		start = end
	}
}

// Exceed fills what of ys lies above limit.
func (p *Plot) Exceed(class string, xs, ys []float64, limit float64) {
	lo, hi := make([]float64, len(ys)), make([]float64, len(ys))
	for i, y := range ys {
		lo[i], hi[i] = math.NaN(), math.NaN()
		near := y > limit || (i > 0 && ys[i-1] > limit) || (i+1 < len(ys) && ys[i+1] > limit)
		if !math.IsNaN(y) && near {
			lo[i], hi[i] = limit, math.Max(limit, y)
		}
	}
	p.Band(class, xs, lo, hi)
}

// HLine draws a limit over the whole width.
func (p *Plot) HLine(class string, v float64) {
	p.Path(class, "M"+Coord(p.left)+" "+Coord(p.Y.At(v))+"H"+Coord(p.right))
}

// VMark draws a reference mark with its label at the given height, on the side
// with more room.
func (p *Plot) VMark(v, labelY float64, label string) {
	x := p.X.At(v)
	p.Path("mark", "M"+Coord(x)+" "+Coord(p.top)+"V"+Coord(p.bottom))
	if x > (p.left+p.right)/2 {
		p.Text("halo t-acc e", x-6, labelY, label)
	} else {
		p.Text("halo t-acc", x+6, labelY, label)
	}
}

// Bar draws a vertical bar from zero to v between x positions a and b.
func (p *Plot) Bar(class string, a, b, v float64) {
	y0, y := p.Y.At(0), p.Y.At(v)
	p.Rect(class, p.X.At(a), math.Min(y0, y), math.Max(1, p.X.At(b)-p.X.At(a)), math.Abs(y-y0))
}

// Clear writes a label where none of the given lines passes: it tries heights
// from the wanted one outwards, within the plot.
func (p *Plot) Clear(class string, x, wanted float64, label string, taken *[]float64) {
	y := wanted
	for step := 0; step < 12; step++ {
		for _, candidate := range []float64{wanted - float64(step)*8, wanted + float64(step)*8} {
			if candidate < p.top+10 || candidate > p.bottom-4 || crowded(candidate, *taken) {
				continue
			}
			y = candidate
			*taken = append(*taken, y)
			p.Text(class, x, y, label)
			return
		}
	}
	p.Text(class, x, y, label)
}

func crowded(y float64, taken []float64) bool {
	for _, t := range taken {
		if math.Abs(t-y) < 15 {
			return true
		}
	}
	return false
}

func letter(first bool) string {
	if first {
		return "M"
	}
	return "L"
}

// RiskBar is the small bar beside a risk.
func RiskBar(risk float64) template.HTML {
	w := 64 * math.Min(1, math.Max(0, risk))
	return template.HTML(`<svg viewBox="0 0 64 8" aria-hidden="true"><rect class="track" width="64" height="8"/><rect class="fill" width="` + Coord(w) + `" height="8"/></svg>`) //nolint:gosec // numbers only
}

// LoadBar is the bar of a load in percent of a rating, to 150 %, with a tick at 100 %.
func LoadBar(pct float64) template.HTML {
	fill, over := loadParts(pct, 100)
	s := `<svg viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="12"/><rect class="fill-2" width="` + Coord(fill) + `" height="12"/>`
	if over > 0 {
		s += `<rect class="over" x="66.7" width="` + Coord(over) + `" height="12"/>`
	}
	return template.HTML(s + `<path class="hundred" d="M66.7 0v12" vector-effect="non-scaling-stroke"/></svg>`) //nolint:gosec // numbers only
}

// loadParts splits a load bar of the given width into what lies below and above the rating.
func loadParts(pct, width float64) (fill, over float64) {
	if math.IsNaN(pct) {
		return 0, 0
	}
	x := width / 150 * math.Min(150, math.Max(0, pct))
	rated := width / 1.5
	return math.Min(x, rated), math.Max(0, x-rated)
}

// LoadBarAt draws a load bar inside a canvas.
func (c *Canvas) LoadBarAt(x, y, w, h, pct float64) {
	fill, over := loadParts(pct, w)
	c.Rect("track", x, y, w, h)
	c.Rect("fill-2", x, y, fill, h)
	if over > 0 {
		c.Rect("over", x+w/1.5, y, over, h)
	}
	c.Path("hundred", "M"+Coord(x+w/1.5)+" "+Coord(y-3)+"v"+Coord(h+6))
}

// WeightBar shows a weight between -limit and limit from the middle outwards.
func WeightBar(v, limit float64) template.HTML {
	if math.IsNaN(v) || limit <= 0 {
		return ""
	}
	w := 60 * math.Min(1, math.Abs(v)/limit)
	x := 60.0
	class := "fill"
	if v < 0 {
		x, class = 60-w, "fill-3"
	}
	return template.HTML(`<svg class="contrib" viewBox="0 0 120 10" aria-hidden="true"><rect class="track" width="120" height="10"/><rect class="` + class + `" x="` + Coord(x) + `" width="` + Coord(w) + `" height="10"/><path class="hundred" d="M60 0v10"/></svg>`) //nolint:gosec // numbers only
}
