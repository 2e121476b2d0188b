// Package outcomes is what inspections found, and what that says of the
// detectors: hit rates by detector and version, the share of abnormal use among
// all customers as far as the lot shows it, and a calibration of the risk that
// the choice of whom to inspect does not bend.
//
// Read parses inspections.csv, Link joins its rows with the risk that each
// point had when it was chosen, Summarise draws the lines together. The
// statistics are risk's (Draw, Prevalence, Recalibrate); storing is sqlstore's.
package outcomes
