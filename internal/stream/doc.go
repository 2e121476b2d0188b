// Package stream carries readings from polling to everything after it, and
// what is made of them from stage to stage, over NATS JetStream with file
// storage: embedded in this process by default, or an external server or
// cluster by URL.
//
// # Guarantees
//
// A reading counts as acknowledged when PublishReadings or PublishClaimed has
// returned nil, a message of a topic when Publish has. What an acknowledged
// one survives is Config.Guarantee:
//
//   - process: killing this process, at any moment, loses nothing: JetStream
//     has handed it to the operating system. Losing power may lose the last
//     two minutes.
//   - power: the disk has it before it is acknowledged, at a tenth of the
//     speed unless batches are large (PowerBatchBytes).
//   - host: three servers of an external cluster have it.
//
// Messages older than the topic's age or beyond its bytes are dropped, the
// oldest first, whether or not anybody has read them. The readings' limits are
// Config.MaxAge and MaxBytes; other topics keep a tenth of the bytes each. From
// four fifths of a limit on, a warning names every consumer with unread
// messages among the next to go (gridwarden_stream_danger).
//
// # Once
//
// Delivery is at least once. A sender that repeats a message within the
// stream's window (two minutes for readings, whose id is a hash of the content;
// an hour for topics, whose id the sender gives) stores it once, also across
// restarts. One that repeats itself later stores it twice: an outbox that was
// cut off for longer may. And a receiver gets a message again after a crash, or
// when its acknowledgement was lost. So every receiver must bear repetitions:
//
//   - the historian writes points, and a point twice is one point;
//   - curves read by position (ReadReadings) and store the position together
//     with what they made of the readings: nothing lost, nothing twice;
//   - a consumer of a topic keeps by Message.ID, or does what done twice is
//     done once.
//
// What nobody can use goes to the dead letters with the reason: undecodable
// readings, what a consumer sets aside (SetAside) or calls Poison. Everything
// else that fails comes again, after growing waits, with the back-pressure in
// the stream and not in memory.
//
// # Subjects
//
//	readings.SOURCE.PARTITION  readings of a site, of a part of its devices
//	claims.SOURCE.PARTITION    markers of who may send them; same stream
//	meter_days.KEY, findings.KEY, case_events.KEY, work.KEY
//	dead.TOPIC                 dead letters
//
// SOURCE is the site's name, so that the number of subjects is bounded. Earlier
// versions published on readings.SOURCE; such messages are read as well, by
// ConsumeReadings and by readers of AllPartitions.
//
// # Claims
//
// A host that has leased a partition claims it: it stores a marker, whose
// sequence is the token. Readings published under the token carry what the
// last sequence of the marker's subject must be, and JetStream itself refuses
// those of an owner that has been replaced: the comparison is part of storing.
// A replicated stream compares one message of a partition after the other
// (a second one on the way is refused, and tried again here), so a partition's
// messages are not pipelined; they are batches, and partitions do not wait for
// each other. NATS 2.12 or later is needed.
//
// The marker is a message like others and would be dropped in time: it is
// renewed when a quarter of the age or of the bytes is behind it, by the owner
// who publishes or, where he has nothing to publish, by the clock; the token
// stays the same. A renewal itself carries the comparison, so that it cannot
// undo another's claim. If a marker is lost all the same, nothing is taken
// under its token (ErrClaimLost) until the owner claims again.
//
// # Positions
//
// A positioned reader has a consumer without acknowledgements that begins after
// its position. The reader makes a new one, from the last message that was
// handed out, when the consumer is gone (a server restarted, or it idled for
// long), when its messages do not follow each other, and when fetching fails.
// It says loudly when the stream begins after its position, for then readings
// were dropped unread (gridwarden_stream_dropped_unread_total), and when the
// stream ends before it, for then it is another stream.
//
// The stored form of readings is this package's own compact codec, see
// codec.go.
//
// What does not live here: what is done with a reading (internal/historian,
// internal/curve), when devices are read (internal/poll), and who leases which
// partition (internal/cluster, to whom internal/host hands Stream.JetStream).
// Only internal/host imports this package; benchmarks of its neighbours do.
package stream
