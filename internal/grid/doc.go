// Package grid holds the nouns of a distribution network as Gridwarden sees
// it: transformers, usage points, customers and the reference data around
// them, together in a Network snapshot. Names follow the IEC CIM
// (61968/61970); ids are the utility's own.
//
// It is pure data with look-ups. Parsing and storing live in registry and
// sqlstore; anyone may import grid, and grid imports the standard library only.
package grid
