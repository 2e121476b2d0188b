package access_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/access"
	"github.com/gridwarden/gridwarden/internal/access/accesstest"
)

// cheap makes hashes that tests can afford.
var cheap = access.Cost{MemoryKiB: 64, Passes: 1, Threads: 1}

const good = "correct horse battery staple"

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newService(t testing.TB, log *slog.Logger) (*access.Service, *clock) {
	t.Helper()
	at := &clock{now: time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)}
	s, err := access.NewService(access.Config{Store: access.NewMemory(), Clock: at.Now, Cost: cheap, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddUser(t.Context(), access.NewUser{Login: "lin.wei", DisplayName: "Lin Wei", Roles: []access.Role{access.CaseOfficer}, Password: good}); err != nil {
		t.Fatal(err)
	}
	return s, at
}

func TestMemoryConforms(t *testing.T) {
	accesstest.Conform(t, func(*testing.T) access.Store { return access.NewMemory() })
}

func TestNewServiceNamesWhatIsMissing(t *testing.T) {
	for _, c := range []access.Config{{}, {Store: access.NewMemory()}, {Store: access.NewMemory(), Clock: time.Now, Cost: access.Cost{MemoryKiB: 1 << 30, Passes: 1, Threads: 1}}} {
		if _, err := access.NewService(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

func TestAddUserRefuses(t *testing.T) {
	officer := []access.Role{access.CaseOfficer}
	for _, tc := range []struct {
		name string
		user access.NewUser
		want string
	}{
		{"empty login", access.NewUser{Login: " ", Roles: officer, Password: good}, "write 1 to 64 letters"},
		{"login with a space", access.NewUser{Login: "wu gang", Roles: officer, Password: good}, "write 1 to 64 letters"},
		{"endless login", access.NewUser{Login: strings.Repeat("x", 100000), Roles: officer, Password: good}, "write 1 to 64 letters"},
		{"taken login", access.NewUser{Login: "LIN.WEI", Roles: officer, Password: good}, "the login is taken"},
		{"taken login in wide letters", access.NewUser{Login: "ｌin.wei", Roles: officer, Password: good}, "the login is taken"},
		{"no role", access.NewUser{Login: "a", Password: good}, "no role; give at least one"},
		{"unknown role", access.NewUser{Login: "a", Roles: []access.Role{"god"}, Password: good}, `"god" is not a role; write one of viewer`},
		{"long display name", access.NewUser{Login: "a", DisplayName: strings.Repeat("x", 1000), Roles: officer, Password: good}, "display name is too long"},
		{"short password", access.NewUser{Login: "a", Roles: officer, Password: "elevenchars"}, "it has 11 characters; use at least 12"},
		{"short in characters", access.NewUser{Login: "a", Roles: officer, Password: "密码密码密码密码"}, "it has 8 characters"},
		{"endless password", access.NewUser{Login: "a", Roles: officer, Password: strings.Repeat("abcdefgh", 40)}, "it has 320 bytes; use at most 256"},
		{"repetition", access.NewUser{Login: "a", Roles: officer, Password: "ababababababab"}, "it repeats 2 characters"},
		{"own login", access.NewUser{Login: "wu.gang", Roles: officer, Password: "My-Wu.Gang-2026"}, "it contains the login name"},
		{"first guess", access.NewUser{Login: "a", Roles: officer, Password: "Password2026!"}, `built around "password"`},
		{"not text", access.NewUser{Login: "a", Roles: officer, Password: "\xff\xfe correct horse"}, "it is not UTF-8 text"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, _ := newService(t, nil)
			_, err := s.AddUser(t.Context(), tc.user)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			if !errors.Is(err, access.ErrInvalid) && !errors.Is(err, access.ErrExists) {
				t.Fatalf("%v is neither ErrInvalid nor ErrExists", err)
			}
			if strings.Contains(err.Error(), tc.user.Password) {
				t.Fatal("the error shows the password")
			}
		})
	}
}

func TestLogin(t *testing.T) {
	s, _ := newService(t, nil)
	ctx := t.Context()
	u, err := s.Authenticate(ctx, " Lin.Wei ", good, "192.0.2.1:5555")
	if err != nil || u.Login != "lin.wei" || u.DisplayName != "Lin Wei" || !u.Has(access.CaseOfficer) || u.Has(access.Admin) {
		t.Fatalf("got %+v, %v", u, err)
	}
	for _, tc := range []struct{ login, password string }{
		{"lin.wei", good + " "}, {"lin.wei", ""}, {"nobody", good}, {"", ""}, {"lin.wei", strings.Repeat("x", 1<<20)},
	} {
		if _, err := s.Authenticate(ctx, tc.login, tc.password, "192.0.2.9"); !errors.Is(err, access.ErrBadLogin) {
			t.Errorf("%.20q with %.20q: %v, want ErrBadLogin", tc.login, tc.password, err)
		}
	}
}

func TestComposedAndDecomposedPasswordsAreOne(t *testing.T) {
	s, _ := newService(t, nil)
	if _, err := s.AddUser(t.Context(), access.NewUser{Login: "jose", Roles: []access.Role{access.Viewer}, Password: "caf\u00e9 verde y luna"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(t.Context(), "jose", "cafe\u0301 verde y luna", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
}

func TestDisabledAndChanged(t *testing.T) {
	s, at := newService(t, nil)
	ctx := t.Context()
	if err := s.Disable(ctx, "lin.wei", true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(ctx, "lin.wei", good, "192.0.2.1"); !errors.Is(err, access.ErrBadLogin) {
		t.Errorf("a disabled person came in: %v", err)
	}
	if _, err := s.User(ctx, "lin.wei"); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("a disabled person's session goes on: %v", err)
	}
	if err := s.Disable(ctx, "lin.wei", false); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPassword(ctx, "lin.wei", "short"); !errors.Is(err, access.ErrInvalid) {
		t.Errorf("a short password was set: %v", err)
	}
	if err := s.SetPassword(ctx, "nobody.here", good); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("a password for nobody: %v", err)
	}
	if err := s.SetPassword(ctx, "lin.wei", "wind over the eastern hills"); err != nil {
		t.Fatal(err)
	}
	at.add(2 * time.Hour)
	if _, err := s.Authenticate(ctx, "lin.wei", good, "192.0.2.1"); !errors.Is(err, access.ErrBadLogin) {
		t.Errorf("the old password still works: %v", err)
	}
	if _, err := s.Authenticate(ctx, "lin.wei", "wind over the eastern hills", "192.0.2.1"); err != nil {
		t.Error(err)
	}
	users, err := s.Users(ctx)
	if err != nil || len(users) != 1 || users[0].Login != "lin.wei" {
		t.Errorf("users %+v, %v", users, err)
	}
}

func TestGeneratedPasswordsPass(t *testing.T) {
	s, _ := newService(t, nil)
	seen := map[string]bool{}
	for i := range 200 {
		password := access.GeneratePassword()
		if seen[password] || len(password) != 23 {
			t.Fatalf("password %d: repeated or %d characters long", i, len(password))
		}
		seen[password] = true
		if err := s.SetPassword(t.Context(), "lin.wei", password); err != nil {
			t.Fatal(err)
		}
	}
}

func retryAfter(err error) time.Duration {
	var throttled *access.ThrottledError
	if !errors.As(err, &throttled) {
		return 0
	}
	return throttled.RetryAfter
}

// tryOut fails until the service throttles, and returns how many tries it took.
func tryOut(t *testing.T, try func() error) (tries int, wait time.Duration) {
	t.Helper()
	for tries < 100 {
		err := try()
		if wait = retryAfter(err); wait > 0 {
			return tries, wait
		}
		if !errors.Is(err, access.ErrBadLogin) {
			t.Fatal(err)
		}
		tries++
	}
	t.Fatal("never throttled")
	return 0, 0
}

func TestThrottling(t *testing.T) {
	for _, tc := range []struct {
		name  string
		login func(i int) string
		addr  func(i int) string
	}{
		{"one name from many addresses", func(int) string { return "lin.wei" }, func(i int) string { return fmt.Sprintf("198.51.100.%d:1", i) }},
		{"an unknown name from many addresses", func(int) string { return "nobody" }, func(i int) string { return fmt.Sprintf("198.51.100.%d:1", i) }},
		{"many names from one address", func(i int) string { return fmt.Sprintf("user%d", i) }, func(int) string { return "203.0.113.7:99" }},
		{"many names from one IPv6 network", func(i int) string { return fmt.Sprintf("user%d", i) }, func(i int) string { return fmt.Sprintf("[2001:db8::%x]:99", i+1) }},
		{"many names from an address in two spellings", func(i int) string { return fmt.Sprintf("user%d", i) },
			func(i int) string { return []string{"203.0.113.8", "::ffff:203.0.113.8"}[i%2] }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, at := newService(t, nil)
			i := 0
			try := func() error {
				i++
				_, err := s.Authenticate(t.Context(), tc.login(i), "wrong", tc.addr(i))
				return err
			}
			tries, wait := tryOut(t, try)
			if tries != 5 || wait != time.Second {
				t.Fatalf("throttled after %d tries for %s, want 5 and 1s", tries, wait)
			}
			at.add(wait)
			if tries, wait = tryOut(t, try); tries != 1 || wait != 2*time.Second {
				t.Fatalf("then after %d tries for %s, want 1 and 2s", tries, wait)
			}
			at.add(wait + 90*time.Minute) // forgotten
			if tries, _ = tryOut(t, try); tries != 5 {
				t.Fatalf("after a long pause throttled after %d tries, want 5", tries)
			}
		})
	}
}

// A throttled person is refused with the right password too, and for a minute
// at the most; afterwards the count starts anew.
func TestThrottledPersonComesBackIn(t *testing.T) {
	s, at := newService(t, nil)
	n := 0
	for range 40 {
		n++
		_, err := s.Authenticate(t.Context(), "lin.wei", "wrong", fmt.Sprintf("198.51.100.%d", n))
		if wait := retryAfter(err); wait > time.Minute {
			t.Fatalf("a name is shut out for %s", wait)
		} else if wait > 0 {
			at.add(wait)
		}
	}
	if _, err := s.Authenticate(t.Context(), "lin.wei", "wrong", "192.0.2.77"); retryAfter(err) == 0 && !errors.Is(err, access.ErrBadLogin) {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(t.Context(), "lin.wei", good, "192.0.2.78"); retryAfter(err) == 0 {
		t.Fatalf("throttled, and yet: %v", err)
	}
	at.add(time.Minute)
	if _, err := s.Authenticate(t.Context(), "lin.wei", good, "192.0.2.78"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(t.Context(), "lin.wei", "wrong", "192.0.2.79"); !errors.Is(err, access.ErrBadLogin) {
		t.Fatalf("after a good login the first mistake is %v", err)
	}
}

// Whoever holds one account must not buy guesses at others with it.
func TestAGoodLoginDoesNotClearTheAddress(t *testing.T) {
	s, _ := newService(t, nil)
	const addr = "203.0.113.50"
	for i := range 4 {
		if _, err := s.Authenticate(t.Context(), fmt.Sprintf("victim%d", i), "wrong", addr); !errors.Is(err, access.ErrBadLogin) {
			t.Fatal(err)
		}
	}
	if _, err := s.Authenticate(t.Context(), "lin.wei", good, addr); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(t.Context(), "victim5", "wrong", addr); !errors.Is(err, access.ErrBadLogin) {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(t.Context(), "victim6", "wrong", addr); retryAfter(err) == 0 {
		t.Fatalf("the address's failures were forgiven: %v", err)
	}
}

func TestParallelTriesAreCounted(t *testing.T) {
	s, _ := newService(t, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	judged := 0
	for i := range 50 {
		wg.Go(func() {
			_, err := s.Authenticate(t.Context(), "lin.wei", "wrong", fmt.Sprintf("198.51.100.%d", i))
			if errors.Is(err, access.ErrBadLogin) {
				mu.Lock()
				judged++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if judged != 5 {
		t.Fatalf("%d parallel tries were judged, want 5", judged)
	}
}

func TestACancelledTryIsNotCounted(t *testing.T) {
	s, _ := newService(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		// Either outcome of the race between slot and cancellation is allowed,
		// but a cancelled try must not throttle.
		if _, err := s.Authenticate(ctx, "lin.wei", good, "192.0.2.1"); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if _, err := s.Authenticate(t.Context(), "lin.wei", good, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
}

func TestTheLogNamesNobody(t *testing.T) {
	var text bytes.Buffer
	s, _ := newService(t, slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for range 8 {
		_, _ = s.Authenticate(t.Context(), "lin.wei", "wrong guess of mine", "203.0.113.9:1")
	}
	_, _ = s.Authenticate(t.Context(), "nobody.else", "wrong guess of mine", "203.0.113.10:1")
	if err := s.Disable(t.Context(), "lin.wei", true); err != nil {
		t.Fatal(err)
	}
	if text.Len() == 0 {
		t.Fatal("nothing was logged")
	}
	for _, private := range []string{"lin.wei", "Lin Wei", "nobody.else", "wrong guess", good, "203.0.113", "argon2"} {
		if strings.Contains(text.String(), private) {
			t.Errorf("the log holds %q:\n%s", private, text.String())
		}
	}
}
