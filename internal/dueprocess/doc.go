// Package dueprocess says which measures are open towards a customer and which
// rule or missing fact blocks each other one. It is pure and total: facts, a
// policy and a moment go in, a judgement of all eight measures comes out, and
// a fact that is missing denies.
//
// A policy pack is data (configs/policies). It may be stricter than the floors
// in floor.go, never looser: a pack that loosens one is refused on load.
//
// Nothing here reads a clock, stores or sends. It imports the standard library
// and strictyaml; cases asks it, and nobody may act on less.
package dueprocess
