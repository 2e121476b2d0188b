package declareduse

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
	ReportFrom        float64 `json:"report_from"`        // probability from which a finding is reported
	PowerFactor       float64 `json:"power_factor"`       // where none is measured
	ContractTolerance float64 `json:"contract_tolerance"` // share above the contract that is put up with
}

// DefaultConfig returns the values that are shipped.
func DefaultConfig() Config {
	return Config{ReportFrom: 0.1, PowerFactor: 0.95, ContractTolerance: 0.05}
}

const configSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "report_from": {"type": "number", "minimum": 0.01, "maximum": 1, "default": 0.1},
    "power_factor": {"type": "number", "minimum": 0.5, "maximum": 1, "default": 0.95},
    "contract_tolerance": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.05}
  }
}`

// Detector compares loads with declared uses. It is safe for concurrent use
// once it is configured.
type Detector struct{ config Config }

// New returns the detector with the default configuration.
func New() *Detector { return &Detector{DefaultConfig()} }

// Describe implements sdk.Detector.
func (*Detector) Describe() sdk.Description {
	return sdk.Description{
		Name: "declareduse", Version: "1.1.0",
		Summary:    "Loads that do not go with the declared use: energy, closed hours, public supplies, contracted power",
		Scope:      sdk.ScopeUsagePoint,
		Quantities: []meter.Quantity{meter.ActivePower, meter.ReactivePower, meter.PowerFactor},
		Features: []sdk.Feature{
			sdk.MeanKW, sdk.MinKW, sdk.NightKW, sdk.DaytimeKW, sdk.MaxKW, sdk.FlatShare, sdk.GoodShare, sdk.PowerFactorAvg,
		},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   180,
		ConfigSchema:   []byte(configSchema),
		Attributes: []string{
			sdk.AttrDeclaredUse, sdk.AttrContractedKVA, sdk.AttrExpectedLowKWh, sdk.AttrExpectedHighKWh, sdk.AttrExpectedNight,
			sdk.AttrExpectedFlat, sdk.AttrPeerMedianKWh, sdk.AttrPeerHighKWh, sdk.AttrPeerCount,
		},
	}
}

// Configure implements sdk.Configurer.
func (d *Detector) Configure(config []byte) error {
	c := DefaultConfig()
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return sdk.FieldErrors{{Field: "", Message: fmt.Sprintf("%v; give a JSON object with report_from, power_factor, contract_tolerance", err)}}
	}
	var errs sdk.FieldErrors
	within := func(field string, v, low, high float64) {
		if !(v >= low && v <= high) {
			errs = append(errs, sdk.FieldError{Field: field, Message: fmt.Sprintf("%v is out of range; give %v to %v", v, low, high)})
		}
	}
	within("report_from", c.ReportFrom, 0.01, 1)
	within("power_factor", c.PowerFactor, 0.5, 1)
	within("contract_tolerance", c.ContractTolerance, 0, 1)
	if len(errs) > 0 {
		return errs
	}
	d.config = c
	return nil
}

// Evaluate implements sdk.Detector. The daily features give the judgement;
// raw curves are asked for where a demand above the contract has to be counted.
func (d *Detector) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	for i := range w.Subjects {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("comparing loads with declared uses: %w", err)
		}
		s := &w.Subjects[i]
		if s.Kind != sdk.UsagePoint {
			continue
		}
		l, ok := newLoad(w, i)
		if !ok {
			continue
		}
		var over *overContract
		if w.Curves != nil {
			over = d.config.count(&w.Curves[i], w, s, &l)
		} else if d.config.exceeds(&l, s) {
			out.RequestCurves(s.ID)
		}
		v := d.config.weigh(&l, s, over)
		p := robust.Sigmoid(robust.Logit(w.Prior) + v.total)
		out.Score(s.ID, p)
		// Use beyond the contract is a fact to report, whatever it is used for.
		if len(v.reasons) > 0 && (p >= d.config.ReportFrom || over.sustained() && v.over) {
			out.Add(v.finding(w, s, &l, p))
		}
	}
	return nil
}
