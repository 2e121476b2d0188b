package console

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/internal/detect"
)

func rowIDs(body string) []string {
	var ids []string
	for _, m := range regexp.MustCompile(`<tr id="row-([^"]*)"`).FindAllStringSubmatch(body, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

func TestQueueFiltersAndSorts(t *testing.T) {
	k := newDistrict(t).desk().logIn()
	all := []string{minerPoint, "UP-10230", "UP-10233", "UP-10323"}
	for query, want := range map[string][]string{
		"":                                   all,
		"?view=above":                        {minerPoint, "UP-10230"},
		"?view=case":                         {minerPoint},
		"?view=explained":                    {"UP-10233", "UP-10323"},
		"?view=protected":                    {"UP-10233"},
		"?min=0.5":                           {minerPoint, "UP-10230"},
		"?min=7":                             all,
		"?feeder=F2":                         {"UP-10230", "UP-10233"},
		"?reason=flat_load":                  {minerPoint, "UP-10230", "UP-10323"},
		"?reason=flat_load&feeder=F3":        {"UP-10323"},
		"?q=computer+SALES":                  {minerPoint},
		"?q=M-10230":                         {"UP-10230"},
		"?q=t-1023":                          {"UP-10230", "UP-10233"},
		"?q=C-2026-0001":                     {minerPoint},
		"?sort=risk":                         {"UP-10323", "UP-10233", "UP-10230", minerPoint},
		"?sort=risk&dir=desc":                all,
		"?sort=excess&dir=desc":              all,
		"?sort=recoverable&dir=desc":         {"UP-10233", minerPoint, "UP-10230", "UP-10323"},
		"?sort=rank&dir=desc":                {"UP-10323", "UP-10233", "UP-10230", minerPoint},
		"?sort=nonsense":                     all,
		"?q=nothing":                         nil,
		"?sort=transformer&q=UP&min=0.1":     {"UP-10230", "UP-10233", "UP-10323", minerPoint},
		"?page=99":                           all,
		"?page=x&dir=sideways&view=whatever": all,
	} {
		body := k.get("/queue"+query, 200)
		if got := rowIDs(body); !slices.Equal(got, want) {
			t.Errorf("/queue%s shows %v, want %v", query, got, want)
		}
		if n := strings.Count(body, `data-row`); n > 0 && strings.Count(body, `tabindex="0"><td`) != 1 {
			t.Errorf("/queue%s: not exactly one row in the tab order", query)
		}
	}
	body := k.get("/queue?view=above&q=UP&sort=risk&dir=desc", 200)
	for _, want := range []string{`aria-sort="descending"`, `href="/queue?q=UP&amp;sort=risk&amp;view=above"`, `href="/queue.csv?dir=desc&amp;q=UP&amp;sort=risk&amp;view=above"`} {
		if !strings.Contains(body, want) {
			t.Errorf("lacks %s", want)
		}
	}
}

func TestQueuePages(t *testing.T) {
	d := newDistrict(t)
	proto := d.result.UsagePoints[1]
	for i := range 250 {
		a := proto
		a.UsagePointID, a.Rank = fmt.Sprintf("UP-extra-%03d", i), i+5
		d.result.UsagePoints = append(d.result.UsagePoints, a)
	}
	k := d.desk().logIn()
	first, last := k.get("/queue", 200), k.get("/queue?page=3", 200)
	if n := len(rowIDs(first)); n != queuePage {
		t.Errorf("page 1 shows %d rows", n)
	}
	if !strings.Contains(first, `rel="next"`) || strings.Contains(first, `rel="prev"`) || !strings.Contains(first, "1 to 100 of 254 shown") {
		t.Error("page 1 does not lead on")
	}
	if n := len(rowIDs(last)); n != 54 || strings.Contains(last, `rel="next"`) {
		t.Errorf("page 3 shows %d rows", n)
	}
}

func TestQueueCSV(t *testing.T) {
	d := newDistrict(t)
	d.result.UsagePoints[1].CustomerID = `=HYPERLINK("http://evil.example")`
	d.result.UsagePoints[1].MeanKW = detect.Unknown()
	rows, err := csv.NewReader(strings.NewReader(d.desk().logIn().get("/queue.csv?min=0.5", 200))).ReadAll()
	if err != nil {
		t.Fatalf("not CSV: %v", err)
	}
	if len(rows) != 3 || rows[0][1] != "usage_point_id" || rows[1][1] != minerPoint || rows[1][5] != "0.9700" || rows[1][15] != "C-2026-0001" {
		t.Errorf("rows %v", rows)
	}
	if rows[2][3] != `'=HYPERLINK("http://evil.example")` || rows[2][11] != "" {
		t.Errorf("a formula got through, or an unknown number is written: %v", rows[2])
	}
}
