package detect

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// digester is a detector whose every number hangs on every value that it was
// given about a subject, or about all in the window: nothing that a part shows
// differently goes unnoticed.
type digester struct {
	name     string
	scope    sdk.Scope
	provides []string
}

func (d digester) Describe() sdk.Description {
	return sdk.Description{
		Name: d.name, Version: "1.0.0", Scope: d.scope, Provides: d.provides, MinimumQuality: meter.Uncertain,
		Features: []sdk.Feature{sdk.EnergyKWh, sdk.NightKW, sdk.GoodShare}, Quantities: []meter.Quantity{meter.ActivePower},
	}
}

func (d digester) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	whole := sha256.New()
	for i := range w.Subjects {
		own := shown(w, i)
		whole.Write(own[:])
	}
	sum := whole.Sum(nil)
	for i := range w.Subjects {
		s := &w.Subjects[i]
		own := shown(w, i)
		if d.scope != sdk.ScopeUsagePoint {
			for k := range own {
				own[k] ^= sum[k]
			}
		}
		p := float64(binary.LittleEndian.Uint32(own[:])%1000) / 1000
		for k, name := range d.provides {
			out.Measure(s.ID, name, float64(own[8+k])/255)
		}
		switch {
		case s.Kind == sdk.Transformer:
			out.Measure(s.ID, sdk.MetricLossPct, 100*p)
			if own[4]%2 == 0 && len(w.Subjects) > 1 {
				out.Add(sdk.Finding{Subject: s.ID, Kind: sdk.Transformer, Reason: "energy_missing", Probability: p,
					Verdicts: []string{sdk.VerdictTheft}, Suspects: []sdk.Suspect{{Subject: w.Subjects[1].ID, Probability: p}}})
			}
		case own[5]%4 == 0 && w.Curves == nil:
			out.RequestCurves(s.ID)
			out.Score(s.ID, p)
		case own[6]%3 == 0:
			out.Add(sdk.Finding{Subject: s.ID, Kind: sdk.UsagePoint, Reason: "flat_load", Probability: p, ExcessKWhMonth: 1000 * p,
				Evidence: []sdk.Evidence{{Code: "step", Text: "it rose", Value: p}}})
		default:
			out.Score(s.ID, p)
		}
	}
	return nil
}

// declaring is a digester that declares what it needs.
type declaring struct {
	digester
	attributes, onlyWith []string
	events               bool
}

func (d declaring) Describe() sdk.Description {
	out := d.digester.Describe()
	out.Attributes, out.OnlyWith, out.Events = d.attributes, d.onlyWith, d.events
	return out
}

