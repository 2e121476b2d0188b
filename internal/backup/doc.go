// Package backup writes one file with all that an installation cannot get back
// otherwise, reads it again, and refuses files that are damaged or hostile.
//
// The file is a zip archive whose parts are stored as they are:
//
//	files/…            keys and small files of the data folder
//	database.dump      the database, in a form that every engine takes
//	streams/TOPIC      snapshots of the streams, with sequences and consumers
//	manifest.json      last: what is in, with sizes and SHA-256
//
// It is taken while the program runs, and in that order, because each part may
// then be older than those after it and nothing is lost:
//
//   - Files before the database. imports.json says which exports have been
//     imported. An older one has an export imported again, which changes
//     nothing; a newer one would claim days that the dump does not hold.
//   - The database before the streams. It holds how far curves have read the
//     stream, together with what they made of it. From an older position the
//     stream gives the readings after it once more, and they are counted once,
//     since the position and the days were stored together. A newer position
//     than the stream's would skip readings. Likewise letters of the outbox: one
//     that was sent after the dump is sent again, under the same id.
//   - What the historian has acknowledged in the streams is in InfluxDB, which
//     has tools of its own; a copy of InfluxDB taken after this backup lacks
//     nothing, and what is written to it again after a restore is the same
//     points.
//
// A reading that was acknowledged before the backup began is in the database's
// days or in the streams, or has left the streams by their retention.
//
// Nothing here knows the database or the streams: internal/host hands in how
// they are written and read.
package backup
