package sdktest

import (
	"context"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// sound is a detector that keeps the contract. Tests break it in one way each.
type sound struct {
	scope sdk.Scope
	spoil func(ctx context.Context, w *sdk.Window, out *sdk.Report) error
}

func (s sound) Describe() sdk.Description {
	return sdk.Description{Name: "sound", Version: "1.0.0", Scope: s.scope, Features: []sdk.Feature{sdk.NightKW, sdk.FlatShare}, Quantities: []meter.Quantity{meter.ActivePower}}
}

func (s sound) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	if s.spoil != nil {
		if err := s.spoil(ctx, w, out); err != nil {
			return err
		}
	}
	for i := range w.Subjects {
		if err := ctx.Err(); err != nil {
			return err
		}
		if w.Subjects[i].Kind != sdk.UsagePoint {
			continue
		}
		night := robust.Median(w.Feature(sdk.NightKW, i))
		switch {
		case night != night:
		case night > 1.5 && w.Curves == nil:
			out.RequestCurves(w.Subjects[i].ID)
		case night > 1.5:
			out.Add(sdk.Finding{Subject: w.Subjects[i].ID, Kind: sdk.UsagePoint, Reason: "night", Probability: 0.5})
		default:
			out.Score(w.Subjects[i].ID, 0.001)
		}
	}
	return nil
}

func TestASoundDetectorPasses(t *testing.T) {
	for _, scope := range []sdk.Scope{sdk.ScopeUsagePoint, sdk.ScopeTransformerArea, sdk.ScopeFleet} {
		t.Run(string(scope), func(t *testing.T) { Conform(t, sound{scope: scope}) })
	}
}

// restless describes itself anew each time.
type restless struct {
	sound
	n *atomic.Int64
}

func (r restless) Describe() sdk.Description {
	d := r.sound.Describe()
	d.LookbackDays = int(r.n.Add(1))
	return d
}

// gullible takes any configuration.
type gullible struct{ sound }

func (gullible) Configure([]byte) error { return nil }

// spoilt is a detector of usage points that is sound but for one thing.
func spoilt(spoil func(ctx context.Context, w *sdk.Window, out *sdk.Report) error) sound {
	return sound{scope: sdk.ScopeUsagePoint, spoil: spoil}
}

// panicking panics where the window is of a kind.
func panicking(when func(w *sdk.Window) bool) sound {
	return spoilt(func(_ context.Context, w *sdk.Window, _ *sdk.Report) error {
		if when(w) {
			panic("index out of range")
		}
		return nil
	})
}

// each looks at every subject.
func each(look func(w *sdk.Window, i int, out *sdk.Report)) sound {
	return spoilt(func(_ context.Context, w *sdk.Window, out *sdk.Report) error {
		for i := range w.Subjects {
			look(w, i, out)
		}
		return nil
	})
}

// lasting is a detector that declares more than sound does.
type lasting struct {
	sound
	declare func(*sdk.Description)
}

func (l lasting) Describe() sdk.Description {
	d := l.sound.Describe()
	l.declare(&d)
	return d
}

