// Package builtin lists the detectors that ship with the program. The program
// serves them from one process of their own; it is the only importer besides
// tests and measuring commands.
package builtin

import (
	"github.com/gridwarden/gridwarden/plugins/declareduse"
	"github.com/gridwarden/gridwarden/plugins/energybalance"
	"github.com/gridwarden/gridwarden/plugins/hiddenmining"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/tamper"
	"github.com/gridwarden/gridwarden/plugins/tariffmisuse"
	"github.com/gridwarden/gridwarden/plugins/topology"
	"github.com/gridwarden/gridwarden/plugins/undersized"
	"github.com/gridwarden/gridwarden/plugins/watchlist"
)

// Detectors returns a new instance of each built-in detector, by name.
func Detectors() []sdk.Detector {
	return []sdk.Detector{
		declareduse.New(), energybalance.New(), hiddenmining.New(), tamper.New(),
		tariffmisuse.New(), topology.New(), undersized.New(), watchlist.New(),
	}
}