// shown is a hash of what a window shows of a subject.
func shown(w *sdk.Window, i int) [32]byte {
	h := sha256.New()
	s := &w.Subjects[i]
	fmt.Fprintln(h, s.ID, s.Kind, s.HasMeter)
	for _, name := range slices.Sorted(maps.Keys(s.Numbers)) {
		fmt.Fprintln(h, name, math.Float64bits(s.Numbers[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Texts)) {
		fmt.Fprintln(h, name, s.Texts[name])
	}
	for _, f := range w.FeatureNames() {
		fmt.Fprintln(h, f, w.Feature(f, i))
	}
	fmt.Fprintln(h, s.Events)
	if w.Curves != nil {
		fmt.Fprintln(h, w.Curves[i].Columns[meter.ActivePower], w.Curves[i].Good)
	}
	return [32]byte(h.Sum(nil))
}

const partDays = 8

// movingDistrict draws a network whose points move between transformers,
// change customers and meters, with load that is nobody else's.
func movingDistrict(t *rapid.T) Input {
	store := newMemory()
	var records grid.Records
	transformers := rapid.IntRange(1, 5).Draw(t, "transformers")
	for i := range transformers {
		tx := grid.PowerTransformer{ID: fmt.Sprintf("TX-%d", i), RatedKVA: float64(50 + 10*i)}
		if rapid.Bool().Draw(t, "metered") {
			tx.MeterID = fmt.Sprintf("TM-%d", i)
		}
		records.Transformers = append(records.Transformers, tx)
	}
	fill := func(id string, seed int) {
		for d := firstDay; d < firstDay+partDays; d++ {
			if (seed+int(d))%7 == 0 {
				continue // a day that is not there
			}
			var f curve.Features
			for c := range f {
				f[c] = float32((seed*31+int(d-firstDay)*7+c*3)%97) / 7
			}
			f[columnOf(sdk.GoodShare)], f[columnOf(sdk.EstimatedShare)] = 1, 0
			day := curve.Day{MeterID: id, Date: d, Start: d.Start(time.UTC), Interval: time.Hour}
			for h := range 24 {
				day.EnergyKWh = append(day.EnergyKWh, float64((seed+h*int(d))%13))
				day.Quality = append(day.Quality, meter.Quality(2-(seed+h)%2))
			}
			_ = store.PutDays(context.Background(), []curve.Day{day}, []curve.Features{f})
		}
	}
	for i, tx := range records.Transformers {
		if tx.MeterID != "" {
			fill(tx.MeterID, 1000+i)
		}
	}
	for i := range rapid.IntRange(0, 12).Draw(t, "points") {
		customer := fmt.Sprintf("C-%d", i)
		records.Customers = append(records.Customers, grid.Customer{ID: customer, Category: grid.Residential, DeclaredUse: []string{"", "dwelling", "shop"}[i%3], ContractedKVA: 8})
		from := time.Time{}
		stays := rapid.IntRange(1, 3).Draw(t, "stays")
		for k := range stays {
			at := rapid.IntRange(0, transformers).Draw(t, "behind") // one more than there are: in no area
			u := grid.UsagePoint{ID: fmt.Sprintf("UP-%02d", i), MeterID: fmt.Sprintf("M-%02d-%d", i, k), CustomerID: customer, TransformerID: fmt.Sprintf("TX-%d", at), ValidFrom: from}
			if k+1 < stays {
				from = (firstDay + curve.Date(2*k+rapid.IntRange(1, 2).Draw(t, "days"))).Start(time.UTC)
				u.ValidTo = from
			}
			records.UsagePoints = append(records.UsagePoints, u)
			fill(u.MeterID, 10*i+k)
			for n := range rapid.IntRange(0, 2).Draw(t, "events") {
				at := firstDay.Start(time.UTC).Add(time.Duration(rapid.IntRange(-10, 24*partDays+10).Draw(t, "hour")) * time.Hour)
				records.MeterEvents = append(records.MeterEvents, grid.MeterEvent{MeterID: u.MeterID, Time: at, Code: string(sdk.EventCodes()[n])})
			}
		}
	}
	return Input{
		Network: grid.NewNetwork(records), Curves: store, First: firstDay, Last: firstDay + partDays - 1, Location: time.UTC, Prior: 0.01,
		PseudonymKey: []byte("the installation's secret"), Now: func() time.Time { return time.Unix(1_800_000_000, 0) },
		Evaluators: []Evaluator{
			Local(digester{"points", sdk.ScopeUsagePoint, nil}), Local(digester{"areas", sdk.ScopeTransformerArea, nil}), Local(digester{"fleet", sdk.ScopeFleet, nil}),
			Local(digester{"mapping", sdk.ScopeTransformerArea, []string{sdk.AttrMappingDoubt}}), Local(digester{"habits", sdk.ScopeUsagePoint, []string{"own_doubt"}}),
			Local(digester{"seasons", sdk.ScopeFleet, []string{"fleet_doubt"}}),
			Local(declaring{digester{"declared", sdk.ScopeUsagePoint, []string{"use_doubt"}}, []string{}, []string{sdk.AttrDeclaredUse}, true}),
			Local(declaring{digester{"doubted", sdk.ScopeFleet, nil}, nil, []string{"fleet_doubt"}, false}),
		},
	}
}

// fataler is what *testing.T and *rapid.T have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

func planned(t fataler, in Input, size int) *Plan {
	t.Helper()
	p, err := newPlan(context.Background(), in, size)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func merged(t fataler, in Input, plan *Plan, parts []*Part) string {
	t.Helper()
	r, err := Merge(in, plan, parts)
	if err != nil {
		t.Fatal(err)
	}
	return text(t, r)
}

func text(t fataler, r *Result) string {
	t.Helper()
	var out strings.Builder
	if len(r.Failed) > 0 {
		t.Fatal(r.Failed)
	}
	for _, v := range []any{r.RunID, r.DataVersion, r.UsagePoints, r.Transformers} {
		fmt.Fprintf(&out, "%+v\n", v)
	}
	return out.String()
}

// However a run is divided, whoever runs its parts, in whatever order and
// however often, the result is the same.
func TestPartsMakeTheWhole(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		in := movingDistrict(t)
		plan := planned(t, in, rapid.IntRange(1, 30).Draw(t, "size"))
		whole, err := runParts(ctx, in, plan)
		if err != nil {
			t.Fatal(err)
		}
		want := merged(t, in, plan, whole)

		// Other hosts, other orders, some parts twice, all of it as bytes.
		raw, err := plan.Encode()
		if err != nil {
			t.Fatal(err)
		}
		hosts := []*Worker{NewWorker(func() Input { return in }), NewWorker(func() Input { return in })}
		var parts []*Part
		order := rapid.Permutation(slices.Repeat(slices.Collect(numbers(plan.Parts())), 2)).Draw(t, "order")
		for _, i := range order {
			data, err := hosts[rapid.IntRange(0, 1).Draw(t, "host")].Do(ctx, raw, i)
			if err != nil {
				t.Fatal(err)
			}
			part, err := DecodePart(data)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, part)
		}
		for _, h := range hosts {
			h.Close()
		}
		if again := plan.Again(parts); again != nil {
			t.Fatal("to be run again without a failure")
		}
		if got := merged(t, in, plan, parts); got != want {
			t.Fatalf("by others in another order:\n%s\nhere in one go:\n%s", got, want)
		}

		// Another division has another data version and nothing else.
		other := planned(t, in, 1000)
		rest, err := runParts(ctx, in, other)
		if err != nil {
			t.Fatal(err)
		}
		one, err := Merge(in, plan, whole)
		if err != nil {
			t.Fatal(err)
		}
		two, err := Merge(in, other, rest)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*Result{one, two} {
			unversioned(r)
		}
		if a, b := text(t, one), text(t, two); a != b {
			t.Fatalf("in %d parts:\n%s\nin %d:\n%s", plan.Parts(), a, other.Parts(), b)
		}
	})
}

