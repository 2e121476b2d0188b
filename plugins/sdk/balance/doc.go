// Package balance holds what detectors that balance a transformer area share:
// the area's meters on one time base, the technical terms of the balance with
// what is known of each before looking, and a linear model that weighs one
// explanation of what is left against another.
//
// Everything is in kW, mean power of an interval. The package keeps no state
// and imports the SDK and the standard library only; detectors of any author
// may use it.
package balance
