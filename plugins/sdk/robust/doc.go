// Package robust holds the few order statistics that detectors need: medians,
// quantiles and spreads that skip NaN and shrug off outliers, and the
// conversion between probabilities and log-odds. It has no state and imports
// the standard library only; detectors of any author may use it.
package robust
