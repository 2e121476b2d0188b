package chart

import (
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// Canvas is one SVG drawing. All text that goes in is escaped.
type Canvas struct {
	W, H float64
	b    strings.Builder
}

// NewCanvas starts a drawing whose title is read out in its stead.
func NewCanvas(w, h float64, title string) *Canvas {
	c := &Canvas{W: w, H: h}
	c.b.WriteString(`<svg viewBox="0 0 ` + Coord(w) + ` ` + Coord(h) + `" role="img"><title>` + html.EscapeString(title) + `</title>`)
	return c
}

// NewGroup starts a drawing that holds links, so that they stay reachable one by one.
func NewGroup(w, h float64, label string) *Canvas {
	c := &Canvas{W: w, H: h}
	c.b.WriteString(`<svg viewBox="0 0 ` + Coord(w) + ` ` + Coord(h) + `" role="group" aria-label="` + html.EscapeString(label) + `">`)
	return c
}

// Coord writes a coordinate with one decimal at the most.
func Coord(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "0"
	}
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

// Text writes s at x, y under the given classes.
func (c *Canvas) Text(class string, x, y float64, s string) {
	c.b.WriteString(`<text`)
	if class != "" {
		c.b.WriteString(` class="` + class + `"`)
	}
	c.b.WriteString(` x="` + Coord(x) + `" y="` + Coord(y) + `">` + html.EscapeString(s) + "</text>\n")
}

// Path draws d.
func (c *Canvas) Path(class, d string) {
	if d != "" {
		c.b.WriteString(`<path class="` + class + `" d="` + d + "\"/>\n")
	}
}

// Rect draws a rectangle.
func (c *Canvas) Rect(class string, x, y, w, h float64) {
	c.b.WriteString(`<rect class="` + class + `" x="` + Coord(x) + `" y="` + Coord(y) + `" width="` + Coord(math.Max(0, w)) + `" height="` + Coord(math.Max(0, h)) + "\"/>\n")
}

// Cell draws a rectangle with rounded corners.
func (c *Canvas) Cell(class string, x, y, w, h float64) {
	c.b.WriteString(`<rect class="` + class + `" x="` + Coord(x) + `" y="` + Coord(y) + `" width="` + Coord(w) + `" height="` + Coord(h) + "\" rx=\"3\"/>\n")
}

// Dot draws a filled circle.
func (c *Canvas) Dot(class string, x, y, r float64) {
	c.b.WriteString(`<circle class="` + class + `" cx="` + Coord(x) + `" cy="` + Coord(y) + `" r="` + Coord(r) + "\"/>\n")
}

// Open starts a link to href with a label that is read out; Close ends it.
func (c *Canvas) Open(href, label string) {
	c.b.WriteString(`<a href="` + html.EscapeString(href) + `" aria-label="` + html.EscapeString(label) + `">`)
}

// Close ends a link.
func (c *Canvas) Close() { c.b.WriteString("</a>\n") }

// Raw writes markup of the program's own, never data.
func (c *Canvas) Raw(markup string) { c.b.WriteString(markup) }

// HTML ends the drawing and returns it. Every text in it was escaped on its way in.
func (c *Canvas) HTML() template.HTML {
	return template.HTML(c.b.String() + "</svg>") //nolint:gosec // all text is escaped by Text, Open, NewCanvas and NewGroup
}
