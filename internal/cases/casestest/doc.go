// Package casestest holds the behaviour that every cases.Store must show.
// Tests of the stores import it, nothing else does.
package casestest
