package plot

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// labels stand beside the lines, where they are furthest from the others.
func (c *Chart) labels(b *strings.Builder) {
	var placed []Point
	for i := range c.Series {
		s := &c.Series[i]
		if s.Name == "" || len(s.Points) == 0 {
			continue
		}
		at, best := Point{}, math.Inf(-1)
		for _, share := range []float64{.25, .4, .55, .7, .85} {
			p := along(s.Points, share)
			if math.IsNaN(p.X) {
				continue
			}
			x, y := c.at(p)
			for _, dy := range []float64{-9, 18} {
				q := Point{math.Min(math.Max(x, left+8), width-right-8), y + dy}
				if q.Y < top+8 || q.Y > height-foot-6 {
					continue
				}
				if d := c.room(q, placed, i); d > best {
					at, best = q, d
				}
			}
		}
		if math.IsInf(best, -1) {
			continue
		}
		placed = append(placed, at)
		anchor := "middle"
		if at.X > width-right-110 {
			anchor = "end"
		} else if at.X < left+110 {
			anchor = "start"
		}
		fmt.Fprintf(b, "<text class=\"halo %s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", s.Kind, at.X, at.Y, anchor, html.EscapeString(s.Name))
	}
}

// along is the point a share of the way through a line's points, between two
// where the line has only two.
func along(points []Point, share float64) Point {
	x := share * float64(len(points)-1)
	i := int(x)
	if i+1 >= len(points) {
		return points[len(points)-1]
	}
	f := x - float64(i)
	return Point{points[i].X + f*(points[i+1].X-points[i].X), points[i].Y + f*(points[i+1].Y-points[i].Y)}
}

// room is the distance of a label's place to other labels and other lines.
func (c *Chart) room(q Point, placed []Point, own int) float64 {
	nearest := 60.0
	for _, p := range placed {
		nearest = math.Min(nearest, math.Hypot((q.X-p.X)/3, q.Y-p.Y))
	}
	for i := range c.Series {
		if i == own || len(c.Series[i].Points) == 0 {
			continue
		}
		for k := range 41 {
			p := along(c.Series[i].Points, float64(k)/40)
			if x, y := c.at(p); !math.IsNaN(p.X) {
				nearest = math.Min(nearest, math.Hypot((q.X-x)/2.5, q.Y-4-y))
			}
		}
	}
	return nearest
}
