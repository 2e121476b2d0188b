package cases_test

import (
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/dueprocess"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// clock is a clock that tests set.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newService(t testing.TB, edit func(*cases.Config)) (*cases.Service, *clock) {
	t.Helper()
	at := &clock{time.Date(2026, 11, 24, 5, 48, 0, 0, time.UTC)}
	config := cases.Config{Store: cases.NewMemory(), Policy: genericPolicy(t), Clock: at.Now}
	if edit != nil {
		edit(&config)
	}
	s, err := cases.NewService(config)
	if err != nil {
		t.Fatal(err)
	}
	return s, at
}

const firstDay, lastDay = curve.Date(20700), curve.Date(20759)

// assessment is one of a household that mines.
func assessment(usagePoint string, risk float64, reasons ...string) detect.Assessment {
	a := detect.Assessment{
		UsagePointID: usagePoint, MeterID: "M-" + usagePoint, CustomerID: "C-" + usagePoint, TransformerID: "T-1",
		Risk: risk, Reasons: reasons, FirstDay: firstDay, LastDay: lastDay, GoodShare: 0.98,
	}
	for _, reason := range reasons {
		a.Findings = append(a.Findings, finding(usagePoint, reason, firstDay, lastDay))
	}
	return a
}

func finding(usagePoint, reason string, first, last curve.Date) detect.Finding {
	return detect.Finding{
		Finding: sdk.Finding{
			Subject: usagePoint, Kind: sdk.UsagePoint, Reason: reason, Probability: 0.9,
			FirstDay: sdk.Date(first), LastDay: sdk.Date(last),
			Evidence: []sdk.Evidence{{Code: "flat_share", Text: "flat day and night", Value: 0.95, LogOdds: 2}},
		},
		Stamp: detect.Stamp{Detector: "hiddenmining", Version: "1.0.0"},
	}
}

func run(list ...detect.Assessment) *detect.Result {
	return &detect.Result{RunID: "run-1", FirstDay: firstDay, LastDay: lastDay, UsagePoints: list}
}

func consider(t testing.TB, s *cases.Service, r *detect.Result) int {
	t.Helper()
	opened, err := s.Consider(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func TestOpensAtTheThreshold(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*detect.Assessment)
		want int
	}{
		{"at the threshold", func(a *detect.Assessment) { a.Risk = 0.5 }, 1},
		{"just below it", func(a *detect.Assessment) { a.Risk = math.Nextafter(0.5, 0) }, 0},
		{"risk unknown", func(a *detect.Assessment) { a.Risk = math.NaN() }, 0},
		{"least good share", func(a *detect.Assessment) { a.GoodShare = 0.8 }, 1},
		{"mostly estimated", func(a *detect.Assessment) { a.GoodShare = 0.79 }, 0},
		{"quality unknown", func(a *detect.Assessment) { a.GoodShare = detect.Unknown() }, 0},
		{"found on estimates", func(a *detect.Assessment) { a.Findings[0].EstimatedShare = 0.21 }, 0},
		{"found on a few estimates", func(a *detect.Assessment) { a.Findings[0].EstimatedShare = 0.2 }, 1},
		{"measured risk below the threshold", func(a *detect.Assessment) {
			estimated := finding("UP-1", "night_load", firstDay, lastDay)
			estimated.EstimatedShare = 1
			a.Findings, a.MeasuredRisk = append(a.Findings, estimated), 0.49
		}, 0},
		{"measured beside estimates", func(a *detect.Assessment) {
			estimated := finding("UP-1", "night_load", firstDay, lastDay)
			estimated.EstimatedShare = 1
			a.Findings, a.MeasuredRisk = append(a.Findings, estimated), 0.5
		}, 1},
		{"measured finding without evidence", func(a *detect.Assessment) {
			bare := finding("UP-1", "night_load", firstDay, lastDay)
			bare.Evidence, a.MeasuredRisk, a.Findings[0].EstimatedShare = nil, 0.9, 1
			a.Findings = append(a.Findings, bare)
		}, 0},
		{"no finding", func(a *detect.Assessment) { a.Findings = nil }, 0},
		{"finding without evidence", func(a *detect.Assessment) { a.Findings[0].Evidence = nil }, 0},
		{"records in doubt", func(a *detect.Assessment) { a.Findings[0].Reason = "records_error" }, 0},
		{"mapping in doubt beside", func(a *detect.Assessment) { a.Findings[0].AlsoReasons = []string{"mapping_doubt"} }, 0},
		{"mapped to the wrong transformer", func(a *detect.Assessment) { a.Findings[0].Reason = "member_not_here" }, 0},
		{"meter with a wrong multiplier", func(a *detect.Assessment) { a.Findings[0].Reason = "over_registration" }, 0},
		{"wrong mapping among the reasons", func(a *detect.Assessment) { a.Reasons = append(a.Reasons, "wrong_mapping") }, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, _ := newService(t, nil)
			a := assessment("UP-1", 0.97, "flat_load")
			tc.edit(&a)
			if got := consider(t, s, run(a)); got != tc.want {
				t.Fatalf("opened %d cases, want %d", got, tc.want)
			}
		})
	}
}

