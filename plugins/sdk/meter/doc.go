// Package meter holds the vocabulary of measurement: quantities with their
// units, data quality, and the Reading that travels from a driver to the
// historian, the curves and, in columns, to the detectors.
//
// It depends on the standard library alone, so that drivers, detectors and
// the host can all share it. Names follow IEC 61968-9 and DLMS usage.
package meter
