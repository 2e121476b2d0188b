package sdk_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// NightOwl finds usage points whose night load is far above their peers'.
type NightOwl struct {
	times float64 // how many times the peers' 90th percentile is remarkable
}

func NewNightOwl() *NightOwl { return &NightOwl{times: 3} }

func (n *NightOwl) Describe() sdk.Description {
	return sdk.Description{
		Name: "nightowl", Version: "0.1.0", Summary: "Night load far above that of the peers",
		Scope:        sdk.ScopeUsagePoint,
		Features:     []sdk.Feature{sdk.NightKW},
		LookbackDays: 30,
		ConfigSchema: []byte(`{"type": "object", "properties": {"times": {"type": "number", "minimum": 1, "default": 3}}}`),
	}
}

// Configure is optional: without it the detector takes no configuration.
func (n *NightOwl) Configure(config []byte) error {
	c := struct {
		Times float64 `json:"times"`
	}{3}
	if err := json.Unmarshal(config, &c); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	if c.Times < 1 {
		return sdk.FieldErrors{{Field: "times", Message: fmt.Sprintf("%v is less than 1; write 3 for three times the peers", c.Times)}}
	}
	n.times = c.Times
	return nil
}

func (n *NightOwl) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	for i := range w.Subjects {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &w.Subjects[i]
		night := robust.Median(w.Feature(sdk.NightKW, i))
		usual := s.Number(sdk.AttrPeerNightKW)
		if !(usual > 0) || !(night <= 1e4) {
			continue // no peers, no data or no possible load: this point is not judged
		}
		if night < n.times*usual {
			out.Score(s.ID, w.Prior/2)
			continue
		}
		out.Add(sdk.Finding{
			Subject: s.ID, Kind: sdk.UsagePoint, Reason: "night_load", Probability: 0.3,
			ExcessKWhMonth: (night - usual) * 5 * 30,
			Evidence: []sdk.Evidence{{
				Code: "night_kw", Value: night, Unit: "kW",
				Text: fmt.Sprintf("half of the nights carry %.1f kW or more between 0 and 5 h; nine of ten peers stay below %.1f kW", night, usual),
			}},
			Innocent: []sdk.Explanation{{Code: "ev_charging", Outcome: sdk.Open, Text: "charging at night looks the same in daily values"}},
		})
	}
	return nil
}

// A plugin's main is one line:
//
//	func main() { sdk.Serve(NewNightOwl()) }
//
// and a test judges a window that package sdktest makes.
func Example() {
	detector := NewNightOwl()
	scene := sdktest.Scene{Members: []sdktest.Member{
		sdktest.Point("u-household", sdktest.Household(1)),
		sdktest.Point("u-machines", sdktest.From(0, sdktest.Household(2), sdktest.Flat(4))),
	}}
	report, err := sdk.Judge(context.Background(), detector, scene.Window(detector.Describe(), false))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("household scored", report.Scores()["u-household"])
	for _, f := range report.Findings() {
		fmt.Println(f.Subject, f.Reason, f.FirstDay, "to", f.LastDay)
	}
	// Output:
	// household scored 0.005
	// u-machines night_load 2024-10-04 to 2024-11-02
}
