package cases

import (
	"context"
	"errors"
)

// Errors that callers decide on.
var (
	ErrNotFound = errors.New("no such case")
	// ErrConflict means that the case moved on since the caller read it.
	ErrConflict = errors.New("the case has changed meanwhile; read it again")
	// ErrExists means that the subject has an open case already.
	ErrExists = errors.New("the subject has a case already")
	// ErrInvalid means that a command lacks something.
	ErrInvalid = errors.New("not accepted")
)

// Store keeps cases as appended events. Each method is one transaction;
// implementations are safe for concurrent use, also of several processes.
type Store interface {
	// Create takes the next number of the year, calls open with the case's id
	// and stores the first event it returns. Numbers of a year have no gaps: a
	// failed Create takes none. ErrExists where the subject has a case.
	Create(ctx context.Context, year int, subject Subject, open func(id string) Event) (*Case, error)
	// Append stores events that follow version of the case, all or none.
	// ErrConflict where the case is at another version, ErrNotFound without it.
	Append(ctx context.Context, id string, version int, events []Event) (*Case, error)
	// Get returns a case with its timeline, or ErrNotFound.
	Get(ctx context.Context, id string) (*Case, error)
	// BySubject returns the subject's case without its timeline, nil where there is none.
	BySubject(ctx context.Context, subject Subject) (*Case, error)
	// List returns cases without their timelines, newest first.
	List(ctx context.Context, f Filter) ([]Case, error)
	// Count returns how many cases are in each state.
	Count(ctx context.Context) (map[State]int, error)
}
