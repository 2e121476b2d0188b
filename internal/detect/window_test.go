package detect

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// recorder keeps the windows that it is given and asks for every curve.
type recorder struct {
	description sdk.Description
	mu          *sync.Mutex
	windows     *[]*sdk.Window
}

func newRecorder(d sdk.Description) recorder {
	if d.Name == "" {
		d.Name = "recorder"
	}
	d.Version = "1.0.0"
	return recorder{d, new(sync.Mutex), new([]*sdk.Window)}
}

func (r recorder) Describe() sdk.Description { return r.description }

func (r recorder) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	r.mu.Lock()
	*r.windows = append(*r.windows, w)
	r.mu.Unlock()
	if w.Curves == nil {
		for i := range w.Subjects {
			out.RequestCurves(w.Subjects[i].ID)
		}
	}
	return nil
}

// record runs one detector and returns the windows it was given, by id.
func record(t *testing.T, in Input, d sdk.Description) []*sdk.Window {
	t.Helper()
	r := newRecorder(d)
	result := mustRun(t, in, Local(r))
	if len(result.Failed) > 0 {
		t.Fatal(result.Failed)
	}
	slices.SortFunc(*r.windows, func(a, b *sdk.Window) int { return int(a.ID) - int(b.ID) })
	return *r.windows
}

func TestDetectorsSeePseudonymsOnly(t *testing.T) {
	in := district(t)
	records := grid.Records{Transformers: in.Network.Transformers, Customers: in.Network.Customers, UsagePoints: in.Network.UsagePoints}
	seen := time.Unix(int64(firstDay)*86400, 0)
	records.Watchlist = []grid.WatchlistEntry{{IP: "203.0.113.77", FirstSeen: seen, LastSeen: seen.AddDate(0, 0, 5), Source: "Bureau of Pools", HashrateHS: 1e9}}
	records.IPAssignments = []grid.IPAssignment{{IP: "203.0.113.77", CustomerID: "Zhang-Wei-03", From: seen.AddDate(0, -1, 0), Source: "Canal Telecom"}}
	in.Network = grid.NewNetwork(records)
	secrets := []string{"203.0.113", "Bureau", "Telecom", "Zhang", "Wei", "Lin Mei", "Canal", "UP-0", "MTR-", "TX-", "TM-1"}
	for _, key := range [][]byte{nil, []byte("an installation's secret")} {
		in.PseudonymKey = key
		for _, scope := range []sdk.Scope{sdk.ScopeUsagePoint, sdk.ScopeTransformerArea, sdk.ScopeFleet} {
			windows := record(t, in, sdk.Description{Scope: scope, Quantities: []meter.Quantity{meter.ActivePower, meter.VoltageA}})
			listed := 0
			for _, w := range windows {
				for part := range sdk.WindowParts(w, sdk.PartBytes) {
					data, err := proto.Marshal(part)
					if err != nil {
						t.Fatal(err)
					}
					for _, secret := range secrets {
						if strings.Contains(string(data), secret) {
							t.Errorf("%s: %q is in window %d", scope, secret, w.ID)
						}
					}
				}
				for i := range w.Subjects {
					if w.Subjects[i].Flag(sdk.AttrListedIP) {
						listed++
					}
				}
			}
			if listed != 2 { // once with features, once with curves
				t.Errorf("%s: %d listed subjects; the test looks at nothing", scope, listed)
			}
		}
	}
}

func TestPseudonymsDependOnTheKey(t *testing.T) {
	one, two := newPseudonyms([]byte("one")), newPseudonyms([]byte("two"))
	a, b := one.of(sdk.UsagePoint, "UP-1"), two.of(sdk.UsagePoint, "UP-1")
	if a == b || a != one.of(sdk.UsagePoint, "UP-1") || a[2:] == one.of(sdk.Transformer, "UP-1")[2:] {
		t.Errorf("pseudonyms %q and %q", a, b)
	}
	if one.id(a) != "UP-1" || one.id(b) != "" {
		t.Error("pseudonyms are not taken back")
	}
}

