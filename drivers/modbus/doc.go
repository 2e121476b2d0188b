// Package modbus reads devices over Modbus TCP, Modbus/TCP Security, serial
// lines, and RTU over TCP.
//
// Requests are built and answers taken apart by goburrow's client and
// packagers, one packager per unit; the transports are our own. They share
// few connections among the units behind one gateway, tell answers apart by
// transaction id so that a late, doubled or foreign one can never become a
// value, or on RTU lines by the order in which a unit answers, reconnect with
// backoff, and keep silent units from starving their neighbours. Nothing but
// function codes 1 to 4 can be sent.
//
// It may be imported by cmd and by tests; it imports drivers, drivers/profile
// and plugins/sdk/meter. This is the only package that imports goburrow.
package modbus
