package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// wellFormed reads a drawing as XML.
func wellFormed(t interface {
	Helper()
	Fatalf(string, ...any)
}, svg string,
) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("not well formed: %v in %s", err, svg)
		}
	}
}

func TestTicksSpanTheirRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.Float64Range(-1e6, 1e6).Draw(t, "lo")
		width := math.Pow(10, rapid.Float64Range(-3, 6).Draw(t, "width"))
		n := rapid.IntRange(1, 12).Draw(t, "n")
		ticks, from, to := Ticks(lo, lo+width, n)
		step := (to - from) / float64(len(ticks)-1)
		if from > lo+step*1e-6 || to < lo+width-step*1e-6 {
			t.Fatalf("%v … %v does not hold %v … %v", from, to, lo, lo+width)
		}
		if len(ticks) < 2 || len(ticks) > 2*n+3 {
			t.Fatalf("%d ticks for %d: %v", len(ticks), n, ticks)
		}
	})
	for _, odd := range [][2]float64{{0, 0}, {math.NaN(), 1}, {0, math.NaN()}, {5, -5}, {0, math.Inf(1)}} {
		if ticks, from, to := Ticks(odd[0], odd[1], 4); len(ticks) < 2 || to <= from {
			t.Errorf("Ticks(%v) = %v, %v, %v", odd, ticks, from, to)
		}
	}
}

func TestLinesBreakWhereValuesAreMissing(t *testing.T) {
	p := NewPlot(Half(), "t", 0, 4, 0, 10)
	p.Line("ln", []float64{0, 1, 2, 3, 4}, []float64{1, 2, math.NaN(), 4, math.NaN()})
	svg := string(p.HTML())
	if strings.Count(svg, "M") != 2 || strings.Count(svg, "h1.5") != 1 {
		t.Errorf("want two pieces, the second a dash: %s", svg)
	}
	p = NewPlot(Half(), "t", 0, 3, 0, 10)
	p.Band("band", []float64{0, 1, 2, 3}, []float64{1, 1, math.NaN(), 1}, []float64{2, 2, 2, 2})
	if svg := string(p.HTML()); strings.Count(svg, "z") != 2 {
		t.Errorf("want two bands: %s", svg)
	}
}

func TestWhatExceedsIsFilled(t *testing.T) {
	p := NewPlot(Half(), "t", 0, 3, 0, 200)
	p.Exceed("exceed", []float64{0, 1, 2, 3}, []float64{50, 120, 130, 50}, 100)
	p2 := NewPlot(Half(), "t", 0, 3, 0, 200)
	p2.Exceed("exceed", []float64{0, 1}, []float64{50, 100}, 100)
	if !strings.Contains(string(p.HTML()), `class="exceed"`) || strings.Contains(string(p2.HTML()), `class="exceed"`) {
		t.Error("fills the wrong part")
	}
}

func TestAllTextIsEscaped(t *testing.T) {
	const bad = `<script>alert("1")</script>&'`
	p := NewPlot(Half(), bad, 0, 1, 0, 1)
	p.Text("", 0, 0, bad)
	p.Open("/x?"+bad, bad)
	p.Close()
	p.XTick(0.5, bad)
	p.VMark(0.5, 20, bad)
	p.YAxis(func(float64) string { return bad })
	g := NewGroup(1, 1, bad)
	h := Heat{Title: bad, Columns: [][]float64{{1}}, Rows: 1, Unit: bad, Label: func(float64) string { return bad }, XLabels: map[int]string{0: bad}, YLabels: map[int]string{0: bad}}
	for _, svg := range []string{string(p.HTML()), string(g.HTML()), string(h.Draw(Half()))} {
		if strings.Contains(svg, "<script") {
			t.Errorf("script gets through: %s", svg)
		}
		wellFormed(t, svg)
	}
}

func TestHeatMapsDrawAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(0, 6).Draw(t, "rows")
		value := rapid.OneOf(rapid.Just(math.NaN()), rapid.Just(0.0), rapid.Float64Range(-5, 1e6))
		columns := rapid.SliceOfN(rapid.SliceOfN(value, 0, 6), 0, 8).Draw(t, "columns")
		svg := string(Heat{Columns: columns, Rows: rows, Label: func(float64) string { return "" }}.Draw(Half()))
		wellFormed(t, svg)
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || strings.Contains(svg, `class="h8"`) || strings.Contains(svg, `width="-`) {
			t.Fatalf("draws nonsense: %s", svg)
		}
	})
}

func TestHeatMapOfAFlatLoadIsOneRectangleADay(t *testing.T) {
	columns := make([][]float64, 10)
	for i := range columns {
		columns[i] = make([]float64, 96)
		for k := range columns[i] {
			columns[i][k] = 48 + 0.9*math.Sin(float64(i*96+k))
		}
	}
	svg := string(Heat{Columns: columns, Rows: 96, Label: func(float64) string { return "" }}.Draw(Half()))
	if n := strings.Count(svg, "<rect"); n != 10+levels {
		t.Errorf("%d rectangles, want one a day and the ramp", n)
	}
}

func TestBarsStayInTheirBox(t *testing.T) {
	for _, v := range []float64{math.NaN(), -3, 0, 0.5, 1, 99, math.Inf(1)} {
		for _, svg := range []string{string(RiskBar(v)), string(LoadBar(v * 100)), string(WeightBar(v, 2))} {
			if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || strings.Contains(svg, `"-`) {
				t.Errorf("%v: %s", v, svg)
			}
			wellFormed(t, svg)
		}
	}
	if svg := string(LoadBar(132)); !strings.Contains(svg, `class="over"`) {
		t.Errorf("no red above the rating: %s", svg)
	}
	if svg := string(LoadBar(99)); strings.Contains(svg, `class="over"`) {
		t.Errorf("red below the rating: %s", svg)
	}
}

func TestLabelsKeepClearOfEachOther(t *testing.T) {
	p := NewPlot(Half(), "t", 0, 1, 0, 1)
	var taken []float64
	for range 6 {
		p.Clear("", 0, 150, "x", &taken)
	}
	for i, a := range taken {
		for _, b := range taken[:i] {
			if math.Abs(a-b) < 15 {
				t.Errorf("labels at %v and %v", a, b)
			}
		}
	}
}
