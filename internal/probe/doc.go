// Package probe finds out which profile, and which order of words, fits a
// device that nobody has described: it reads the registers that the profiles
// know, few and slowly, and ranks the profiles by what is physically plausible
// in the values that they make of the answers. Every point of a score is a
// check that can be shown.
//
// It reads through the drivers' sessions alone, so nothing can be written, and
// all of a session's care for the device holds. The command probe uses it.
package probe
