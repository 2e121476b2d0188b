package sdktest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

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

// Check is one thing that a host relies on. Run gives nil where the detector
// keeps to it, otherwise what is wrong and what would be right.
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
		{"a year", judges(func(d sdk.Description) Scene { s := scene(d, points(2)); s.Days = 366; return s })},
		{"many subjects", judges(ordinary(120))},
		{"many windows", manyWindows},
		{"missing data", judges(missing)},
		{"no data", noData},
		{"no attributes", judges(func(d sdk.Description) Scene { s := scene(d, points(12)); s.Bare = true; return s })},
		{"strange attributes", judges(strangeAttributes)},
		{"duplicate subjects", duplicates},
		{"clock changes", clockChanges},
		{"curves of any interval", anyInterval},
		{"impossible values", judges(impossible)},
		{"infinite values", infinite},
		{"events", events},
		{"deterministic", deterministic},
		{"order of windows", orderOfWindows},
		{"safe for concurrent use", concurrent},
		{"batches do not matter", batches},
		{"order of subjects", orderOfSubjects},
		{"only what was declared", onlyDeclared},
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

// reports lists those that there are.
func (j judged) reports() []*sdk.Report {
	if j.second == nil {
		return []*sdk.Report{j.first}
	}
	return []*sdk.Report{j.first, j.second}
}

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

// same compares two reports, in the end by the bytes that travel.
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
	x, err := asBytes(a)
	if err != nil {
		return err
	}
	y, err := asBytes(b)
	if err == nil && x != y {
		err = errors.New("reports differ in their bytes")
	}
	return err
}

// sameJudged compares what came of two scenes.
func sameJudged(a, b judged) error {
	return errors.Join(same(a.first, b.first), same(a.second, b.second))
}

// asBytes is a report as it travels.
func asBytes(r *sdk.Report) (string, error) {
	var out []byte
	for _, m := range sdk.ReportMessages(0, r) {
		var err error
		if out, err = (proto.MarshalOptions{Deterministic: true}).MarshalAppend(out, m); err != nil {
			return "", fmt.Errorf("a report that cannot travel: %w", err)
		}
	}
	return string(out), nil
}
