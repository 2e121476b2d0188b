package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Conform runs every check as a subtest. The detector is used as it comes: it
// must work without configuration.
func Conform(t *testing.T, d sdk.Detector) {
	t.Helper()
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.Run(d); err != nil {
				t.Error(err)
			}
		})
	}
}

// Check is one thing that a host relies on.
type Check struct {
	Name string
	Run  func(sdk.Detector) error
}

// Checks lists the suite.
func Checks() []Check {
	judges := func(s func(sdk.Description) Scene) func(sdk.Detector) error {
		return func(d sdk.Detector) error {
			_, err := judge(d, s(d.Describe()))
			return err
		}
	}
	ordinary := func(n int) func(sdk.Description) Scene {
		return func(d sdk.Description) Scene { return scene(d, points(n)) }
	}
	return []Check{
		{"description", description},
		{"empty window", judges(func(sdk.Description) Scene { return Scene{} })},
		{"one subject", judges(ordinary(1))},
		{"one day", judges(func(d sdk.Description) Scene { s := scene(d, points(3)); s.Days = 1; return s })},
		{"many subjects", judges(ordinary(120))},
		{"missing data", judges(func(d sdk.Description) Scene {
			members := points(12)
			for i := range members {
				members[i].Load = Gaps(uint64(i), 0.1*float64(i), members[i].Load)
			}
			return scene(d, members)
		})},
		{"no data", noData},
		{"no attributes", judges(func(d sdk.Description) Scene { s := scene(d, points(12)); s.Bare = true; return s })},
		{"clock changes", judges(func(d sdk.Description) Scene { s := scene(d, points(12)); s.Clock = true; return s })},
		{"impossible values", judges(impossible)},
		{"deterministic", deterministic},
		{"safe for concurrent use", concurrent},
		{"batches do not matter", batches},
		{"window left alone", leftAlone},
		{"ends when cancelled", cancelled},
		{"survives the wire", wire},
		{"configuration", configuration},
	}
}

// scene makes a scene of the detector's scope: an area gets its transformer.
func scene(d sdk.Description, members []Member) Scene {
	if d.Scope == sdk.ScopeTransformerArea {
		members = append([]Member{Area("t-area", 250, Sum(members))}, members...)
	}
	return Scene{Members: members, Days: 40}
}

// judged is what came of a scene.
type judged struct{ first, second *sdk.Report }

// judge has a scene judged, with the curves that the detector asks for.
func judge(d sdk.Detector, s Scene) (judged, error) {
	description := d.Describe()
	report, err := sdk.Judge(context.Background(), d, s.Window(description, false))
	if err != nil || len(report.Requests()) == 0 {
		return judged{first: report}, err
	}
	second, err := sdk.Judge(context.Background(), d, s.asked(report.Requests()).Window(description, true))
	if err != nil {
		return judged{}, fmt.Errorf("the window with the curves that it asked for: %w", err)
	}
	return judged{report, second}, nil
}

// asked keeps the members whose curves were asked for.
func (s Scene) asked(subjects []string) Scene {
	wanted := make(map[string]bool)
	for _, id := range subjects {
		wanted[id] = true
	}
	all := s.Members
	s.Members = nil
	for _, m := range all {
		if wanted[m.Subject.ID] {
			s.Members = append(s.Members, m)
		}
	}
	return s
}

func description(d sdk.Detector) error {
	one, two := d.Describe(), d.Describe()
	if !reflect.DeepEqual(one, two) {
		return errors.New("Describe gives different values; it must always give the same")
	}
	if len(one.ConfigSchema) > 0 && !json.Valid(one.ConfigSchema) {
		return errors.New("ConfigSchema is not JSON")
	}
	return one.Check()
}

func noData(d sdk.Detector) error {
	members := points(6)
	for i := range members {
		members[i].Load = Nothing()
	}
	s := scene(d.Describe(), members)
	if len(s.Members) > len(members) {
		s.Members[0].Load = Nothing()
	}
	got, err := judge(d, s)
	if err != nil {
		return err
	}
	for _, r := range []*sdk.Report{got.first, got.second} {
		if r != nil && len(r.Findings()) > 0 {
			return fmt.Errorf("finding %q where no meter reported; without data there is nothing to find", r.Findings()[0].Reason)
		}
	}
	return nil
}

func impossible(d sdk.Description) Scene {
	members := points(6)
	for i, load := range []Load{
		Flat(0), Flat(1e6), Flat(1e-9), Flat(-3),
		func(_, q int) float64 { return float64(q%2) * 1e5 },
		func(day, _ int) float64 { return math.Pow(2, float64(day)) },
	} {
		members[i].Load = load
	}
	return scene(d, members)
}

func deterministic(d sdk.Detector) error {
	s := scene(d.Describe(), points(25))
	one, err := judge(d, s)
	if err != nil {
		return err
	}
	two, err := judge(d, s)
	if err != nil {
		return err
	}
	if err := same(one.first, two.first); err != nil {
		return fmt.Errorf("the same window judged twice: %w", err)
	}
	return same(one.second, two.second)
}