func TestDetectorsGetWhatTheyDeclareAndNoMore(t *testing.T) {
	in := district(t)
	windows := record(t, in, sdk.Description{Scope: sdk.ScopeUsagePoint, Features: []sdk.Feature{sdk.NightKW, sdk.EnergyKWh}, Quantities: []meter.Quantity{meter.VoltageA, meter.CurrentA}, LookbackDays: 7})
	if len(windows) != 2 || windows[0].Curves != nil || len(windows[1].Curves) != 30 {
		t.Fatalf("%d windows", len(windows))
	}
	w := windows[1]
	if !slices.Equal(w.FeatureNames(), []sdk.Feature{sdk.EnergyKWh, sdk.NightKW}) {
		t.Errorf("features %v", w.FeatureNames())
	}
	if w.Days != 7 || w.FirstDay != sdk.Date(lastDay-6) || len(w.TemperatureC) != 7 || math.Abs(float64(w.TemperatureC[0])-13.479) > 0.01 || len(w.Holiday) != 7 {
		t.Errorf("days %d from %s, weather %v", w.Days, w.FirstDay, w.TemperatureC)
	}
	for _, c := range w.Curves {
		if len(c.Columns) != 1 || len(c.Columns[meter.VoltageA]) != 7*96 || c.Columns[meter.VoltageA][50] != 230 || !c.Good[50] {
			t.Fatalf("columns %d", len(c.Columns))
		}
	}
}

func TestMinimumQualityIsHonoured(t *testing.T) {
	in := district(t)
	store := in.Curves.(*memory)
	day := store.days["MTR-00001"][firstDay+2]
	day.Quality = slices.Clone(day.Quality)
	day.Quality[10], day.Quality[11] = meter.Uncertain, meter.Bad
	day.Flag(12, meter.Edited)
	store.days["MTR-00001"][firstDay+2] = day
	f := store.features["MTR-00001"][firstDay+2]
	f[columnOf(sdk.EstimatedShare)] = 1.0 / 96
	store.features["MTR-00001"][firstDay+2] = f
	at := 2*96 + 10
	for quality, want := range map[meter.Quality][3]bool{ // feature, uncertain, bad interval
		meter.Good: {false, false, false}, meter.Uncertain: {true, true, false}, meter.Bad: {true, true, true},
	} {
		windows := record(t, in, sdk.Description{Scope: sdk.ScopeUsagePoint, Quantities: []meter.Quantity{meter.ActivePower, meter.VoltageA}, MinimumQuality: quality})
		energy := windows[0].Feature(sdk.EnergyKWh, 1)
		for _, q := range []meter.Quantity{meter.ActivePower, meter.VoltageA} {
			column := windows[1].Curves[1].Columns[q]
			got := [3]bool{energy[2] == energy[2], column[at] == column[at], column[at+1] == column[at+1]}
			if got != want {
				t.Errorf("%s of %s: feature, uncertain and bad interval there: %v; want %v", q, quality, got, want)
			}
		}
		if column := windows[1].Curves[1].Columns[meter.ActivePower]; quality == meter.Good == (column[at+2] == column[at+2]) {
			t.Errorf("%s: the edited interval is %v", quality, column[at+2])
		}
		if windows[1].Curves[1].Good[at] || windows[1].Curves[1].Good[at+2] || !windows[1].Curves[1].Good[at+3] {
			t.Errorf("%s: intervals are marked good that are not, or the reverse", quality)
		}
		if share := windows[0].Feature(sdk.EstimatedShare, 1)[2]; share == 0 || share != share {
			t.Errorf("%s: estimated share %v", quality, share)
		}
	}
}

