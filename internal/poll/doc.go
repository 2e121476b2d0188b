// Package poll reads every configured device at its own pace and hands the
// readings on, each with its quality.
//
// The points of a device that share an interval (a group of its profile) are
// one turn. Turns wake in slots of some milliseconds, spread evenly over their
// interval and, behind a gateway, over the gateway's units. A connection takes
// turns in the order in which they fell due, as many at once as it bears; a
// device is read for one group at a time. A group that is still being read, or
// waits, when its next turn comes misses that turn; turns are counted, never
// piled up. A failed read is delivered as readings of bad quality. When the
// sink stalls, readings wait in memory up to a bound, then turns are missed;
// nothing read is dropped.
//
// Where a driver can read without holding a goroutine (drivers.Starter), a
// poll costs none. Apply replaces the devices while others go on. What is odd
// about a value is said before it is handed on (see quality.go).
//
// No protocol is spoken here (see drivers) and nothing is stored. It may be
// imported by internal/host and cmd; the console sees DeviceStatus only.
package poll