func TestRecordsErrorOfTheTransformerOpensNoCase(t *testing.T) {
	s, _ := newService(t, nil)
	r := run(assessment("UP-1", 0.9, "theft"), assessment("UP-2", 0.9, "flat_load"))
	doubt := finding("T-1", "records_error", firstDay, lastDay)
	doubt.Verdicts, doubt.Suspects = []string{"records_error"}, []sdk.Suspect{{Subject: "UP-1", Probability: 0.8}}
	r.Transformers = []detect.TransformerAssessment{{TransformerID: "T-1", Verdicts: []string{"records_error"}, Findings: []detect.Finding{doubt}}}
	if got := consider(t, s, r); got != 1 {
		t.Fatalf("opened %d cases, want 1", got)
	}
	if c, err := s.OfUsagePoint(t.Context(), "UP-1"); err != nil || c != nil {
		t.Fatalf("the doubted point has case %+v, %v", c, err)
	}
}

// What only corroborates is no ground to open a case on, whatever the risk.
func TestCorroborationAloneOpensNoCase(t *testing.T) {
	s, _ := newService(t, nil)
	listed := assessment("UP-1", 0.9, "listed_address_load_fits")
	listed.Findings[0].Corroborates = true
	if n := consider(t, s, run(listed)); n != 0 {
		t.Errorf("%d cases opened", n)
	}
	listed.Findings = append(listed.Findings, finding("UP-1", "flat_load", firstDay, lastDay))
	if n := consider(t, s, run(listed)); n != 1 {
		t.Errorf("%d cases opened with a finding beside the list", n)
	}
}

func TestTheSameAgainChangesNothing(t *testing.T) {
	s, at := newService(t, nil)
	r := run(assessment("UP-1", 0.97, "flat_load", "use_not_declared"))
	if got := consider(t, s, r); got != 1 {
		t.Fatalf("opened %d", got)
	}
	before, err := s.Get(t.Context(), "C-2026-0001")
	if err != nil {
		t.Fatal(err)
	}
	at.now = at.now.Add(24 * time.Hour)
	next := run(assessment("UP-1", 0.98, "flat_load", "use_not_declared"))
	for i := range next.UsagePoints[0].Findings { // the window moves on by a day, and with it the first day
		f := &next.UsagePoints[0].Findings[i]
		f.FirstDay, f.LastDay = f.FirstDay+1, f.LastDay+1
	}
	below := run(assessment("UP-1", 0.3, "flat_load"))
	for _, again := range []*detect.Result{r, next, below, nil} {
		if got := consider(t, s, again); got != 0 {
			t.Fatalf("opened %d more", got)
		}
	}
	after, err := s.Get(t.Context(), "C-2026-0001")
	if err != nil || after.Version != before.Version || !after.Updated.Equal(before.Updated) {
		t.Fatalf("the case went from version %d to %d, %v", before.Version, after.Version, err)
	}
}

func TestANewFindingJoinsTheCase(t *testing.T) {
	s, at := newService(t, nil)
	consider(t, s, run(assessment("UP-1", 0.7, "flat_load")))
	if _, err := s.Review(t.Context(), "C-2026-0001", 1, "lin.wei", "ratio and mapping checked", true); err != nil {
		t.Fatal(err)
	}
	at.now = at.now.Add(time.Hour)
	second := run(assessment("UP-1", 0.9, "flat_load", "listed_ip"))
	second.UsagePoints[0].Findings = append(second.UsagePoints[0].Findings, finding("UP-1", "flat_load", lastDay+30, lastDay+60))
	if got := consider(t, s, second); got != 0 {
		t.Fatalf("opened %d", got)
	}
	c, err := s.Get(t.Context(), "C-2026-0001")
	if err != nil {
		t.Fatal(err)
	}
	var types []cases.EventType
	for _, e := range c.Timeline {
		types = append(types, e.Type)
	}
	if want := []cases.EventType{cases.Opened, cases.DeskReviewed, cases.FindingAdded, cases.FindingAdded}; !slices.Equal(types, want) {
		t.Fatalf("timeline %v, want %v", types, want)
	}
	if c.State != cases.Open || c.Risk != 0.9 || len(c.Findings) != 3 || !c.Updated.Equal(at.now) {
		t.Fatalf("state %s, risk %g, %d findings, updated %s", c.State, c.Risk, len(c.Findings), c.Updated)
	}
}

