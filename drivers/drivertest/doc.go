// Package drivertest holds the behaviour that every driver must show: a
// reading for every point, bad quality instead of gaps, bounded waiting,
// recovery after the peer went away, and never NaN as a good value.
//
// A driver's tests call Run with a peer; the suite puts a Proxy between the
// driver and the peer and misbehaves for it. Only tests import this package.
package drivertest
