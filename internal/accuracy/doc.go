// Package accuracy measures how well the detectors tell hidden mining from
// everything else: it takes real loads, adds mines and legitimate flat loads
// to some of them, runs the detectors over the lot and scores the risks
// (area under the ROC curve, precision at k, area against the legitimate flat
// loads). Its fit command obtains the weights that hiddenmining ships with.
//
// Two injectors are written apart from each other, so that a detector that
// learned one of them is found out by the other. Only the commands below this
// folder import it.
package accuracy