func TestAreasHoldTheTransformerFirst(t *testing.T) {
	windows := record(t, district(t), sdk.Description{Scope: sdk.ScopeTransformerArea})
	if len(windows) != 4 {
		t.Fatalf("%d windows for two areas with their curves", len(windows))
	}
	east, west := windows[0], windows[2]
	if len(east.Subjects) != 21 || len(west.Subjects) != 11 {
		t.Errorf("%d and %d subjects", len(east.Subjects), len(west.Subjects))
	}
	head := &east.Subjects[0]
	if head.Kind != sdk.Transformer || !head.HasMeter || head.Number(sdk.AttrRatedKVA) != 100 || head.Number(sdk.AttrStreetLightKW) != 2 || head.Text(sdk.AttrCooling) != "ONAN" {
		t.Errorf("transformer %+v", head)
	}
	if west.Subjects[0].HasMeter || east.Feature(sdk.EnergyKWh, 0)[0] != 26*24 {
		t.Errorf("transformer's own load %v", east.Feature(sdk.EnergyKWh, 0))
	}
	for _, s := range east.Subjects[1:] {
		if s.Kind != sdk.UsagePoint || s.Text(sdk.AttrTransformer) != head.ID || s.Number(sdk.AttrTransformerUPs) != 20 || s.Number(sdk.AttrPeerCount) != 29 {
			t.Errorf("usage point %+v", s)
		}
	}
}

func TestABatchHoldsNoMoreThanItsShare(t *testing.T) {
	in := district(t)
	plan, err := NewPlan(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	runner, err := NewRunner(context.Background(), in, plan)
	if err != nil {
		t.Fatal(err)
	}
	b, err := runner.load(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 40 { // the same points over and over, for their number
		b.roster.points = append(b.roster.points, b.roster.points[:30]...)
	}
	b.frame.days.first -= 3000 // only its length is looked at here
	d := sdk.Description{Scope: sdk.ScopeUsagePoint}
	plans := b.batches(&d)
	members := 0
	for _, p := range plans {
		members += len(p.members)
		if len(p.members) > windowValues/(24*3020)+1 {
			t.Errorf("%d subjects in one window", len(p.members))
		}
	}
	if members != len(b.roster.points) {
		t.Errorf("%d of %d points are in a window", members, len(b.roster.points))
	}
	d.Scope = sdk.ScopeFleet
	if plans := b.batches(&d); len(plans) != 1 {
		t.Errorf("the fleet comes in %d windows", len(plans))
	}
}

// doubter is what topology will be: it measures an attribute for the others.
type doubter struct{}

func (doubter) Describe() sdk.Description {
	return sdk.Description{Name: "topology", Version: "1.0.0", Scope: sdk.ScopeTransformerArea, Provides: []string{sdk.AttrMappingDoubt}}
}

func (doubter) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	for i := range w.Subjects[1:] {
		out.Measure(w.Subjects[i+1].ID, sdk.AttrMappingDoubt, 0.75)
	}
	return nil
}

func TestProvidedAttributesReachThoseAfter(t *testing.T) {
	in := district(t)
	r := newRecorder(sdk.Description{Name: "aardvark", Scope: sdk.ScopeUsagePoint}) // first by name, yet after topology
	mustRun(t, in, Local(r), Local(doubter{}))
	for _, w := range *r.windows {
		for i := range w.Subjects {
			if got := w.Subjects[i].Number(sdk.AttrMappingDoubt); got != 0.75 {
				t.Fatalf("doubt %v", got)
			}
		}
	}
}

// accuser scores every member of an area high.
type accuser struct{}

func (accuser) Describe() sdk.Description {
	return sdk.Description{Name: "accuser", Version: "1.0.0", Scope: sdk.ScopeTransformerArea}
}

func (accuser) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	for i := range w.Subjects[1:] {
		out.Score(w.Subjects[i+1].ID, 0.9)
	}
	return nil
}

