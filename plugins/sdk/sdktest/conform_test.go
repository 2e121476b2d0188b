package sdktest

import (
	"context"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

func TestEachCheckCatchesItsDetector(t *testing.T) {
	var calls atomic.Int64
	cases := map[string]struct {
		detector sdk.Detector
		want     string
	}{
		"description": {restless{sound{scope: sdk.ScopeUsagePoint}, new(atomic.Int64)}, "always give the same"},
		"empty window": {sound{scope: sdk.ScopeUsagePoint, spoil: func(_ context.Context, w *sdk.Window, _ *sdk.Report) error {
			_ = w.Subjects[0]
			return nil
		}}, "panicked"},
		"no data": {sound{scope: sdk.ScopeUsagePoint, spoil: func(_ context.Context, w *sdk.Window, out *sdk.Report) error {
			for i := range w.Subjects {
				if v := w.Feature(sdk.NightKW, i)[0]; !(v < 5) {
					out.Add(sdk.Finding{Subject: w.Subjects[i].ID, Kind: sdk.UsagePoint, Reason: "night", Probability: 0.9})
				}
			}
			return nil
		}}, "nothing to find"},
		"impossible values": {sound{scope: sdk.ScopeUsagePoint, spoil: func(_ context.Context, w *sdk.Window, out *sdk.Report) error {
			for i := range w.Subjects {
				out.Score(w.Subjects[i].ID, 0.1*math.Log(float64(w.Feature(sdk.NightKW, i)[0])))
			}
			return nil
		}}, "probability"},
		"no attributes": {sound{scope: sdk.ScopeUsagePoint, spoil: func(_ context.Context, w *sdk.Window, out *sdk.Report) error {
			for i := range w.Subjects {
				out.Measure(w.Subjects[i].ID, "share", 1/w.Subjects[i].Number(sdk.AttrContractedKVA))
			}
			return nil
		}}, "leave out what is not known"},
		"deterministic": {sound{scope: sdk.ScopeUsagePoint, spoil: func(_ context.Context, w *sdk.Window, out *sdk.Report) error {
			if len(w.Subjects) > 0 {
				out.Measure(w.Subjects[0].ID, "calls", float64(calls.Add(1)))
			}
			return nil
		}}, "measured values differ"},
		"batches do not matter": {sound{scope: sdk.ScopeUsagePoint, spoil: func(_ context.Context, w *sdk.Window, out *sdk.Report) error {
			for i := range w.Subjects {
				out.Score(w.Subjects[i].ID, 1/float64(1+len(w.Subjects)))
			}
			return nil
		}}, "among others"},
		"window left alone": {sound{scope: sdk.ScopeUsagePoint, spoil: func(_ context.Context, w *sdk.Window, _ *sdk.Report) error {
			if column := w.Column(sdk.NightKW); len(column) > 0 {
				column[0] = 7
			}
			return nil
		}}, "read-only"},
		"ends when cancelled": {sound{scope: sdk.ScopeUsagePoint, spoil: func(ctx context.Context, _ *sdk.Window, _ *sdk.Report) error {
			<-ctx.Done()
			time.Sleep(cancelPatience + 300*time.Millisecond)
			return nil
		}}, "after its context was cancelled"},
		"configuration": {gullible{sound{scope: sdk.ScopeUsagePoint}}, "must be refused"},
	}
	for _, check := range Checks() {
		c, ok := cases[check.Name]
		if !ok {
			continue
		}
		t.Run(check.Name, func(t *testing.T) {
			t.Parallel()
			err := check.Run(c.detector)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the check says %v; it should say %q", err, c.want)
			}
		})
	}
	if len(cases) != 10 {
		t.Errorf("%d cases", len(cases))
	}
}