func TestEachCheckCatchesItsDetector(t *testing.T) {
	var calls, windows atomic.Int64
	var hoard sync.Map
	var first atomic.Pointer[sdk.Window]
	cases := map[string]struct {
		detector sdk.Detector
		want     string
	}{
		"description":   {restless{sound{scope: sdk.ScopeUsagePoint}, new(atomic.Int64)}, "always give the same"},
		"empty window":  {spoilt(func(_ context.Context, w *sdk.Window, _ *sdk.Report) error { _ = w.Subjects[0]; return nil }), "panicked"},
		"one subject":   {panicking(func(w *sdk.Window) bool { return len(w.Subjects) == 1 }), "panicked"},
		"one day":       {panicking(func(w *sdk.Window) bool { return w.Days == 1 }), "panicked"},
		"a year":        {panicking(func(w *sdk.Window) bool { return w.Days > 100 }), "panicked"},
		"many subjects": {panicking(func(w *sdk.Window) bool { return len(w.Subjects) > 100 }), "panicked"},
		"many windows": {spoilt(func(context.Context, *sdk.Window, *sdk.Report) error {
			hoard.Store(windows.Add(1), make([]byte, 64<<10))
			return nil
		}), "memory grows"},
		"missing data": {each(func(w *sdk.Window, i int, out *sdk.Report) {
			out.Measure(w.Subjects[i].ID, "steepest", float64(w.Feature(sdk.NightKW, i)[1]-w.Feature(sdk.NightKW, i)[0]))
		}), "leave out what is not known"},
		"no data": {each(func(w *sdk.Window, i int, out *sdk.Report) {
			if v := w.Feature(sdk.NightKW, i)[0]; !(v < 5) {
				out.Add(sdk.Finding{Subject: w.Subjects[i].ID, Kind: sdk.UsagePoint, Reason: "night", Probability: 0.9})
			}
		}), "nothing to find"},
		"impossible values": {each(func(w *sdk.Window, i int, out *sdk.Report) {
			out.Score(w.Subjects[i].ID, 0.1*math.Log(float64(w.Feature(sdk.NightKW, i)[0])))
		}), "probability"},
		"infinite values": {each(func(w *sdk.Window, i int, out *sdk.Report) {
			if v := float64(w.Feature(sdk.NightKW, i)[3]); v > 0 {
				out.Measure(w.Subjects[i].ID, "night", v)
			}
		}), "leave out what is not known"},
		"no attributes": {each(func(w *sdk.Window, i int, out *sdk.Report) {
			out.Measure(w.Subjects[i].ID, "share", 1/w.Subjects[i].Number(sdk.AttrContractedKVA))
		}), "leave out what is not known"},
		"strange attributes": {each(func(w *sdk.Window, i int, out *sdk.Report) {
			if v, ok := w.Subjects[i].Numbers[sdk.AttrContractedKVA]; ok {
				out.Measure(w.Subjects[i].ID, "share", 1/v)
			}
		}), "leave out what is not known"},
		"duplicate subjects": {panicking(func(w *sdk.Window) bool {
			known := map[string]bool{}
			for _, s := range w.Subjects {
				known[s.ID] = true
			}
			return len(known) < len(w.Subjects)
		}), "the same pseudonym"},
		"clock changes": {panicking(func(w *sdk.Window) bool {
			for i := range w.Curves {
				_ = w.Curves[i].Day(meter.ActivePower, w.Days/3)[95]
			}
			return false
		}), "with length 92"},
		"curves of any interval": {panicking(func(w *sdk.Window) bool { return len(w.Curves) > 0 && w.Curves[0].IntervalSeconds == 3600 }), "3600 s"},
		"events": {lasting{panicking(func(w *sdk.Window) bool {
			last := sdk.Date(0)
			for _, s := range w.Subjects {
				for _, e := range s.Events {
					if e.Code == "of_the_maker_77" {
						return true
					}
					last = e.Day
				}
			}
			return last < 0
		}), func(d *sdk.Description) { d.Events = true }}, "panicked"},
		"deterministic": {spoilt(func(_ context.Context, w *sdk.Window, out *sdk.Report) error {
			if len(w.Subjects) > 0 {
				out.Measure(w.Subjects[0].ID, "calls", float64(calls.Add(1)))
			}
			return nil
		}), "measured values differ"},
		"order of windows":        {&greatest{}, "keep nothing from one window"},
		"safe for concurrent use": {&crowded{all: make(chan struct{})}, "differ"},
		"batches do not matter": {each(func(w *sdk.Window, i int, out *sdk.Report) {
			out.Score(w.Subjects[i].ID, 1/float64(1+len(w.Subjects)))
		}), "among others"},
		"order of subjects": {each(func(w *sdk.Window, i int, out *sdk.Report) {
			out.Score(w.Subjects[i].ID, 1/float64(2+i))
		}), "in one order"},
		"only what was declared": {each(func(w *sdk.Window, i int, out *sdk.Report) {
			if peak := w.Feature(sdk.PeakKW, i); peak != nil {
				out.Measure(w.Subjects[i].ID, "peak", float64(peak[0]))
			}
		}), "declare what is used"},
		"window left alone": {spoilt(func(_ context.Context, w *sdk.Window, _ *sdk.Report) error {
			for i := range w.Subjects {
				if w.Subjects[i].Numbers != nil {
					w.Subjects[i].Numbers["seen"] = 1
				}
			}
			return nil
		}), "read-only"},
		"ends when cancelled": {spoilt(func(ctx context.Context, _ *sdk.Window, _ *sdk.Report) error {
			<-ctx.Done()
			time.Sleep(cancelPatience + 300*time.Millisecond)
			return nil
		}), "after its context was cancelled"},
		"survives the wire": {spoilt(func(_ context.Context, w *sdk.Window, out *sdk.Report) error {
			first.CompareAndSwap(nil, w)
			for i := range w.Subjects {
				out.Measure(w.Subjects[i].ID, "known", map[bool]float64{true: 1}[first.Load() == w])
			}
			return nil
		}), "before and after the wire"},
		"configuration": {gullible{sound{scope: sdk.ScopeUsagePoint}}, "must be refused"},
	}
	for _, check := range Checks() {
		c, ok := cases[check.Name]
		if !ok {
			t.Errorf("no bad detector for the check %q", check.Name)
			continue
		}
		t.Run(check.Name, func(t *testing.T) {
			err := check.Run(c.detector)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the check says %v; it should say %q", err, c.want)
			}
		})
	}
	if len(cases) != len(Checks()) {
		t.Errorf("%d bad detectors for %d checks", len(cases), len(Checks()))
	}
}

// greatest remembers the largest night that it ever saw.
type greatest struct {
	mu   sync.Mutex
	most int
}

func (g *greatest) Describe() sdk.Description { return sound{scope: sdk.ScopeUsagePoint}.Describe() }

func (g *greatest) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.most = max(g.most, len(w.Subjects))
	for i := range w.Subjects {
		out.Score(w.Subjects[i].ID, 1/float64(1+g.most))
	}
	return nil
}

// crowded says whether it is judging other windows at the moment. The check
// calls it once alone, then eight times at once.
type crowded struct {
	calls atomic.Int64
	all   chan struct{}
}

func (c *crowded) Describe() sdk.Description { return sound{scope: sdk.ScopeUsagePoint}.Describe() }

func (c *crowded) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	inside := 1
	if n := c.calls.Add(1); n > 1 {
		if n == 9 {
			close(c.all)
		}
		<-c.all
		inside = 8
	}
	for i := range w.Subjects {
		out.Score(w.Subjects[i].ID, 1/float64(1+inside))
	}
	return nil
}

func TestTheNumberOfWindows(t *testing.T) {
	t.Setenv(WindowsEnv, "80")
	if err := manyWindows(sound{scope: sdk.ScopeFleet}); err != nil {
		t.Error(err)
	}
	t.Setenv(WindowsEnv, "all")
	if err := manyWindows(sound{scope: sdk.ScopeFleet}); err == nil || !strings.Contains(err.Error(), "write a number") {
		t.Errorf("%v", err)
	}
}
