package plot

import (
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
)

// Point is a place in the units of the axes.
type Point struct{ X, Y float64 }

// Kind is how a series is drawn.
type Kind string

// Kinds of series.
const (
	Ink    Kind = "ink"    // what was measured
	Second Kind = "second" // what stands beside it
	Guide  Kind = "guide"  // dashed: chance, or perfect agreement
	Limit  Kind = "limit"  // what must be reached
)

// Series is a line with its label.
type Series struct {
	Name   string
	Kind   Kind
	Points []Point   // in order; NaN breaks the line
	Marks  bool      // a dot at each point
	Low    []float64 // with High: whiskers at the points, NaN for none
	High   []float64
}

// Chart is one picture.
type Chart struct {
	Title    string // states the result
	Subtitle string // what is plotted, unit, span
	X, Y     string // names of the axes
	XMin     float64
	XMax     float64
	YMin     float64
	YMax     float64
	XTicks   []Tick // nil: five even ones
	YTicks   []Tick
	Series   []Series
}

// Tick is a labelled place of an axis.
type Tick struct {
	At   float64
	Text string
}

// Size of a picture and of the frame in it, in pixels.
const (
	width, height          = 560, 420
	left, right, top, foot = 60, 26, 74, 52
)

// style holds the colours of the console's tokens, light and dark.
const style = `
:root{--panel:#f2f4f5;--line:#c9cfd4;--ink:#191e23;--ink-2:#434b53;--s3:#82909b;--p1:#b20d22}
@media (prefers-color-scheme:dark){:root{--panel:#1d2226;--line:#363e45;--ink:#e2e6ea;--ink-2:#b7c0c8;--s3:#788591;--p1:#ff6371}}
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;fill:var(--ink-2);font-variant-numeric:tabular-nums}
.title{font-size:14px;font-weight:600;fill:var(--ink)}
.panel{fill:var(--panel)}
.grid{stroke:var(--line)}
.axis{stroke:var(--ink-2)}
.series{fill:none;stroke-width:2;stroke-linejoin:round}
.ink{stroke:var(--ink)} .second{stroke:var(--s3)} .guide{stroke:var(--ink-2);stroke-width:1;stroke-dasharray:4 4} .limit{stroke:var(--p1);stroke-width:1.5}
.whisker{stroke-width:1}
text.limit{fill:var(--p1);stroke:none} text.ink{fill:var(--ink);stroke:none} text.second,text.guide{fill:var(--ink-2);stroke:none}
.halo{paint-order:stroke;stroke:var(--panel);stroke-width:3px}
circle.ink{fill:var(--ink)} circle.second{fill:var(--s3)} circle.limit{fill:var(--p1)}
`

// Write draws the chart.
func (c *Chart) Write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="t d">`, width, height, width, height)
	fmt.Fprintf(&b, "\n<title id=\"t\">%s</title>\n<desc id=\"d\">%s</desc>\n<style>%s</style>\n", html.EscapeString(c.Title), html.EscapeString(c.Subtitle), style)
	fmt.Fprintf(&b, "<rect class=\"panel\" width=\"%d\" height=\"%d\" rx=\"4\"/>\n", width, height)
	y := 24
	for i, l := range wrap(c.Title, 74) {
		fmt.Fprintf(&b, "<text class=\"title\" x=\"16\" y=\"%d\">%s</text>\n", y+17*i, html.EscapeString(l))
	}
	y += 17 * len(wrap(c.Title, 74))
	fmt.Fprintf(&b, "<text x=\"16\" y=\"%d\">%s</text>\n", y, html.EscapeString(c.Subtitle))
	c.axes(&b)
	for i := range c.Series {
		c.series(&b, &c.Series[i])
	}
	c.labels(&b)
	b.WriteString("</svg>\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the picture %q: %w", c.Title, err)
	}
	return nil
}

// wrap breaks text at spaces into lines of at most so many characters.
func wrap(text string, most int) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > most {
			out = append(out, line)
			line = word
			continue
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(out, line)
}

func (c *Chart) at(p Point) (x, y float64) {
	share := func(v, lo, hi float64) float64 { return math.Min(math.Max((v-lo)/(hi-lo), 0), 1) }
	return left + share(p.X, c.XMin, c.XMax)*(width-left-right), height - foot - share(p.Y, c.YMin, c.YMax)*(height-top-foot)
}

func even(lo, hi float64) []Tick {
	var out []Tick
	for i := range 6 {
		v := lo + (hi-lo)*float64(i)/5
		out = append(out, Tick{v, strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64)})
	}
	return out
}

func (c *Chart) axes(b *strings.Builder) {
	xs, ys := c.XTicks, c.YTicks
	if xs == nil {
		xs = even(c.XMin, c.XMax)
	}
	if ys == nil {
		ys = even(c.YMin, c.YMax)
	}
	for _, t := range ys {
		_, y := c.at(Point{c.XMin, t.At})
		fmt.Fprintf(b, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", left, width-right, y, y)
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left-8, y+4, html.EscapeString(t.Text))
	}
	for _, t := range xs {
		x, _ := c.at(Point{t.At, c.YMin})
		fmt.Fprintf(b, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>", x, x, height-foot, height-foot+4)
		fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x, height-foot+18, html.EscapeString(t.Text))
	}
	fmt.Fprintf(b, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", left, width-right, height-foot, height-foot)
	fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", width-right, height-12, html.EscapeString(c.X))
	fmt.Fprintf(b, "<text x=\"16\" y=\"%d\">%s</text>\n", top-8, html.EscapeString(c.Y))
}

func (c *Chart) series(b *strings.Builder, s *Series) {
	begun := false
	b.WriteString(`<path class="series ` + string(s.Kind) + `" d="`)
	for _, p := range s.Points {
		if math.IsNaN(p.X) || math.IsNaN(p.Y) {
			begun = false
			continue
		}
		x, y := c.at(p)
		letter := "L"
		if !begun {
			letter, begun = "M", true
		}
		fmt.Fprintf(b, "%s%.1f %.1f", letter, x, y)
	}
	b.WriteString("\"/>\n")
	for i, p := range s.Points {
		if math.IsNaN(p.X) || math.IsNaN(p.Y) {
			continue
		}
		x, y := c.at(p)
		if i < len(s.Low) && !math.IsNaN(s.Low[i]) && !math.IsNaN(s.High[i]) {
			_, low := c.at(Point{p.X, s.Low[i]})
			_, high := c.at(Point{p.X, s.High[i]})
			fmt.Fprintf(b, "<line class=\"whisker %s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", s.Kind, x, x, low, high)
		}
		if s.Marks {
			fmt.Fprintf(b, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>\n", s.Kind, x, y)
		}
	}
}
