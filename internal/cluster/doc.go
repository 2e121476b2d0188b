// Package cluster lets equal hosts share work through one JetStream key-value
// bucket: who is there, who holds which partition of the devices, who leads,
// and parts of a run that any host may do.
//
// A host renews its heartbeat, one key of the bucket. A host whose heartbeat
// has not changed for the length of a lease, by the observer's own clock and
// in the order of the bucket's stream, is gone, and what it held may be taken.
// Clocks of machines are never compared. A holder counts its own lease from
// before it sent the last heartbeat that was stored, less a margin: it always
// stops before another may begin.
//
// A partition is taken, moved and given up by writing its key on condition of
// the revision that was seen, so that of two hosts one succeeds. After a lease
// ran out everything that was held is proven again, key by key, before
// anything goes on.
//
// What a lease cannot promise (a request that is on its way when the process
// is stopped, a virtual machine whose clock stood still) the fencing token
// does: the sequence of a host's claim in the stream, which the stream itself
// checks with every message. This package only passes it on.
//
// What does not live here: what a partition means to its holder
// (internal/host), and claims (internal/stream). Only internal/host imports
// this package.
package cluster
