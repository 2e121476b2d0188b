package curve

import "context"

// Store keeps meter-days with their features. Implementations live in
// sqlstore; Memory is the one that stores nothing beyond the process.
// Implementations are safe for concurrent use.
type Store interface {
	// PutDays stores days with the features computed for them, all or none.
	// A day that is already there is replaced as a new version, and the
	// earlier version is kept; the same day again changes nothing. An open
	// day (Day.Open) is replaced without keeping a version.
	PutDays(ctx context.Context, days []Day, features []Features) error

	// Days returns the latest version of one meter's days from first to last
	// (both inclusive), in date order, open ones too; days that are not
	// there are left out.
	Days(ctx context.Context, meterID string, first, last Date) ([]Day, error)

	// Features calls fn for each closed meter-day from first to last (both
	// inclusive), in any order of meters. It stops on fn's first error. f is
	// valid during the call.
	Features(ctx context.Context, first, last Date, fn func(meterID string, date Date, f *Features) error) error

	// Span returns the first and the last date that hold a closed day; ok is
	// false where there is none.
	Span(ctx context.Context) (first, last Date, ok bool, err error)
}

// Transactional stores can make several PutDays one: all of what fn puts into
// tx is kept where fn returns nil, none of it otherwise.
type Transactional interface {
	Atomically(ctx context.Context, fn func(ctx context.Context, tx Store) error) error
}

// Checkpoints keep small states by name, so that a reader resumes where it was.
type Checkpoints interface {
	SaveCheckpoint(ctx context.Context, name string, data []byte) error
	// LoadCheckpoint returns nil where there is none.
	LoadCheckpoint(ctx context.Context, name string) ([]byte, error)
}

// KeepingStore is what an Accumulator needs: days and its own state.
type KeepingStore interface {
	Store
	Checkpoints
}
