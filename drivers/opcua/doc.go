// Package opcua reads devices from OPC UA servers.
//
// All devices on one endpoint share one session, and what falls due together
// is read in one request; subscribed devices share one subscription, watched
// by its keep-alives and a heartbeat because a subscription can fall silent
// without an error. The connections themselves are those of the package
// client below, over gopcua's types and cryptography. An address space can be
// browsed into devices and profiles, and a history fills gaps.
// Security policy None is refused unless an option allows it, obsolete
// policies always, and a server's certificate is never adopted unseen.
//
// It may be imported by cmd and by tests; it imports drivers, drivers/profile
// and plugins/sdk/meter.
package opcua
