package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

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
	if err := sameJudged(one, two); err != nil {
		return fmt.Errorf("the same window judged twice: %w", err)
	}
	return nil
}

// orderOfWindows has the same windows judged forwards and backwards.
func orderOfWindows(d sdk.Detector) error {
	var scenes []Scene
	for i := range 4 {
		s := scene(d.Describe(), points(5+3*i))
		s.Days = 40 - 9*i
		scenes = append(scenes, s)
	}
	forwards := make([]judged, len(scenes))
	for i, s := range scenes {
		var err error
		if forwards[i], err = judge(d, s); err != nil {
			return err
		}
	}
	for i, s := range slices.Backward(scenes) {
		backwards, err := judge(d, s)
		if err != nil {
			return err
		}
		if err := sameJudged(forwards[i], backwards); err != nil {
			return fmt.Errorf("a window judged after others and before them: %w; keep nothing from one window for another", err)
		}
	}
	return nil
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
				err = sameJudged(want, got)
			}
			errs[i] = err
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// about is what a judgement says of one subject.
type about struct {
	Score    float64
	Scored   bool
	Findings []sdk.Finding
	Measures map[string]float64
	Asked    bool
}

func (j judged) about(subject string) []about {
	var out []about
	for _, r := range j.reports() {
		var a about
		a.Score, a.Scored = r.Scores()[subject]
		a.Measures, a.Asked = r.Measures()[subject], slices.Contains(r.Requests(), subject)
		for _, f := range r.Findings() {
			if f.Subject == subject {
				a.Findings = append(a.Findings, f)
			}
		}
		out = append(out, a)
	}
	// A second report about others says nothing of this subject.
	if last := out[len(out)-1]; len(out) == 2 && reflect.DeepEqual(last, about{}) {
		out = out[:1]
	}
	return out
}

func batches(d sdk.Detector) error {
	if d.Describe().Scope != sdk.ScopeUsagePoint {
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
		if want, got := whole.about(m.Subject.ID), alone.about(m.Subject.ID); !reflect.DeepEqual(want, got) {
			return fmt.Errorf("subject %s is judged %+v among others and %+v alone; usage points are judged each by itself", m.Subject.ID, want, got)
		}
	}
	return nil
}

// orderOfSubjects turns the subjects of a window round.
func orderOfSubjects(d sdk.Detector) error {
	if d.Describe().Scope != sdk.ScopeUsagePoint {
		return nil // sums over an area or a fleet round differently in another order
	}
	members := points(20)
	there, err := judge(d, Scene{Members: members, Days: 40})
	if err != nil {
		return err
	}
	slices.Reverse(members)
	back, err := judge(d, Scene{Members: members, Days: 40})
	if err != nil {
		return err
	}
	for _, m := range members {
		if want, got := there.about(m.Subject.ID), back.about(m.Subject.ID); !reflect.DeepEqual(want, got) {
			return fmt.Errorf("subject %s is judged %+v in one order of subjects and %+v in another; usage points are judged each by itself", m.Subject.ID, want, got)
		}
	}
	return nil
}

// onlyDeclared offers features, attributes, quantities and events beyond what
// was declared. A host sends none of them: what is found with their help is
// found in tests alone.
func onlyDeclared(d sdk.Detector) error {
	description := d.Describe()
	more := description
	more.Features, more.Attributes, more.Events = nil, nil, true
	if !slices.Contains(more.Quantities, meter.ActivePower) {
		more.Quantities = append(slices.Clone(more.Quantities), meter.ActivePower)
	}
	members := points(12)
	for i := range members {
		s := &members[i].Subject
		s.Numbers[sdk.AttrListedIP], s.Numbers[sdk.AttrMappingDoubt], s.Numbers[sdk.AttrBillBilled] = 1, 0.9, 1000
		s.Events = []sdk.Event{{Day: 20_001, Code: sdk.EventCoverOpened}}
	}
	s := scene(description, members)
	for _, curves := range []bool{false, true} {
		want, err := sdk.Judge(context.Background(), d, s.Window(description, curves))
		if err != nil {
			return err
		}
		got, err := sdk.Judge(context.Background(), d, s.Window(more, curves))
		if err != nil {
			return fmt.Errorf("a window with more than was declared: %w", err)
		}
		if err := same(want, got); err != nil {
			return fmt.Errorf("with features, attributes, quantities or events that were not declared: %w; declare what is used, no host sends the rest", err)
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
	out := fmt.Sprintf("%v %v %v %v %v %v %v %v", w.ID, w.Scope, w.Prior, w.Subjects, w.TemperatureC, w.Holiday, w.Curves, w.FirstDay)
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
	for _, curves := range []bool{false, true} {
		w := scene(description, points(25)).Window(description, curves)
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
