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
	name    = "example_usage_point"
	version = "0.1.0"
)

// minNights is how many nights with readings it takes to say anything.
const minNights = 7

// maxKW is more than a low-voltage supply can carry: a reading beyond it is wrong.
const maxKW = 1e4

// nightHours is the length of the night that sdk.NightKW is the mean of.
const nightHours = 5

// Detector finds usage points whose night load is far above that of their
// peers, by the median night, so that a few odd nights change nothing. It is
// small so that it can be read; put your own idea in its place.
type Detector struct {
	times float64 // how many times the peers' 90th percentile is remarkable
}

// NewDetector returns the detector with its defaults.
func NewDetector() *Detector { return &Detector{times: 3} }

// Describe says what the detector is and what it needs; nothing else is sent.
func (*Detector) Describe() sdk.Description {
	return sdk.Description{
		Name: name, Version: version, Summary: "Night load far above that of the peers",
		Scope:          sdk.ScopeUsagePoint,
		Features:       []sdk.Feature{sdk.NightKW},
		Attributes:     []string{sdk.AttrPeerNightKW, sdk.AttrExpectedNight},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   60,
		ConfigSchema: []byte(`{
			"type": "object",
			"additionalProperties": false,
			"properties": {
				"times": {"type": "number", "minimum": 1, "default": 3, "description": "how many times the peers' 90th percentile of night load is remarkable"}
			}
		}`),
	}
}

// Configure takes the configuration. The host has held it against the schema
// already; what a schema cannot say is checked here.
func (d *Detector) Configure(config []byte) error {
	c := struct {
		Times *float64 `json:"times"`
	}{}
	if err := json.Unmarshal(config, &c); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	switch {
	case c.Times == nil:
		d.times = 3
	case *c.Times >= 1:
		d.times = *c.Times
	default:
		return sdk.FieldErrors{{Field: "times", Message: fmt.Sprintf("%v is less than 1; write 3 for three times the peers", *c.Times)}}
	}
	return nil
}

// Evaluate judges each usage point by itself.
func (d *Detector) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	for i := range w.Subjects {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &w.Subjects[i]
		nights := robust.Finite(w.Feature(sdk.NightKW, i))
		usual := s.Number(sdk.AttrPeerNightKW)
		night := robust.Median(nights) // NaN without any
		if len(nights) < minNights || !(usual > 0) || !(night <= maxKW) {
			continue // no data, wrong data or no peers: a point that was not judged has no score
		}
		if night < d.times*usual {
			out.Score(s.ID, w.Prior/2)
			continue
		}
		out.Add(d.finding(w, s, night, usual))
	}
	return nil
}

// finding writes down what was found for an officer who must defend it.
func (d *Detector) finding(w *sdk.Window, s *sdk.Subject, night, usual float64) sdk.Finding {
	// Evidence is weighed in log odds against the base rate of the window: four
	// times as likely at the limit, twice that for each doubling, up to eight
	// times. These weights are a guess; measure yours on cases that were inspected.
	weight := math.Log(4) + math.Min(math.Log(night/(d.times*usual)), math.Log(8))
	innocent := []sdk.Explanation{{
		Code: "ev_charging", Outcome: sdk.Open,
		Text: "a car that charges every night looks the same in daily values; a raw curve would tell",
	}}
	if s.Number(sdk.AttrExpectedNight) > 1 {
		weight -= math.Log(4)
		innocent = append(innocent, sdk.Explanation{
			Code: "night_business", Outcome: sdk.Explains,
			Text: "the declared use works at night: its night load is usually above that of the day",
		})
	}
	return sdk.Finding{
		Subject: s.ID, Kind: sdk.UsagePoint, Reason: "night_load",
		Probability:    robust.Sigmoid(robust.Logit(w.Prior) + weight),
		ExcessKWhMonth: (night - usual) * nightHours * 30,
		Evidence: []sdk.Evidence{{
			Code: "night_kw", Value: night, Unit: "kW", LogOdds: weight,
			Text: fmt.Sprintf("half of the nights carry %.1f kW or more between 0 and 5 h; nine of ten peers stay below %.1f kW", night, usual),
		}},
		Innocent: innocent,
	}
}
