package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// The name is in findings, configurations and locks. Raise the version with
// every change of what the detector finds.
const (
	name    = "example_transformer_area"
	version = "0.1.0"
)

// minDays is how many days with all meters it takes to say anything.
const minDays = 7

// defaultLimit is the share of the input above which a loss is remarkable:
// low-voltage networks lose 3 to 8 %.
const defaultLimit = 12

// Detector compares what a transformer feeds in with what the meters behind
// it count, and finds areas where more is lost than a network loses. It is
// small so that it can be read; put your own idea in its place.
type Detector struct {
	limit float64 // % of the input
}

// NewDetector returns the detector with its defaults.
func NewDetector() *Detector { return &Detector{limit: defaultLimit} }

// Describe says what the detector is and what it needs; nothing else is sent.
func (*Detector) Describe() sdk.Description {
	return sdk.Description{
		Name: name, Version: version, Summary: "Areas that lose more than a network loses",
		Scope:          sdk.ScopeTransformerArea,
		Features:       []sdk.Feature{sdk.EnergyKWh},
		Attributes:     []string{sdk.AttrUnmeteredKW, sdk.AttrStreetLightKW},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   60,
		ConfigSchema: []byte(`{
			"type": "object",
			"additionalProperties": false,
			"properties": {
				"limit_pct": {"type": "number", "minimum": 1, "maximum": 90, "default": 12, "description": "loss in % of the input above which an area is remarkable"}
			}
		}`),
	}
}

// Configure takes the configuration. The host has held it against the schema
// already; what a schema cannot say is checked here.
func (d *Detector) Configure(config []byte) error {
	c := struct {
		Limit *float64 `json:"limit_pct"`
	}{}
	if err := json.Unmarshal(config, &c); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	switch {
	case c.Limit == nil:
		d.limit = defaultLimit
	case *c.Limit >= 1 && *c.Limit <= 90:
		d.limit = *c.Limit
	default:
		return sdk.FieldErrors{{Field: "limit_pct", Message: fmt.Sprintf("%v does not lie in 1 … 90; write 12 for 12 %% of the input", *c.Limit)}}
	}
	return nil
}

// streetLightHours is how long street light burns on an average day.
const streetLightHours = 12

// Evaluate judges one area: the first subject is the transformer, the others
// are the usage points behind it.
func (d *Detector) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	if len(w.Subjects) == 0 || !w.Subjects[0].HasMeter {
		return nil // nothing to compare with
	}
	transformer := &w.Subjects[0]
	known := unmetered(transformer)
	var losses, shares []float64 // of each day on which all meters reported
	for day := range w.Days {
		if err := ctx.Err(); err != nil {
			return err
		}
		input := float64(w.Feature(sdk.EnergyKWh, 0)[day])
		metered := 0.0
		for i := 1; i < len(w.Subjects); i++ {
			metered += float64(w.Feature(sdk.EnergyKWh, i)[day])
		}
		if loss := input - metered - known; input > 0 && !math.IsNaN(loss) {
			losses, shares = append(losses, loss), append(shares, 100*loss/input)
		}
	}
	if len(losses) < minDays {
		return nil
	}
	pct, kwh := robust.Median(shares), robust.Median(losses)
	out.Measure(transformer.ID, sdk.MetricLossPct, pct)
	if pct > d.limit && pct <= 100 {
		out.Add(d.finding(w, transformer, pct, kwh, len(losses)))
	}
	return nil
}

// unmetered is the energy of a day that the records know to go unmetered, kWh.
func unmetered(transformer *sdk.Subject) float64 {
	var kwh float64
	if always := transformer.Number(sdk.AttrUnmeteredKW); always > 0 {
		kwh += 24 * always
	}
	if light := transformer.Number(sdk.AttrStreetLightKW); light > 0 {
		kwh += streetLightHours * light
	}
	return kwh
}

// finding writes down what was found for an officer who must defend it.
func (d *Detector) finding(w *sdk.Window, transformer *sdk.Subject, pct, kwh float64, days int) sdk.Finding {
	// Evidence is weighed in log odds against the base rate of the window. These
	// weights are a guess; measure yours on areas that were inspected.
	weight := math.Log(4) + math.Min(math.Log(pct/d.limit), math.Log(8))
	return sdk.Finding{
		Subject: transformer.ID, Kind: sdk.Transformer, Reason: "area_loss",
		Probability:    robust.Sigmoid(robust.Logit(w.Prior) + weight),
		ExcessKWhMonth: math.Min(30*kwh, 1e9),
		Verdicts:       []string{sdk.VerdictUnmeteredLoad},
		Metrics:        map[string]float64{sdk.MetricLossPct: pct},
		Evidence: []sdk.Evidence{{
			Code: "loss_pct", Value: pct, Unit: "%", LogOdds: weight,
			Text: fmt.Sprintf("half of %d days with all meters lose %.0f %% of the input or more, beyond the unmetered load of the records; %.0f %% are remarkable", days, pct, d.limit),
		}},
		Innocent: []sdk.Explanation{
			{Code: "records_error", Outcome: sdk.Open, Text: "a usage point that hangs on this transformer but is filed under another one looks the same"},
			{Code: "missing_readings", Outcome: sdk.RuledOut, Text: fmt.Sprintf("only the %d days were compared on which every meter reported", days)},
		},
	}
}
