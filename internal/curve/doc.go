// Package curve makes and keeps meter-days: the energy of each interval of one
// meter's local day, with quality, flags and how it came about.
//
// It holds the accumulator that turns polled readings into days, validation,
// estimation and editing (VEE.md tells them for a revenue officer), the daily
// features, the stored form, and the Store interfaces under which days and
// their versions are kept. Import, scan and live polling share it. It knows no
// database (sqlstore implements the interfaces) and no stream.
package curve