func numbers(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func unversioned(r *Result) {
	r.RunID, r.DataVersion = "", ""
	for i := range r.UsagePoints {
		for k := range r.UsagePoints[i].Findings {
			r.UsagePoints[i].Findings[k].Stamp.DataVersion = ""
		}
	}
	for i := range r.Transformers {
		for k := range r.Transformers[i].Findings {
			r.Transformers[i].Findings[k].Stamp.DataVersion = ""
		}
	}
}

func TestPartsAreBalanced(t *testing.T) {
	records := grid.Records{}
	for i := range 400 {
		records.Transformers = append(records.Transformers, grid.PowerTransformer{ID: fmt.Sprintf("TX-%03d", i)})
		for k := range 5 + i%40 {
			records.UsagePoints = append(records.UsagePoints, grid.UsagePoint{ID: fmt.Sprintf("UP-%03d-%02d", i, k), MeterID: fmt.Sprintf("M-%03d-%02d", i, k), TransformerID: fmt.Sprintf("TX-%03d", i)})
		}
	}
	for i := range 300 { // behind no transformer
		records.UsagePoints = append(records.UsagePoints, grid.UsagePoint{ID: fmt.Sprintf("UP-X-%02d", i), MeterID: fmt.Sprintf("M-X-%d", i)})
	}
	in := Input{Network: grid.NewNetwork(records), Curves: newMemory(), First: firstDay, Last: lastDay, Prior: 0.01}
	plan := planned(t, in, 500)
	seen := make(map[string]bool)
	for i, s := range plan.Shares {
		n := len(s.Points) + len(s.Transformers)
		if n > 600 || n < 400 && i < len(plan.Shares)-1 {
			t.Errorf("part %d holds %d points and %d transformers", i, len(s.Points), len(s.Transformers))
		}
		for _, id := range slices.Concat(s.Points, s.Transformers) {
			if seen[id] {
				t.Fatalf("%s is in two parts", id)
			}
			seen[id] = true
		}
	}
	if len(seen) != len(records.UsagePoints)+len(records.Transformers) {
		t.Errorf("%d of %d are in a part", len(seen), len(records.UsagePoints)+len(records.Transformers))
	}
}

func TestAPartIsRunOnTheRecordsOfThePlanOnly(t *testing.T) {
	in := district(t)
	in.Evaluators = []Evaluator{Local(stepper{})}
	plan := planned(t, in, 10)
	changed := in
	points := slices.Clone(in.Network.UsagePoints)
	points[4].TransformerID = "TX-WEST-2"
	changed.Network = grid.NewNetwork(grid.Records{Transformers: in.Network.Transformers, Customers: in.Network.Customers, UsagePoints: points, Weather: in.Network.Weather, Calendar: in.Network.Calendar, Unmetered: in.Network.Unmetered})
	if _, err := RunPart(context.Background(), changed, plan, 0); err == nil || !strings.Contains(err.Error(), "records of this host differ") {
		t.Errorf("other records: %v", err)
	}
	changed = in
	changed.Evaluators = []Evaluator{Local(stepper{}), Local(balance{})}
	if _, err := RunPart(context.Background(), changed, plan, 0); err == nil || !strings.Contains(err.Error(), "give all hosts the same") {
		t.Errorf("other detectors: %v", err)
	}
	changed = in
	changed.Last--
	if _, err := RunPart(context.Background(), changed, plan, 0); err == nil {
		t.Error("another span: run")
	}
	for _, part := range []int{-1, plan.Parts()} {
		if _, err := RunPart(context.Background(), in, plan, part); err == nil {
			t.Errorf("part %d of %d: run", part, plan.Parts())
		}
	}
	if _, err := Merge(in, plan, nil); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("nothing merged: %v", err)
	}
}

