package access

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors that callers decide on.
var (
	ErrNotFound = errors.New("no such user")
	ErrExists   = errors.New("the login is taken")
	ErrInvalid  = errors.New("not accepted")
	// ErrBadLogin does not tell whether the name or the password was wrong.
	ErrBadLogin = errors.New("wrong name or password")
)

// ThrottledError is returned where too many logins failed.
type ThrottledError struct{ RetryAfter time.Duration }

// Error names the waiting time.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many failed logins; try again in %s", e.RetryAfter.Round(time.Second))
}

// Record is a user with the password hash, as stored.
type Record struct {
	User
	Hash string // PHC string of Argon2id
}

// Store keeps users. Implementations are safe for concurrent use.
type Store interface {
	// Add stores a new user; ErrExists where the login is taken.
	Add(ctx context.Context, r Record) error
	// Update replaces the record of a login; ErrNotFound where there is none.
	Update(ctx context.Context, r Record) error
	// Get returns the record of a login; ErrNotFound where there is none.
	Get(ctx context.Context, login string) (Record, error)
	// List returns all users by login.
	List(ctx context.Context) ([]User, error)
}
