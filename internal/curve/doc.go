// Package curve turns interval energies into meter-days: validation,
// estimation and editing (VEE), daily features, and the Store interface under
// which days are kept. Import and live polling share it.
package curve
