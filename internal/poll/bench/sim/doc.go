// Command sim simulates Modbus TCP devices for the polling benchmark:
//
//	-ports N -base 20000     N listeners from that port on, one device each, whatever the unit
//	-gateway 26100 -units M  a listener with units 1 to M behind it; others get exception 0x0B
//
// Both may be combined. What registers hold follows package fleet. With -bus
// a gateway serves one request at a time over all its connections, as a serial
// line does. GET / on the stats address returns counters as JSON; GET /reset
// zeroes them.
//
// It shares the processor with the collector that is measured, and therefore
// uses few system calls: a thread waits for all sockets at once, reads once
// and writes once for each request.
package main
