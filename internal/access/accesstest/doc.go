// Package accesstest holds the behaviour that every access.Store must show.
// Tests of the stores import it, nothing else does.
package accesstest
