package tariffmisuse

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Config holds what a utility may want to set.
type Config struct {
	ReportFrom     float64 `json:"report_from"`      // probability from which a finding is reported
	BusinessKWhDay float64 `json:"business_kwh_day"` // energy of opening hours below which a trade is not looked for, kWh a day
	FlatKWhDay     float64 `json:"flat_kwh_day"`     // constant load below which none is looked for, kWh a day
}

// DefaultConfig returns the thresholds that are shipped.
func DefaultConfig() Config { return Config{ReportFrom: 0.1, BusinessKWhDay: 5, FlatKWhDay: 20} }

const configSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "report_from": {"type": "number", "minimum": 0.01, "maximum": 1, "default": 0.1},
    "business_kwh_day": {"type": "number", "minimum": 1, "maximum": 1000, "default": 5},
    "flat_kwh_day": {"type": "number", "minimum": 1, "maximum": 10000, "default": 20}
  }
}`

// Detector compares loads with the tariff class that they are billed under. It
// is safe for concurrent use once it is configured.
type Detector struct{ config Config }

// New returns the detector with the default thresholds.
func New() *Detector { return &Detector{DefaultConfig()} }

// Describe implements sdk.Detector.
func (*Detector) Describe() sdk.Description {
	return sdk.Description{
		Name: "tariffmisuse", Version: "1.0.0",
		Summary: "Use that fits another tariff class than the one billed, and what is at stake",
		Scope:   sdk.ScopeUsagePoint,
		Features: []sdk.Feature{
			sdk.MeanKW, sdk.MaxKW, sdk.NightKW, sdk.MorningKW, sdk.DaytimeKW, sdk.EveningKW, sdk.FlatShare, sdk.GoodShare,
		},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   120,
		ConfigSchema:   []byte(configSchema),
		Attributes: []string{
			sdk.AttrCategory, sdk.AttrDeclaredUse, sdk.AttrTariffKind, sdk.AttrRegisteredDC,
			sdk.AttrExpectedHighKWh, sdk.AttrExpectedNight, sdk.AttrExpectedFlat, sdk.AttrPeerHighKWh, sdk.AttrPeerCount,
			sdk.AttrCurrency, sdk.AttrBillBilled, sdk.AttrBillCommercial, sdk.AttrBillIndustrial,
		},
	}
}

// Configure implements sdk.Configurer.
func (d *Detector) Configure(config []byte) error {
	c := DefaultConfig()
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return sdk.FieldErrors{{Field: "", Message: fmt.Sprintf("%v; give a JSON object with report_from, business_kwh_day, flat_kwh_day", err)}}
	}
	var errs sdk.FieldErrors
	within := func(field string, v, low, high float64) {
		if !(v >= low && v <= high) {
			errs = append(errs, sdk.FieldError{Field: field, Message: fmt.Sprintf("%v is out of range; give %v to %v", v, low, high)})
		}
	}
	within("report_from", c.ReportFrom, 0.01, 1)
	within("business_kwh_day", c.BusinessKWhDay, 1, 1000)
	within("flat_kwh_day", c.FlatKWhDay, 1, 10000)
	if len(errs) > 0 {
		return errs
	}
	d.config = c
	return nil
}

// Evaluate implements sdk.Detector.
func (d *Detector) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	for i := range w.Subjects {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("comparing loads with tariffs: %w", err)
		}
		s := &w.Subjects[i]
		if s.Kind != sdk.UsagePoint {
			continue
		}
		b, ok := billedClass(s)
		if !ok {
			continue
		}
		l, ok := newShape(w, i)
		if !ok {
			continue
		}
		v := d.weigh(&l, s, b)
		p := robust.Sigmoid(robust.Logit(w.Prior) + v.total)
		out.Score(s.ID, p)
		if p >= d.config.ReportFrom && v.reason != "" {
			out.Add(v.finding(w, s, &l, b, p))
		}
	}
	return nil
}