// A detector that fails in one part has failed in the run, whatever it said in
// the others; one that measures for the others is left out of all parts.
func TestAFailureInOnePartIsOneOfTheRun(t *testing.T) {
	in := district(t)
	fails := says{"fails", sdk.ScopeTransformerArea, func(w *sdk.Window, out *sdk.Report) {
		if !w.Subjects[0].HasMeter {
			panic("no such feeder")
		}
		for i := range w.Subjects[1:] {
			out.Score(w.Subjects[i+1].ID, 0.9)
		}
	}}
	in.Evaluators = []Evaluator{Local(fails), Local(stepper{})}
	plan := planned(t, in, 12)
	parts, err := runParts(context.Background(), in, plan)
	if err != nil {
		t.Fatal(err)
	}
	if len(parts) < 2 || plan.Again(parts) != nil {
		t.Fatalf("%d parts", len(parts))
	}
	r, err := Merge(in, plan, parts)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Failed) != 1 || !strings.Contains(r.Failed[0].Error, "no such feeder") || r.UsagePoints[0].UsagePointID != "UP-0007" || r.UsagePoints[1].Risk > 0.01 {
		t.Errorf("failed %+v, then %s with %v", r.Failed, r.UsagePoints[1].UsagePointID, r.UsagePoints[1].Risk)
	}

	in.Evaluators = []Evaluator{Local(failingDoubter{}), Local(accuser{})}
	plan = planned(t, in, 12)
	if parts, err = runParts(context.Background(), in, plan); err != nil {
		t.Fatal(err)
	}
	again := plan.Again(parts)
	if again == nil {
		t.Fatal("the doubts of some parts stand")
	}
	if parts, err = runParts(context.Background(), in, again); err != nil {
		t.Fatal(err)
	}
	if again.Again(parts) != nil {
		t.Error("and again")
	}
	if r, err = Merge(in, again, parts); err != nil {
		t.Fatal(err)
	}
	for _, a := range r.UsagePoints {
		if a.Risk < 0.89 {
			t.Errorf("%s is doubted: %v", a.UsagePointID, a.Risk)
		}
	}
	if len(r.Failed) != 1 || r.Failed[0].Detector != "topology" {
		t.Errorf("failed %+v", r.Failed)
	}
}

// failingDoubter doubts everybody behind a metered transformer, and fails on
// the other.
type failingDoubter struct{ doubter }

func (d failingDoubter) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	if !w.Subjects[0].HasMeter {
		panic("no such feeder")
	}
	return d.doubter.Evaluate(ctx, w, out)
}
