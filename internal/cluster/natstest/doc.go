// Package natstest runs a cluster of real NATS servers for tests: each is a
// process of its own, the test's binary once more, on free loopback ports and
// with its own folder, and can be killed and started again.
package natstest
