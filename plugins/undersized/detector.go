package undersized

import (
	"context"
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Detector judges the loading of transformers. It is safe for concurrent use
// once it is configured.
type Detector struct{ config Config }

// New returns the detector with the default thresholds.
func New() *Detector { return &Detector{DefaultConfig()} }

// Describe implements sdk.Detector.
func (*Detector) Describe() sdk.Description {
	return sdk.Description{
		Name: "undersized", Version: "1.1.0",
		Summary:        "Transformers loaded beyond their nameplate: hot spot and ageing by IEC 60076-7 and 60076-12",
		Scope:          sdk.ScopeTransformerArea,
		Quantities:     []meter.Quantity{meter.ActivePower, meter.ReactivePower, meter.PowerFactor},
		Features:       []sdk.Feature{sdk.MaxKW},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   120,
		ConfigSchema:   []byte(configSchema),
		Attributes: []string{
			sdk.AttrRatedKVA, sdk.AttrCooling, sdk.AttrInsulation, sdk.AttrNoLoadLossW, sdk.AttrLoadLossW,
			sdk.AttrUnmeteredKW, sdk.AttrStreetLightKW,
		},
	}
}

// Evaluate implements sdk.Detector. A transformer's own curve is what is
// judged; where it has none, the sum of its customers. One without a nameplate
// is not judged.
func (d *Detector) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("judging the loading of a transformer: %w", err)
	}
	for i := range w.Subjects {
		s := &w.Subjects[i]
		if s.Kind != sdk.Transformer || !(s.Number(sdk.AttrRatedKVA) > 0) || s.Number(sdk.AttrRatedKVA) > 1e6 {
			continue
		}
		if w.Curves == nil {
			out.RequestCurves(d.wanted(w, i)...)
			continue
		}
		p := d.config.plantOf(s, s.Number(sdk.AttrRatedKVA))
		l := d.config.ownLoading(&w.Curves[i], w.Days, p.kva)
		if l == nil {
			l = d.config.summedLoading(w, s, &p)
		}
		if l == nil {
			continue
		}
		ambient, assumed := d.config.ambients(w)
		r := d.config.assess(l, &p, ambient)
		out.Measure(s.ID, sdk.MetricLoadingP95Pct, r.p95Pct)
		out.Measure(s.ID, sdk.MetricHotSpotMaxC, r.hotSpotMax)
		if len(r.verdicts) > 0 {
			b := basis{config: &d.config, window: w, subject: s, loading: l, plant: &p, ambient: ambient, assumedDays: assumed}
			out.Add(r.finding(&b))
		}
	}
	return nil
}

// Daily peaks, over the nameplate, from which the customers' curves are looked
// at too: behind an own meter, to say who makes it so; without one, because
// their peaks might add up to a load that matters.
const (
	namesFrom = 0.8
	sumFrom   = 0.5
)

// wanted lists whose curves the judgement of transformer i needs.
func (d *Detector) wanted(w *sdk.Window, i int) []string {
	rated := w.Subjects[i].Number(sdk.AttrRatedKVA) * d.config.PowerFactor
	peak := func(subject int) []float32 { return w.Feature(sdk.MaxKW, subject) }
	own, highest := false, 0.0
	for _, v := range peak(i) {
		if !math.IsNaN(float64(v)) {
			own = true
		}
		if v < 1e7 {
			highest = math.Max(highest, float64(v))
		}
	}
	var members []string
	sums := make([]float64, w.Days)
	for k := range w.Subjects {
		if w.Subjects[k].Kind != sdk.UsagePoint {
			continue
		}
		members = append(members, w.Subjects[k].ID)
		for day, v := range peak(k) {
			if v > 0 && v < 1e7 {
				sums[day] += float64(v)
			}
		}
	}
	switch {
	case own && highest < namesFrom*rated:
		return []string{w.Subjects[i].ID}
	case own:
		return append([]string{w.Subjects[i].ID}, members...)
	}
	for _, sum := range sums {
		if sum >= sumFrom*rated {
			return append([]string{w.Subjects[i].ID}, members...)
		}
	}
	return nil
}
