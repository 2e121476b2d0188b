// Package watchlist asks of a whole list of addresses what the detector of the
// same name asks of one customer: does the power seen in the meters explain
// it? A list of thousands of addresses with a total of hash rate and energy is
// a claim that can be reconciled: addresses with customers, customers with
// meters, hash rates by algorithm with base loads beyond those of peers.
//
// Reconcile is a pure function over the records and measured loads; Measure
// draws the loads from daily features. Cases and risks are not its business.
package watchlist
