package chart

import (
	"html/template"
	"math"
	"sort"
)

// Heat is a heat map: a column for each position, a row for each slot, drawn
// from the top. NaN is missing and drawn dashed.
type Heat struct {
	Title   string
	Columns [][]float64
	Rows    int
	XLabels map[int]string // by column
	YLabels map[int]string // by row edge, 0 … Rows
	Unit    string
	Label   func(float64) string // of a level
}

const levels = 8

// Draw draws the map with its ramp.
func (h Heat) Draw(f Frame) template.HTML {
	c := NewCanvas(f.W, f.H, h.Title)
	left, top, right, bottom := f.Left, f.Top, f.W-f.Right, f.H-f.Bottom-24
	bounds := bounds(h.Columns)
	c.Raw(`<g class="heat">`)
	if len(h.Columns) > 0 && h.Rows > 0 {
		w, rh := (right-left)/float64(len(h.Columns)), (bottom-top)/float64(h.Rows)
		for i, column := range h.Columns {
			h.column(c, column, bounds, left+float64(i)*w, top, w, rh)
		}
		for i, label := range h.XLabels {
			x := left + (float64(i)+0.5)*w
			c.Path("ax0", "M"+Coord(x)+" "+Coord(bottom)+"v4")
			if x > c.W-20 {
				c.Text("e", c.W-2, bottom+16, label)
			} else {
				c.Text("m", x, bottom+16, label)
			}
		}
		for row, label := range h.YLabels {
			c.Text("e", left-6, top+float64(row)*rh+4, label)
		}
	}
	c.Raw("</g>")
	h.ramp(c, bounds, left, right, f.H-20)
	return c.HTML()
}

// column merges runs of one level into one rectangle, so that a flat load is one.
func (h Heat) column(c *Canvas, values, bounds []float64, x, top, w, rh float64) {
	for start := 0; start < h.Rows; {
		level := levelAt(values, start, bounds)
		end := start + 1
		for end < h.Rows && levelAt(values, end, bounds) == level {
			end++
		}
		y, height := top+float64(start)*rh, float64(end-start)*rh
		if level < 0 {
			c.Rect("missing", x+0.4, y, w-0.8, height)
		} else {
			c.Rect("h"+string(rune('0'+level)), x, y, w+0.5, height+0.3)
		}
		start = end
	}
}

// levelAt returns -1 for a missing value.
func levelAt(values []float64, i int, bounds []float64) int {
	if i >= len(values) || math.IsNaN(values[i]) {
		return -1
	}
	return sort.Search(len(bounds), func(k int) bool { return values[i] < bounds[k] })
}

func (h Heat) ramp(c *Canvas, bounds []float64, left, right, y float64) {
	w := math.Min(52, (right-left-30)/levels)
	x := right - levels*w
	c.Text("e", x-8, y+9, h.Unit)
	for i := range levels {
		c.Rect("h"+string(rune('0'+i)), x+float64(i)*w, y, w, 9)
		if i < len(bounds) {
			c.Text("m", x+float64(i+1)*w, y+20, h.Label(bounds[i]))
		}
	}
}

// bounds returns seven rising limits between the levels: evenly spaced between
// round numbers, so that the ramp can be read.
func bounds(columns [][]float64) []float64 {
	var all []float64
	for _, column := range columns {
		for _, v := range column {
			if !math.IsNaN(v) {
				all = append(all, v)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	sort.Float64s(all)
	lo, hi := math.Min(0, all[len(all)/100]), all[len(all)-1-len(all)/200]
	if hi <= lo {
		hi = lo + 1
	}
	step := (hi - lo) / levels
	if lo == 0 {
		step = quietStep(all, hi)
	}
	out := make([]float64, levels-1)
	for i := range out {
		out[i] = lo + float64(i+1)*step
	}
	return out
}

// quietStep chooses a step of two figures that spans hi with eight levels and
// on whose limits few values lie: a flat load must not look speckled because a
// limit runs through its noise.
func quietStep(all []float64, hi float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(hi/levels))-1)
	best, bestCost := hi/levels, math.Inf(1)
	for k := math.Ceil(hi / 7.9 / unit); k <= math.Ceil(hi/6/unit); k++ {
		step := k * unit
		cost := 0.02
		if math.Mod(k, 10) == 0 {
			cost = 0
		} else if math.Mod(k, 5) == 0 {
			cost = 0.01
		}
		near := 0
		for _, v := range all {
			if d := math.Abs(v/step - math.Round(v/step)); math.Round(v/step) > 0 && d*step < 0.03*hi {
				near++
			}
		}
		if cost += float64(near) / float64(len(all)); cost < bestCost-1e-12 {
			best, bestCost = step, cost
		}
	}
	return best
}
