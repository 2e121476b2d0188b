// Package tariffmisuse is the detector of use that fits another tariff class
// than the one that is billed: a shop or office behind a household's meter,
// constant industrial power on a residential, agricultural or public tariff.
// It says what is at stake by the bills that the host computed, which may be
// nothing. What goes on behind a commercial or industrial tariff is not its
// business: shapes do not tell those two apart, and a home on either pays more
// than it need.
//
// It imports the plugin SDK and the standard library only.
package tariffmisuse
