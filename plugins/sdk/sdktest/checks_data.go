package sdktest

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// missing loses more and more of the readings, to the last.
func missing(d sdk.Description) Scene {
	members := points(12)
	for i := range members {
		members[i].Load = Gaps(uint64(i), 0.1*float64(i), members[i].Load)
	}
	return scene(d, members)
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
	for _, r := range got.reports() {
		if len(r.Findings()) > 0 {
			return fmt.Errorf("finding %q where no meter reported; without data there is nothing to find", r.Findings()[0].Reason)
		}
	}
	return nil
}

// strangeAttributes are what records hold that nobody looked at.
func strangeAttributes(d sdk.Description) Scene {
	members := points(10)
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 1e12, 1e-6} {
		for name := range members[i].Subject.Numbers {
			members[i].Subject.Numbers[name] = v
		}
	}
	for name := range members[8].Subject.Texts {
		members[8].Subject.Texts[name] = ""
		members[9].Subject.Texts[name] = "\x00 no such code"
	}
	return scene(d, members)
}

// duplicates has two subjects of one pseudonym. A host sends no such window;
// a detector may refuse it, but must outlive it.
func duplicates(d sdk.Detector) error {
	members := points(6)
	members[3].Subject.ID = members[1].Subject.ID
	_, err := judge(d, scene(d.Describe(), members))
	if err != nil && strings.Contains(err.Error(), "panicked") {
		return fmt.Errorf("two subjects of the same pseudonym: %w", err)
	}
	return nil
}

// clockChanges has days of 92 and 100 quarters, with curves too.
func clockChanges(d sdk.Detector) error {
	s := scene(d.Describe(), points(12))
	s.Clock = true
	if _, err := judge(d, s); err != nil {
		return err
	}
	if _, err := sdk.Judge(context.Background(), d, s.Window(d.Describe(), true)); err != nil {
		return fmt.Errorf("with curves: %w", err)
	}
	return nil
}

// anyInterval has curves of five minutes to one hour.
func anyInterval(d sdk.Detector) error {
	for _, seconds := range []int{300, 900, 1800, 3600} {
		s := scene(d.Describe(), points(6))
		s.IntervalSeconds = seconds
		if _, err := sdk.Judge(context.Background(), d, s.Window(d.Describe(), true)); err != nil {
			return fmt.Errorf("with curves of %d s: %w", seconds, err)
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

// infinite puts into every column what a broken meter may leave there.
func infinite(d sdk.Detector) error {
	broken := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32}
	for _, curves := range []bool{false, true} {
		w := scene(d.Describe(), points(len(broken)+1)).Window(d.Describe(), curves)
		for _, f := range w.FeatureNames() {
			column := w.Column(f)
			for i := range column {
				if subject := i / w.Days; subject < len(broken) || i%7 == 0 {
					column[i] = broken[(subject+i%w.Days/20)%len(broken)]
				}
			}
		}
		for i := range w.Curves {
			for _, column := range w.Curves[i].Columns {
				for at := i; at < len(column); at += 1 + i {
					column[at] = broken[(i+at)%len(broken)]
				}
			}
		}
		if _, err := sdk.Judge(context.Background(), d, w); err != nil {
			return fmt.Errorf("columns that hold NaN, infinities and the largest numbers (curves: %t): %w", curves, err)
		}
	}
	return nil
}

// events are those of a meter that logs too much, out of order, and codes of
// its maker's own. Only a detector that declared events gets any.
func events(d sdk.Detector) error {
	description := d.Describe()
	if !description.Events {
		return nil
	}
	members := points(5)
	codes := append(sdk.EventCodes(), "of_the_maker_77")
	for i := range 600 {
		e := sdk.Event{Day: 20_000 + sdk.Date(i*7%40), Second: int32(i * 7919 % 90001), Code: codes[i%len(codes)]}
		members[1].Subject.Events = append(members[1].Subject.Events, e)
	}
	members[2].Load = Nothing()
	members[2].Subject.Events = []sdk.Event{{Day: 20_000, Code: sdk.EventCoverOpened}, {Day: 20_000, Code: sdk.EventCoverOpened}}
	members[3].Subject.Events = []sdk.Event{{Day: 20_039, Second: 90_000, Code: sdk.EventPowerFailed}}
	s := scene(description, members)
	if _, err := judge(d, s); err != nil {
		return err
	}
	s.Days = 1
	if w := s.Window(description, false); len(w.Subjects) > 0 {
		for i := range w.Subjects {
			w.Subjects[i].Events = w.Subjects[i].Events[:min(1, len(w.Subjects[i].Events))]
		}
		if _, err := sdk.Judge(context.Background(), d, w); err != nil {
			return fmt.Errorf("in a window of one day: %w", err)
		}
	}
	return nil
}
