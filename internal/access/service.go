package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Config wires a Service. Store and Clock are required.
type Config struct {
	Store  Store
	Clock  func() time.Time
	Cost   Cost // of a password hash; DefaultCost where zero
	Logger *slog.Logger
}

// Service is the one way to users. It is safe for concurrent use.
type Service struct {
	store    Store
	clock    func() time.Time
	hasher   *hasher
	throttle *throttle
	log      *slog.Logger
}

// NewService returns a service.
func NewService(c Config) (*Service, error) {
	if c.Store == nil || c.Clock == nil {
		return nil, errors.New("access: Config.Store or Config.Clock is missing; give it sqlstore's users or NewMemory(), and a clock")
	}
	if c.Cost == (Cost{}) {
		c.Cost = DefaultCost()
	}
	h, err := newHasher(c.Cost)
	if err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{store: c.Store, clock: c.Clock, hasher: h, throttle: newThrottle(), log: c.Logger}, nil
}

// NewUser is what AddUser needs.
type NewUser struct {
	Login       string
	DisplayName string // the login where empty
	Roles       []Role
	Password    string
}

// AddUser adds a person. ErrInvalid where login, role or password are not
// accepted, ErrExists where the login is taken.
func (s *Service) AddUser(ctx context.Context, n NewUser) (User, error) {
	u := User{Login: NormalLogin(n.Login), DisplayName: strings.TrimSpace(n.DisplayName), Created: s.clock().UTC()}
	if err := checkLogin(u.Login); err != nil {
		return User{}, err
	}
	if u.DisplayName == "" {
		u.DisplayName = u.Login
	}
	if len(u.DisplayName) > 4*maxLogin {
		return User{}, fmt.Errorf("login %q: %w: the display name is too long", u.Login, ErrInvalid)
	}
	if len(n.Roles) == 0 {
		return User{}, fmt.Errorf("login %q: %w: no role; give at least one", u.Login, ErrInvalid)
	}
	for _, r := range n.Roles {
		if _, err := ParseRole(string(r)); err != nil {
			return User{}, fmt.Errorf("login %q: %w: %w", u.Login, ErrInvalid, err)
		}
		if !u.Has(r) {
			u.Roles = append(u.Roles, r)
		}
	}
	if err := checkPassword(u.Login, n.Password); err != nil {
		return User{}, err
	}
	hash, err := s.hasher.hash(ctx, n.Password)
	if err != nil {
		return User{}, err
	}
	if err := s.store.Add(ctx, Record{User: u, Hash: hash}); err != nil {
		return User{}, fmt.Errorf("add user: %w", err)
	}
	s.log.InfoContext(ctx, "user added", "roles", len(u.Roles))
	return u, nil
}

// SetPassword gives a user a new password.
func (s *Service) SetPassword(ctx context.Context, login, password string) error {
	login = NormalLogin(login)
	if err := checkPassword(login, password); err != nil {
		return err
	}
	return s.change(ctx, login, "password set", func(r *Record) (err error) {
		r.Hash, err = s.hasher.hash(ctx, password)
		return err
	})
}

// Disable keeps a person out, or lets them in again. The record stays.
func (s *Service) Disable(ctx context.Context, login string, disabled bool) error {
	return s.change(ctx, NormalLogin(login), "user disabled or enabled", func(r *Record) error {
		r.Disabled = disabled
		return nil
	})
}

func (s *Service) change(ctx context.Context, login, what string, edit func(*Record) error) error {
	r, err := s.store.Get(ctx, login)
	if err != nil {
		return err
	}
	if err := edit(&r); err != nil {
		return err
	}
	if err := s.store.Update(ctx, r); err != nil {
		return fmt.Errorf("change user: %w", err)
	}
	s.log.InfoContext(ctx, what)
	return nil
}

// Users returns everybody, by login.
func (s *Service) Users(ctx context.Context) ([]User, error) { return s.store.List(ctx) }

// User returns a person who may come in; ErrNotFound where there is none or
// where the person is disabled.
func (s *Service) User(ctx context.Context, login string) (User, error) {
	r, err := s.store.Get(ctx, NormalLogin(login))
	if err != nil {
		return User{}, err
	}
	if r.Disabled {
		return User{}, fmt.Errorf("disabled: %w", ErrNotFound)
	}
	return r.User, nil
}

// Authenticate checks a login from a remote address ("host:port" or "host").
// It returns ErrBadLogin, whether the name or the password was wrong or the
// person is disabled, or a *ThrottledError after too many failures. It takes
// the same time for a name that does not exist.
func (s *Service) Authenticate(ctx context.Context, login, password, remote string) (User, error) {
	login = NormalLogin(login)
	r, err := s.store.Get(ctx, login)
	exists := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return User{}, fmt.Errorf("check login: %w", err)
	}
	if wait := s.throttle.reserve(login, exists, remote, s.clock()); wait > 0 {
		s.log.WarnContext(ctx, "login throttled", "retry_after", wait.Round(time.Second).String())
		return User{}, &ThrottledError{RetryAfter: wait}
	}
	hash := r.Hash
	if !exists {
		hash = s.hasher.decoy
	}
	if len(password) > 2*maxPasswordBytes {
		password = "" // no password is so long; an empty one is nobody's either
	}
	matched, err := s.hasher.matches(ctx, hash, password)
	if err != nil {
		s.throttle.release(login, exists, remote)
		return User{}, fmt.Errorf("check login: %w", err)
	}
	if !matched || !exists || r.Disabled {
		s.log.WarnContext(ctx, "login failed")
		return User{}, ErrBadLogin
	}
	s.throttle.succeed(login, remote)
	s.log.InfoContext(ctx, "login")
	return r.User, nil
}
