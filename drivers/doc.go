// Package drivers defines what a field protocol must offer to be polled:
// Driver opens a Session to one device, and a Session reads. There is no
// method that writes: field devices are read-only by construction.
//
// Drivers live in sub-packages and are linked explicitly by cmd/gridwarden
// through a Registry. They may import this package, profile and
// plugins/sdk/meter, never internal.
package drivers