func TestAreaCasesNameNobody(t *testing.T) {
	s, _ := newService(t, nil)
	tap := finding("T-9", "unmetered_load", firstDay, lastDay)
	tap.Kind, tap.Verdicts = sdk.Transformer, []string{"unmetered_load"}
	tap.Suspects = []sdk.Suspect{{Subject: "UP-7", Probability: 0.4}}
	small := finding("T-9", "undersized", 0, 0) // the whole window
	small.Kind, small.Verdicts, small.Metrics = sdk.Transformer, []string{"undersized"}, map[string]float64{"loading_p95_pct": 131, "loss_pct": math.NaN()}
	empty := finding("T-8", "undersized", firstDay, lastDay)
	empty.Kind, empty.Verdicts, empty.Evidence = sdk.Transformer, []string{"undersized"}, nil
	r := run()
	r.Transformers = []detect.TransformerAssessment{
		{TransformerID: "T-9", Verdicts: []string{"undersized", "unmetered_load"}, Suspects: []string{"UP-7"}, Findings: []detect.Finding{tap, small}},
		{TransformerID: "T-8", Verdicts: []string{"undersized"}, Findings: []detect.Finding{empty}},
		{TransformerID: "T-7", Verdicts: []string{"ok", "no_meter", "theft", "overloaded"}},
	}
	if got := consider(t, s, r); got != 2 {
		t.Fatalf("opened %d cases, want 2", got)
	}
	if got := consider(t, s, r); got != 0 {
		t.Fatalf("opened %d cases again", got)
	}
	list, err := s.List(t.Context(), cases.Filter{})
	if err != nil || len(list) != 2 {
		t.Fatalf("%d cases, %v", len(list), err)
	}
	for _, c := range list {
		if c.TransformerID != "T-9" || c.UsagePointID != "" || c.CustomerID != "" || len(c.Findings) != 1 ||
			len(c.Findings[0].Detail.Suspects) != 0 || c.FirstDay != firstDay || c.LastDay != lastDay {
			t.Errorf("area case %+v", c)
		}
		j, err := s.Measures(t.Context(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []dueprocess.Measure{dueprocess.Rectify, dueprocess.TariffCorrection, dueprocess.Suspend} {
			if got := j.Of(m).State; got != dueprocess.DoesNotApply {
				t.Errorf("%s: %s is %s", c.Subject.Kind, m, got)
			}
		}
	}
}

func TestConsiderConcurrently(t *testing.T) {
	s, _ := newService(t, nil)
	var all []detect.Assessment
	for _, up := range strings.Fields("UP-1 UP-2 UP-3 UP-4 UP-5 UP-6") {
		all = append(all, assessment(up, 0.8, "flat_load"))
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	total := 0
	for range 4 {
		wg.Go(func() {
			opened, err := s.Consider(t.Context(), run(all...))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			total += opened
			mu.Unlock()
		})
	}
	wg.Wait()
	list, err := s.List(t.Context(), cases.Filter{})
	if err != nil || len(list) != 6 || total != 6 {
		t.Fatalf("%d cases, %d counted as opened, %v; want 6", len(list), total, err)
	}
	for _, c := range list {
		if c.Version != 1 {
			t.Errorf("%s has %d events", c.ID, c.Version)
		}
	}
}

func TestCaseIDsFollowTheSiteYear(t *testing.T) {
	s, at := newService(t, func(c *cases.Config) { c.Location = time.FixedZone("UTC+8", 8*3600) })
	at.now = time.Date(2026, 12, 31, 15, 59, 59, 0, time.UTC)
	consider(t, s, run(assessment("UP-1", 0.8, "flat_load")))
	at.now = at.now.Add(time.Second)
	consider(t, s, run(assessment("UP-2", 0.8, "flat_load")))
	for up, want := range map[string]string{"UP-1": "C-2026-0001", "UP-2": "C-2027-0001"} {
		if c, err := s.OfUsagePoint(t.Context(), up); err != nil || c.ID != want {
			t.Errorf("%s has case %+v, %v, want %s", up, c, err, want)
		}
	}
}

func TestMetricCountsCases(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	s, _ := newService(t, func(c *cases.Config) { c.Metrics = registry })
	consider(t, s, run(assessment("UP-1", 0.8, "flat_load"), assessment("UP-2", 0.8, "flat_load")))
	if _, err := s.Review(t.Context(), "C-2026-0001", 1, "lin.wei", "checked", false); err != nil {
		t.Fatal(err)
	}
	want := "# HELP gridwarden_cases Cases by state.\n# TYPE gridwarden_cases gauge\n" +
		"gridwarden_cases{state=\"open\"} 1\ngridwarden_cases{state=\"reviewed\"} 1\n"
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Fatal(err)
	}
}
