package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Inputs is what a run was given beside the curves, as a run's result keeps
// it: enough to judge one part again, bit for bit, and to say what differs
// where that cannot be. It names no detector's subject; curves and records
// are there as hashes alone.
type Inputs struct {
	Began     time.Time          `json:"began"`               // when reading began: what was stored later is not in
	Location  string             `json:"location"`            // time zone of the site
	Detectors []Stamp            `json:"detectors"`           // who judged, by name, without the data version
	Providers []string           `json:"providers,omitempty"` // of them, those that measure attributes for others
	Without   map[string]string  `json:"without,omitempty"`   // left out, with the reason
	Seed      string             `json:"seed"`                // SHA-256 of the pseudonyms' seed
	Groups    []groupSpread      `json:"groups"`              // how peers spread over the whole fleet
	Parts     []PartInputs       `json:"parts"`               // in order
	Provided  map[string]Numbers `json:"provided,omitempty"`  // attributes measured over the whole fleet, by name
}

// Numbers are values by usage point.
type Numbers = map[string]float64

// PartInputs identifies what one part was given.
type PartInputs struct {
	Records string `json:"records"` // digest of the registry, weather and calendar
	Data    string `json:"data"`    // digest of features and attributes
}

// inputsOf draws together what the run of a plan was given.
func inputsOf(in *Input, plan *Plan, parts []*Part, judged []Stamp) *Inputs {
	out := &Inputs{
		Began: plan.Began, Location: in.location().String(), Detectors: judged, Providers: plan.Providers, Without: plan.Without,
		Seed: digestOf(plan.Seed), Groups: plan.Groups, Provided: plan.Provided, Parts: make([]PartInputs, len(plan.Shares)),
	}
	for i := range plan.Shares {
		out.Parts[i] = PartInputs{plan.Shares[i].Records, parts[i].Version}
	}
	return out
}

// stamp returns that of a detector.
func (in *Inputs) stamp(detector string) (Stamp, bool) {
	for _, s := range in.Detectors {
		if s.Detector == detector {
			return s, true
		}
	}
	return Stamp{}, false
}

// Needed lists the programs that it takes to judge as a detector did then: its
// own, and those of the detectors that measured attributes for it. ok is false
// where it did not judge in the run.
func (in *Inputs) Needed(detector string) (stamps []Stamp, ok bool) {
	if _, ok = in.stamp(detector); !ok {
		return nil, false
	}
	for _, s := range in.Detectors {
		provides := false
		for _, name := range in.Providers {
			_, failed := in.Without[name]
			provides = provides || name == s.Detector && !failed
		}
		if s.Detector == detector || provides {
			stamps = append(stamps, s)
		}
	}
	return stamps, true
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
