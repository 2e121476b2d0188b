package undersized

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Config holds the thresholds. The zero value is not useful; see DefaultConfig.
type Config struct {
	HotSpotC   float64 `json:"hot_spot_c"`  // overloaded above, oil-immersed; dry-type has its class limit
	LoadingPct float64 `json:"loading_pct"` // overloaded when any hour is above
	P95Pct     float64 `json:"p95_pct"`     // undersized when the 95th percentile over Days is above
	Ageing     float64 `json:"ageing"`      // undersized when the relative ageing over Days is above
	Days       int     `json:"days"`        // length of the period that undersized is judged on
	AmbientC   float64 `json:"ambient_c"`   // where there is no weather
}

// DefaultConfig returns the thresholds of the loading guides.
func DefaultConfig() Config {
	return Config{HotSpotC: 120, LoadingPct: 150, P95Pct: 100, Ageing: 1, Days: 30, AmbientC: 20}
}

const configSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "hot_spot_c": {"type": "number", "minimum": 60, "maximum": 250, "default": 120},
    "loading_pct": {"type": "number", "minimum": 50, "maximum": 400, "default": 150},
    "p95_pct": {"type": "number", "minimum": 20, "maximum": 300, "default": 100},
    "ageing": {"type": "number", "minimum": 0.01, "maximum": 100, "default": 1},
    "days": {"type": "integer", "minimum": 1, "maximum": 400, "default": 30},
    "ambient_c": {"type": "number", "minimum": -40, "maximum": 60, "default": 20}
  }
}`

// Detector judges the loading of transformers.
type Detector struct{ config Config }

// New returns the detector with the default thresholds.
func New() *Detector { return &Detector{DefaultConfig()} }

// Describe implements sdk.Detector.
func (*Detector) Describe() sdk.Description {
	return sdk.Description{
		Name: "undersized", Version: "1.0.0",
		Summary:        "Transformers loaded beyond their nameplate: hot spot and ageing by IEC 60076-7 and 60076-12",
		Scope:          sdk.ScopeTransformerArea,
		Quantities:     []meter.Quantity{meter.ActivePower, meter.ReactivePower, meter.PowerFactor},
		Features:       []sdk.Feature{sdk.MeanKW},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   120,
		ConfigSchema:   []byte(configSchema),
	}
}

// Configure implements sdk.Configurer.
func (d *Detector) Configure(config []byte) error {
	c := DefaultConfig()
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return sdk.FieldErrors{{Field: "", Message: fmt.Sprintf("%v; give a JSON object with %s", err, "hot_spot_c, loading_pct, p95_pct, ageing, days, ambient_c")}}
	}
	var errs sdk.FieldErrors
	within := func(field string, v, low, high float64) {
		if !(v >= low && v <= high) {
			errs = append(errs, sdk.FieldError{Field: field, Message: fmt.Sprintf("%v is out of range; give %v to %v", v, low, high)})
		}
	}
	within("hot_spot_c", c.HotSpotC, 60, 250)
	within("loading_pct", c.LoadingPct, 50, 400)
	within("p95_pct", c.P95Pct, 20, 300)
	within("ageing", c.Ageing, 0.01, 100)
	within("days", float64(c.Days), 1, 400)
	within("ambient_c", c.AmbientC, -40, 60)
	if len(errs) > 0 {
		return errs
	}
	d.config = c
	return nil
}

// Evaluate implements sdk.Detector. The transformer's own curve is what is
// judged; one without a meter or without a nameplate is not judged.
func (d *Detector) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	for i := range w.Subjects {
		s := &w.Subjects[i]
		if s.Kind != sdk.Transformer || !s.HasMeter || !(s.Number(sdk.AttrRatedKVA) > 0) {
			continue
		}
		if w.Curves == nil {
			if seen(w.Feature(sdk.MeanKW, i)) {
				out.RequestCurves(s.ID)
			}
			continue
		}
		l := newLoading(&w.Curves[i], w.Days, s.Number(sdk.AttrRatedKVA))
		if l == nil {
			continue
		}
		r := d.assess(w, s, l)
		out.Measure(s.ID, sdk.MetricLoadingP95Pct, r.p95Pct)
		out.Measure(s.ID, sdk.MetricHotSpotMaxC, r.hotSpotMax)
		if len(r.verdicts) > 0 {
			out.Add(r.finding(w, s, l, &d.config))
		}
	}
	return nil
}

func seen(column []float32) bool {
	for _, v := range column {
		if !math.IsNaN(float64(v)) {
			return true
		}
	}
	return false
}
