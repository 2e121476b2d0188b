// Package accuracy measures what the detectors find and whom they bother: it
// takes real loads, adds mines and legitimate flat loads to some of them, writes
// them as an export, judges it by the steps of scan and scores the risks. It has
// the metrics, their intervals, the trials and one of the injectors; physics is
// another that was written apart from it, and stress a third that the weights of
// hiddenmining are fitted with. bench is the command that puts all of it into
// tables beside their limits.
//
// Only the commands below this folder import it.
package accuracy
