package main

import (
	_ "embed" // the recorded baseline
	"encoding/json"
	"fmt"
)

// recorded is what Telegraf reached, case by case; RESULTS.md says how it was
// measured.
//
//go:embed baseline.json
var recorded []byte

// Baseline is the recorded result of a case.
type Baseline struct {
	Label     string  `json:"label"`
	Delivered float64 `json:"delivered_pct"`
	CPU       float64 `json:"cpu_s_per_1000_metrics"`
	RSS       float64 `json:"rss_mib"`
	GapMS     float64 `json:"max_gap_ms"` // at the simulator
}

// baseline returns the recorded results by label.
func baseline() (map[string]Baseline, error) {
	var list []Baseline
	if err := json.Unmarshal(recorded, &list); err != nil {
		return nil, fmt.Errorf("baseline.json: %w", err)
	}
	out := make(map[string]Baseline, len(list))
	for _, b := range list {
		out[b.Label] = b
	}
	return out, nil
}
