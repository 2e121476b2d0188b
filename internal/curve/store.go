package curve

import "context"

// Store keeps meter-days with their features. Implementations live in
// sqlstore; Memory is the one that stores nothing beyond the process.
// Implementations are safe for concurrent use.
type Store interface {
	// PutDays stores days with the features computed for them, all or none.
	// A day that is already there is replaced as a new version; raw values
	// of earlier versions are kept.
	PutDays(ctx context.Context, days []Day, features []Features) error

	// Days returns the latest version of one meter's days from first to last
	// (both inclusive), in date order; days that are not there are left out.
	Days(ctx context.Context, meterID string, first, last Date) ([]Day, error)

	// Features calls fn for each meter-day from first to last (both
	// inclusive), in any order of meters. It stops on fn's first error.
	Features(ctx context.Context, first, last Date, fn func(meterID string, date Date, f *Features) error) error

	// Span returns the first and the last date that hold any day; ok is false
	// where the store is empty.
	Span(ctx context.Context) (first, last Date, ok bool, err error)
}