func TestMappingDoubtLowersWhatAreasAccuse(t *testing.T) {
	in := district(t)
	sure := mustRun(t, in, Local(accuser{})).UsagePoints[0].Risk
	doubtful := mustRun(t, in, Local(accuser{}), Local(doubter{})).UsagePoints[0].Risk
	if math.Abs(sure-0.9) > 1e-9 || doubtful >= 0.2 {
		t.Errorf("risk %v without doubt, %v with it", sure, doubtful)
	}
}

func TestAUsagePointThatMovedFollowsItsRecords(t *testing.T) {
	in := district(t)
	store := in.Curves.(*memory)
	records := grid.Records{Transformers: in.Network.Transformers, Customers: in.Network.Customers}
	midnight := func(d curve.Date) time.Time { return d.Start(time.UTC) }
	records.UsagePoints = []grid.UsagePoint{
		// Another customer lived here for five days, then the meter was
		// exchanged, then the point was found to hang on the other transformer.
		{ID: "UP-X", MeterID: "M-1", CustomerID: "Zhang-Wei-01", TransformerID: "TX-EAST-1", ValidTo: midnight(firstDay + 5)},
		{ID: "UP-X", MeterID: "M-1", CustomerID: "Zhang-Wei-02", TransformerID: "TX-EAST-1", ValidFrom: midnight(firstDay + 5), ValidTo: midnight(firstDay + 10)},
		{ID: "UP-X", MeterID: "M-2", CustomerID: "Zhang-Wei-02", TransformerID: "TX-WEST-2", ValidFrom: midnight(firstDay + 10)},
		{ID: "UP-PAST", MeterID: "M-3", CustomerID: "Zhang-Wei-03", TransformerID: "TX-EAST-1", ValidTo: midnight(firstDay)},
		{ID: "UP-FUTURE", MeterID: "M-4", CustomerID: "Zhang-Wei-04", TransformerID: "TX-EAST-1", ValidFrom: midnight(lastDay + 1)},
	}
	for d := firstDay; d <= lastDay; d++ {
		for i, id := range []string{"M-1", "M-2", "M-3", "M-4"} {
			store.put(t, id, d, time.UTC, func(int) float64 { return float64(i + 1) })
		}
	}
	in.Network = grid.NewNetwork(records)

	// pattern says for each day whose load is there: the meter's number or "-".
	pattern := func(values []float32) string {
		var out strings.Builder
		for _, v := range values {
			if v != v {
				out.WriteByte('-')
			} else {
				out.WriteByte('0' + byte(v/24))
			}
		}
		return out.String()
	}
	windows := record(t, in, sdk.Description{Scope: sdk.ScopeUsagePoint, Quantities: []meter.Quantity{meter.ActivePower}})
	if len(windows[0].Subjects) != 1 {
		t.Fatalf("%d usage points take part; one is assigned in the run", len(windows[0].Subjects))
	}
	if got := pattern(windows[0].Feature(sdk.EnergyKWh, 0)); got != "-----111112222222222" {
		t.Errorf("the point's own days are %s", got)
	}
	column := windows[1].Curves[0].Columns[meter.ActivePower]
	if column[0] == column[0] || column[5*96] != 1 || column[10*96] != 2 {
		t.Errorf("raw curve %v, %v, %v", column[0], column[5*96], column[10*96])
	}
	windows = record(t, in, sdk.Description{Scope: sdk.ScopeTransformerArea})
	if east := pattern(windows[0].Feature(sdk.EnergyKWh, 1)); east != "1111111111----------" {
		t.Errorf("behind its former transformer: %s", east)
	}
	if west := pattern(windows[2].Feature(sdk.EnergyKWh, 1)); west != "----------2222222222" {
		t.Errorf("behind its present transformer: %s", west)
	}
	r := mustRun(t, in, Local(accuser{}))
	if len(r.UsagePoints) != 1 || r.UsagePoints[0].MeterID != "M-2" || r.UsagePoints[0].TransformerID != "TX-WEST-2" || r.UsagePoints[0].GoodShare != 1 {
		t.Errorf("assessment %s", asJSON(t, r.UsagePoints))
	}
}
