package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func example() Chart {
	return Chart{
		Title: "Nine of ten mines are found among the < 5 % highest risks & few flat loads with them", Subtitle: "share of mines by share of others",
		X: "others", Y: "mines", XMax: 1, YMax: 1,
		Series: []Series{
			{Name: "measured", Kind: Ink, Points: []Point{{0, 0}, {.1, .9}, {math.NaN(), 0}, {1, 1}}, Marks: true, Low: []float64{math.NaN(), .8, 0, .95}, High: []float64{math.NaN(), .95, 0, 1}},
			{Name: "chance", Kind: Guide, Points: []Point{{0, 0}, {1, 1}}},
			{Name: "limit", Kind: Limit, Points: []Point{{0, .95}, {1, .95}}},
			{Kind: Second},
		},
	}
}

func draw(t *testing.T, c Chart) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestChartIsWellFormed(t *testing.T) {
	text := draw(t, example())
	d := xml.NewDecoder(strings.NewReader(text))
	elements := map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, text)
		}
		if e, ok := token.(xml.StartElement); ok {
			elements[e.Name.Local]++
		}
	}
	if elements["path"] != 4 || elements["circle"] != 3 || elements["title"] != 1 || elements["desc"] != 1 {
		t.Errorf("elements %v", elements)
	}
	for _, want := range []string{"prefers-color-scheme:dark", "&lt; 5 %", "measured</text>", "chance</text>", "limit</text>", "role=\"img\""} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture lacks %q", want)
		}
	}
	if strings.Contains(text, "NaN") {
		t.Error("a missing value was drawn")
	}
}

func TestChartPlacesPoints(t *testing.T) {
	c := Chart{XMin: 0, XMax: 10, YMin: 0, YMax: 1}
	for _, tc := range []struct {
		p    Point
		x, y float64
	}{
		{Point{0, 0}, left, height - foot},
		{Point{10, 1}, width - right, top},
		{Point{5, .5}, (left + width - right) / 2, float64(top+height-foot) / 2},
		{Point{20, -3}, width - right, height - foot}, // what lies outside is drawn at the edge
	} {
		if x, y := c.at(tc.p); math.Abs(x-tc.x) > 1e-9 || math.Abs(y-tc.y) > 1e-9 {
			t.Errorf("%v is drawn at %v, %v; want %v, %v", tc.p, x, y, tc.x, tc.y)
		}
	}
}

func TestChartIsTheSameEachTime(t *testing.T) {
	first, second := draw(t, example()), draw(t, example())
	if first != second {
		t.Error("the same chart gave two pictures")
	}
}

func TestWrap(t *testing.T) {
	if got := strings.Join(wrap("one two three", 7), "|"); got != "one two|three" {
		t.Errorf("got %q", got)
	}
}

// broken refuses to be written to.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestChartSaysWhatItCouldNotWrite(t *testing.T) {
	c := example()
	if err := c.Write(broken{}); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v", err)
	}
}
