// Package stream carries readings from polling to everything after it, over
// NATS JetStream with file storage: embedded in this process by default, or
// an external server or cluster by URL.
//
// A reading counts as acknowledged when PublishReadings has returned nil.
// What that means:
//
//   - Killing this process, at any moment, loses no acknowledged reading:
//     JetStream has handed it to the operating system.
//   - Losing power may lose the last SyncInterval of an embedded server (two
//     minutes by default); SyncAlways closes that gap at a tenth of the speed.
//   - Losing the host's disk needs an external cluster and Replicas of 3.
//   - Readings older than MaxAge or beyond MaxBytes are dropped, the oldest
//     first, whether or not anybody has read them; a warning is logged well
//     before that happens to unread ones.
//
// Delivery is at least once. A sender that repeats a batch within two minutes
// stores it once (the message id is a hash of the content); a receiver must
// bear a batch that comes again after a crash.
//
// Subjects: readings.SOURCE, where SOURCE is the name of the sending host, so
// that their number is bounded; dead.readings for messages that no consumer
// can use, each with its reason.
//
// The stored form is this package's own compact codec, see codec.go.
//
// What does not live here: what is done with a reading (internal/historian,
// internal/curve) and when devices are read (internal/poll). Only
// internal/host imports this package.
package stream
