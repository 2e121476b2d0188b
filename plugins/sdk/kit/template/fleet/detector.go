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
	name    = "example_fleet"
	version = "0.1.0"
)

const (
	minDays      = 7  // days with readings that it takes to say anything of a point
	minPeers     = 20 // points of one use that it takes to compare
	defaultLimit = 4  // deviations above the peers' median that are remarkable
)

// Detector compares each usage point's daily energy with that of all points
// of the same declared use, on a logarithmic scale: uses differ by factors. It
// is small so that it can be read; put your own idea in its place.
type Detector struct {
	limit float64 // robust standard deviations above the median
}

// NewDetector returns the detector with its defaults.
func NewDetector() *Detector { return &Detector{limit: defaultLimit} }

// Describe says what the detector is and what it needs; nothing else is sent.
func (*Detector) Describe() sdk.Description {
	return sdk.Description{
		Name: name, Version: version, Summary: "Energy far above that of all points of the same declared use",
		Scope:          sdk.ScopeFleet,
		Features:       []sdk.Feature{sdk.EnergyKWh},
		Attributes:     []string{sdk.AttrDeclaredUse},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   60,
		ConfigSchema: []byte(`{
			"type": "object",
			"additionalProperties": false,
			"properties": {
				"limit": {"type": "number", "minimum": 1, "default": 4, "description": "robust standard deviations above the peers' median that are remarkable"}
			}
		}`),
	}
}

// Configure takes the configuration. The host has held it against the schema
// already; what a schema cannot say is checked here.
func (d *Detector) Configure(config []byte) error {
	c := struct {
		Limit *float64 `json:"limit"`
	}{}
	if err := json.Unmarshal(config, &c); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	switch {
	case c.Limit == nil:
		d.limit = defaultLimit
	case *c.Limit >= 1:
		d.limit = *c.Limit
	default:
		return sdk.FieldErrors{{Field: "limit", Message: fmt.Sprintf("%v is less than 1; write 4 for four standard deviations", *c.Limit)}}
	}
	return nil
}

// Evaluate judges the whole fleet: what is usual comes from the window itself.
func (d *Detector) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	daily := make([]float64, len(w.Subjects)) // logarithm of the median day's energy, NaN where it is not known
	byUse := make(map[string][]float64)
	for i := range w.Subjects {
		if err := ctx.Err(); err != nil {
			return err
		}
		daily[i] = math.NaN()
		if days := robust.Finite(w.Feature(sdk.EnergyKWh, i)); len(days) >= minDays && w.Subjects[i].Kind == sdk.UsagePoint {
			if median := robust.Median(days); median > 0 {
				daily[i] = math.Log(median)
				use := w.Subjects[i].Text(sdk.AttrDeclaredUse)
				byUse[use] = append(byUse[use], daily[i])
			}
		}
	}
	usual := make(map[string]band, len(byUse))
	for use, values := range byUse {
		usual[use] = bandOf(values)
	}
	for i := range w.Subjects { // in the window's order, never in that of a map
		if err := ctx.Err(); err != nil {
			return err
		}
		peers := usual[w.Subjects[i].Text(sdk.AttrDeclaredUse)]
		if math.IsNaN(daily[i]) || peers.count < minPeers {
			continue // not judged: no score
		}
		if z := (daily[i] - peers.median) / peers.deviation; z > d.limit {
			out.Add(d.finding(w, &w.Subjects[i], daily[i], z, peers))
		} else {
			out.Score(w.Subjects[i].ID, w.Prior/2)
		}
	}
	return nil
}

// band is what is usual among peers, of the logarithm of daily energy.
type band struct {
	median, deviation float64
	count             int
}

// bandOf takes median and scaled MAD: a few thieves among the peers do not
// move them. Peers that are all alike get a deviation of 10 %.
func bandOf(values []float64) band {
	return band{robust.Median(values), math.Max(1.4826*robust.MAD(values), math.Log(1.1)), len(values)}
}

// finding writes down what was found for an officer who must defend it.
func (d *Detector) finding(w *sdk.Window, s *sdk.Subject, daily, z float64, peers band) sdk.Finding {
	// Evidence is weighed in log odds against the base rate of the window. These
	// weights are a guess; measure yours on cases that were inspected.
	weight := math.Min(z/d.limit*math.Log(4), math.Log(30))
	return sdk.Finding{
		Subject: s.ID, Kind: sdk.UsagePoint, Reason: "energy_above_peers",
		Probability:    robust.Sigmoid(robust.Logit(w.Prior) + weight),
		ExcessKWhMonth: 30 * (math.Exp(daily) - math.Exp(peers.median)),
		Evidence: []sdk.Evidence{{
			Code: "energy_kwh_day", Value: math.Exp(daily), Unit: "kWh", LogOdds: weight,
			Text: fmt.Sprintf("half of the days take %.0f kWh or more; the median of %d points of the same declared use is %.0f kWh, and this is %.1f deviations above it",
				math.Exp(daily), peers.count, math.Exp(peers.median), z),
		}},
		Innocent: []sdk.Explanation{{
			Code: "larger_premises", Outcome: sdk.Open,
			Text: "the records do not tell the size of the premises; a larger one of the same use takes more",
		}},
	}
}
