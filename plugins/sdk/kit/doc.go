// Package kit makes the beginning of a detector: a project outside this
// repository that compiles, passes its tests and runs as a plugin, with a
// small real detector to put one's own idea into. `gridwarden plugins new`
// calls it.
//
// The folders below template are Go packages of this repository like any
// other, built and tested with it; New copies one of them under another name.
// Whoever wants to make projects may import it; detectors have no use for it.
package kit
