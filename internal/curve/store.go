package curve

import (
	"context"
	"errors"
	"time"
)

// Store keeps meter-days with their features. Implementations live in
// sqlstore; Memory is the one that stores nothing beyond the process.
// Implementations are safe for concurrent use.
type Store interface {
	// PutDays stores days with the features computed for them, all or none.
	// A day that is already there is replaced as a new version, and the
	// earlier version is kept; the same day again changes nothing. An open
	// day (Day.Open) is replaced without keeping a version. Where the day
	// that is there holds edited intervals, Supersede says what is stored.
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

// What brought a version of a meter-day about.
const (
	OriginImported = "imported" // an AMI export
	OriginPolled   = "polled"   // registers that were polled, when the day closed
	OriginLate     = "late"     // readings that came after that
	OriginEdited   = "edited"   // a person, with a reason
)

// Origin says how a version of a meter-day came about.
type Origin struct {
	Rule   string // one of the origins above
	Author string // login of the person; empty for programs
	Reason string // in words: the person's, or what was late
}

// Version is one version of a meter-day. Every one is kept as it was.
type Version struct {
	Number  int // from 1
	At      time.Time
	Current bool
	Day     Day // with its Origin
}

// History shows the versions of a meter-day, oldest first.
type History interface {
	Versions(ctx context.Context, meterID string, date Date) ([]Version, error)
}

// Commit is what a reader of the stream stores at once, all or none: days, its
// state of some meters, and the position of the stream that both agree with.
type Commit struct {
	Reader   string // name of the reader, such as "curves.17"
	Token    uint64 // of its lease; a commit under a lower one than was stored is ErrFenced
	Position uint64 // sequence of the last message that is in

	Days     []Day
	Features []Features
	States   []State
}

// State is what a reader keeps of a meter, or of one of the meter's days,
// beside the curves, in the reader's own form. Empty data forget it.
type State struct {
	MeterID string
	Date    Date // 0: of the meter itself
	Data    []byte
}

// ErrFenced is returned by WorkStore.Commit where another reader has taken
// over: nothing was stored, and the caller must stop.
var ErrFenced = errors.New("another reader has taken over")

// WorkStore is what an Accumulator needs.
type WorkStore interface {
	Store
	History

	Commit(ctx context.Context, c *Commit) error
	// Position returns that of the last commit of a reader, 0 where there is none.
	Position(ctx context.Context, reader string) (uint64, error)
	// States calls fn with every meter's own state (Date 0) that the reader
	// stored last. data is valid during the call.
	States(ctx context.Context, reader string, fn func(meterID string, data []byte) error) error
	// State returns the own state of one meter, whichever reader stored it;
	// nil where there is none.
	State(ctx context.Context, meterID string) ([]byte, error)
	// DayState returns the state of one of a meter's days likewise.
	DayState(ctx context.Context, meterID string, date Date) ([]byte, error)
}
