// Package path measures the poll path within one process: how many polls a
// second it carries, beside how many plain requests and responses of the same
// bytes the same sockets carry.
//
// The path is what a poll goes through in service, without the historian:
// request, answer, decoding, quality, and publishing to an embedded JetStream,
// by the Modbus driver, the poll engine and the stream as they are. Each of
// the devices is read again as soon as it was read. The plain loop is a
// goroutine a connection that writes the request and reads the answer. Both
// talk to one simulator in a process of its own, and take turns, so that a
// slow moment of the machine strikes both.
//
// Only the benchmark's runner imports it.
package path
