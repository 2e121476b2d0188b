package undersized

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Config holds the thresholds and what is assumed where nothing is measured.
// The zero value is not useful; see DefaultConfig.
type Config struct {
	HotSpotC      float64 `json:"hot_spot_c"`     // overloaded above, oil-immersed; dry-type has its class limit
	LoadingPct    float64 `json:"loading_pct"`    // overloaded when any hour is above
	P95Pct        float64 `json:"p95_pct"`        // undersized when the 95th percentile over Days is above
	Ageing        float64 `json:"ageing"`         // undersized when the relative ageing over Days is above
	Days          int     `json:"days"`           // length of the period that undersized is judged on
	AmbientC      float64 `json:"ambient_c"`      // where there is no weather
	EnclosureK    float64 `json:"enclosure_k"`    // how much warmer than outdoors it is around the transformer
	PowerFactor   float64 `json:"power_factor"`   // where no reactive power is measured
	UpgradedPaper bool    `json:"upgraded_paper"` // oil-immersed: insulation of thermally upgraded paper
}

// DefaultConfig returns the thresholds of the loading guides.
func DefaultConfig() Config {
	return Config{HotSpotC: 120, LoadingPct: 150, P95Pct: 100, Ageing: 1, Days: 30, AmbientC: 20, PowerFactor: 0.95}
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
    "ambient_c": {"type": "number", "minimum": -40, "maximum": 60, "default": 20},
    "enclosure_k": {"type": "number", "minimum": 0, "maximum": 30, "default": 0},
    "power_factor": {"type": "number", "minimum": 0.5, "maximum": 1, "default": 0.95},
    "upgraded_paper": {"type": "boolean", "default": false}
  }
}`

// Configure implements sdk.Configurer.
func (d *Detector) Configure(config []byte) error {
	c := DefaultConfig()
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return sdk.FieldErrors{{Field: "", Message: fmt.Sprintf("%v; give a JSON object with %s", err,
			"hot_spot_c, loading_pct, p95_pct, ageing, days, ambient_c, enclosure_k, power_factor, upgraded_paper")}}
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
	within("enclosure_k", c.EnclosureK, 0, 30)
	within("power_factor", c.PowerFactor, 0.5, 1)
	if len(errs) > 0 {
		return errs
	}
	d.config = c
	return nil
}
