package tamper

import (
	"context"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// street is an area of households, the first of which uses only a share of its
// load from a day on.
func street(n, day int, share float64, events ...sdk.Event) sdktest.Scene {
	s := sdktest.Scene{Days: 60, NoReference: true}
	var members []sdktest.Member
	for m := range n {
		load := sdktest.Household(uint64(m))
		if m == 0 {
			whole := load
			load = func(d, q int) float64 {
				if d >= day {
					return share * whole(d, q)
				}
				return whole(d, q)
			}
		}
		p := sdktest.Point(fmt.Sprintf("u%d", m+1), load)
		if m == 0 {
			p.Subject.Events = events
		}
		members = append(members, p)
	}
	s.Members = append([]sdktest.Member{sdktest.Area("t", 100, sdktest.Sum(members))}, members...)
	return s
}

func probability(t interface {
	Helper()
	Fatal(args ...any)
}, w *sdk.Window, id string) float64 {
	t.Helper()
	report, err := sdk.Judge(context.Background(), New(), w)
	if err != nil {
		t.Fatal(err)
	}
	return report.Scores()[id]
}

func cover(day int) sdk.Event {
	return sdk.Event{Day: 20_000 + sdk.Date(day), Second: 40_000, Code: sdk.EventCoverOpened}
}

// One event never opens a case, whatever the code and however high the prior
// within reason.
func TestOneEventIsNeverEnough(t *testing.T) {
	w := street(6, 60, 1).Window(New().Describe(), false)
	rapid.Check(t, func(t *rapid.T) {
		e := cover(rapid.IntRange(0, 59).Draw(t, "day"))
		e.Code = rapid.SampledFrom(sdk.EventCodes()).Draw(t, "code")
		w.Subjects[1].Events = []sdk.Event{e}
		w.Prior = rapid.SampledFrom([]float64{0.001, 0.01, 0.05, 0.2}).Draw(t, "prior")
		if p := probability(t, w, "u1"); p >= 0.5 || p > 4*w.Prior {
			t.Fatalf("%s alone: %g at a prior of %g", e.Code, p, w.Prior)
		}
	})
}

func TestAFallWithoutAnEventIsNothing(t *testing.T) {
	if p := probability(t, street(6, 30, 0.3).Window(New().Describe(), false), "u1"); p > 0 {
		t.Errorf("probability %g without anything logged", p)
	}
	if p := probability(t, street(6, 30, 0.3, cover(50)).Window(New().Describe(), false), "u1"); p > 0.03 {
		t.Errorf("probability %g with a cover three weeks after the fall", p)
	}
}

func TestScalingKeepsTheJudgement(t *testing.T) {
	for _, share := range []float64{0.1, 0.3, 0.5, 0.65, 0.8, 1} {
		w := street(6, 31, share, cover(30)).Window(New().Describe(), false)
		last := probability(t, w, "u1")
		for range 4 {
			column := w.Column(sdk.MeanKW)
			for i := range column {
				column[i] *= 8
			}
			// The floor of 10 W weighs less beside a larger load.
			more := probability(t, w, "u1")
			if more < last-1e-9 || more > last+0.25 || share == 1 && more > 0.03 {
				t.Errorf("share %g: %g, and %g at eight times the load", share, last, more)
			}
			last = more
		}
	}
}

func TestShiftingDaysKeepsTheJudgement(t *testing.T) {
	w := street(6, 31, 0.4, cover(30), cover(33)).Window(New().Describe(), false)
	one := probability(t, w, "u1")
	rapid.Check(t, func(t *rapid.T) {
		shift := sdk.Date(rapid.IntRange(-500, 500).Draw(t, "days"))
		w.FirstDay += shift
		for i := range w.Subjects {
			for k := range w.Subjects[i].Events {
				w.Subjects[i].Events[k].Day += shift
			}
		}
		if moved := probability(t, w, "u1"); moved != one {
			t.Fatalf("%g, and %g after %d days", one, moved, shift)
		}
	})
}

func TestPermutingNeighboursKeepsTheJudgement(t *testing.T) {
	s := street(7, 31, 0.4, cover(30))
	one := probability(t, s.Window(New().Describe(), false), "u1")
	for range 6 {
		s.Members = append(append(s.Members[:1:1], s.Members[2:]...), s.Members[1])
		if other := probability(t, s.Window(New().Describe(), false), "u1"); math.Abs(other-one) > 1e-12 {
			t.Fatalf("%g, and %g in another order", one, other)
		}
	}
}

func TestEvidenceAddsUp(t *testing.T) {
	s := street(6, 31, 0.3, cover(29), cover(30), cover(45), sdk.Event{Day: 20_050, Second: 1, Code: sdk.EventMagneticField}, sdk.Event{Day: 20_052, Second: 1, Code: sdk.EventMagneticField})
	report, err := sdk.Judge(context.Background(), New(), s.Window(New().Describe(), false))
	if err != nil || len(report.Findings()) != 1 {
		t.Fatalf("%v, %+v", err, report.Findings())
	}
	f := report.Findings()[0]
	sum := 0.0
	for _, e := range f.Evidence {
		sum += e.LogOdds
	}
	if want := 1 / (1 + math.Exp(-(math.Log(0.01/0.99) + sum))); math.Abs(want-f.Probability) > 1e-9 || sum > mostWeight {
		t.Errorf("evidence gives %g, the finding says %g", want, f.Probability)
	}
}
