// Package opcua reads devices from OPC UA servers with gopcua.
//
// All devices on one endpoint share one session, and what falls due together
// is read in one request; subscribed devices share one subscription, watched
// by a heartbeat because a subscription can fall silent without an error.
// Connections are made anew by this package, never by gopcua's own reconnect.
// Security policy None is refused unless an option allows it, obsolete
// policies always, and a server's certificate is never adopted unseen.
//
// It may be imported by cmd and by tests; it imports drivers, drivers/profile
// and plugins/sdk/meter.
package opcua
