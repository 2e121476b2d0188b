// Package watchlist is the detector that holds what outside offices say of a
// customer's addresses against what his meter shows: does his load carry the
// power that the listed hash rate needs?
//
// It only corroborates: a list lifts nobody by itself. The host joins lists
// and addresses; the detector sees a pseudonym, how many entries there are,
// the power that they need and on which legal basis they stand, and no address.
//
// It imports the plugin SDK and the standard library only.
package watchlist