func concurrent(d sdk.Detector) error {
	s := scene(d.Describe(), points(25))
	want, err := judge(d, s)
	if err != nil {
		return err
	}
	errs := make([]error, 8)
	var wait sync.WaitGroup
	for i := range errs {
		wait.Go(func() {
			got, err := judge(d, s)
			if err == nil {
				err = same(want.first, got.first)
			}
			errs[i] = err
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

func batches(d sdk.Detector) error {
	description := d.Describe()
	if description.Scope != sdk.ScopeUsagePoint {
		return nil // an area or a fleet is judged as a whole
	}
	members := points(20)
	whole, err := judge(d, Scene{Members: members, Days: 40})
	if err != nil {
		return err
	}
	for i, m := range members {
		alone, err := judge(d, Scene{Members: members[i : i+1], Days: 40})
		if err != nil {
			return err
		}
		want, scored := whole.first.Scores()[m.Subject.ID]
		got, scoredAlone := alone.first.Scores()[m.Subject.ID]
		if scored != scoredAlone || want != got {
			return fmt.Errorf("subject %s has the score %v among others and %v alone; usage points are judged each by itself", m.Subject.ID, want, got)
		}
	}
	return nil
}

func leftAlone(d sdk.Detector) error {
	s := scene(d.Describe(), points(12))
	for _, curves := range []bool{false, true} {
		before, after := s.Window(d.Describe(), curves), s.Window(d.Describe(), curves)
		if _, err := sdk.Judge(context.Background(), d, after); err != nil {
			return err
		}
		if fingerprint(before) != fingerprint(after) {
			return errors.New("the detector changed the window; its slices and maps are read-only")
		}
	}
	return nil
}

// fingerprint is a window in full, NaN included.
func fingerprint(w *sdk.Window) string {
	out := fmt.Sprintf("%v %v %v %v %v", w.Subjects, w.TemperatureC, w.Holiday, w.Curves, w.FirstDay)
	for _, f := range w.FeatureNames() {
		out += fmt.Sprint(f, w.Column(f))
	}
	return out
}

// cancelPatience is how long a detector may go on after it was cancelled.
const cancelPatience = 3 * time.Second

func cancelled(d sdk.Detector) error {
	w := scene(d.Describe(), points(60)).Window(d.Describe(), false)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	began, done := make(chan struct{}), make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		defer close(done)
		_, _ = sdk.Judge(ctx, announcing{d, began}, w) // an error is in order here, and so is a report
	})
	<-began
	cancel()
	timer := time.NewTimer(cancelPatience)
	defer timer.Stop()
	select {
	case <-done:
		wait.Wait()
		return nil
	case <-timer.C:
		return fmt.Errorf("Evaluate goes on %s after its context was cancelled; look at ctx.Err() in the loop over subjects", cancelPatience)
	}
}

// announcing says when Evaluate has begun.
type announcing struct {
	sdk.Detector
	began chan struct{}
}

func (a announcing) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	close(a.began)
	return a.Detector.Evaluate(ctx, w, out)
}

func wire(d sdk.Detector) error {
	description := d.Describe()
	w := scene(description, points(25)).Window(description, false)
	var assembler sdk.WindowAssembler
	var over *sdk.Window
	for part := range sdk.WindowParts(w, 64<<10) {
		var err error
		if over, err = assembler.Add(part); err != nil {
			return err
		}
	}
	if over == nil {
		return errors.New("the window did not come over the wire")
	}
	here, err := sdk.Judge(context.Background(), d, w)
	if err != nil {
		return err
	}
	there, err := sdk.Judge(context.Background(), d, over)
	if err != nil {
		return err
	}
	if err := same(here, there); err != nil {
		return fmt.Errorf("the window judged before and after the wire: %w", err)
	}
	return nil
}

func configuration(d sdk.Detector) (err error) {
	configurer, ok := d.(sdk.Configurer)
	if !ok {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("Configure panicked: %v", p)
		}
	}()
	for _, bad := range []string{"", "not JSON", "[1, 2]"} {
		if configurer.Configure([]byte(bad)) == nil {
			return fmt.Errorf("Configure takes %q; what is no JSON object must be refused", bad)
		}
	}
	if err := configurer.Configure([]byte("{}")); err != nil {
		return fmt.Errorf("Configure refuses {}, which leaves all fields at their defaults: %w", err)
	}
	return nil
}

// same compares two reports.
func same(a, b *sdk.Report) error {
	switch {
	case (a == nil) != (b == nil):
		return errors.New("curves are asked for the one time and not the other")
	case a == nil:
		return nil
	case !reflect.DeepEqual(a.Scores(), b.Scores()):
		return errors.New("scores differ")
	case !reflect.DeepEqual(a.Findings(), b.Findings()):
		return errors.New("findings differ, or their order does")
	case !reflect.DeepEqual(a.Measures(), b.Measures()):
		return errors.New("measured values differ")
	case !reflect.DeepEqual(a.Requests(), b.Requests()):
		return errors.New("requests for curves differ")
	}
	return nil
}
