// Package tamper is the detector of interference with meters: what they log
// (covers, magnetic fields, failures of their own supply, clocks) where a
// lasting change of use or an electrical contradiction goes with it.
//
// It looks at whole transformer areas: what all meters of an area log on the
// same day is a storm, an outage or a crew at work, and no customer's doing.
//
// It imports the plugin SDK and the standard library only.
package tamper
