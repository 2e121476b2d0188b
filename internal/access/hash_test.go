package access

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestHashes(t *testing.T) {
	h, err := newHasher(Cost{MemoryKiB: 64, Passes: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	one, err := h.hash(context.Background(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	two, err := h.hash(context.Background(), "correct horse")
	if err != nil || one == two || !strings.HasPrefix(one, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatalf("%s and %s, %v", one, two, err)
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horsf": false, "": false} {
		if got, err := h.matches(context.Background(), one, password); err != nil || got != want {
			t.Errorf("%q matches: %v, %v", password, got, err)
		}
	}
}

// knownHash is a vector of the reference implementation's own test (password
// "password", salt "somesalt").
const knownHash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

func TestKnownHash(t *testing.T) {
	h, err := newHasher(Cost{MemoryKiB: 64, Passes: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.matches(context.Background(), knownHash, "password"); err != nil || !ok {
		t.Errorf("matches: %v, %v", ok, err)
	}
}

func TestDamagedHashesAreRefusedWithoutCost(t *testing.T) {
	h, err := newHasher(Cost{MemoryKiB: 64, Passes: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	const salt, key = "c2FsdHNhbHRzYWx0", "a2V5a2V5a2V5a2V5a2V5a2V5"
	for _, phc := range []string{
		"", "x", "$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + key, "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=4294967295,t=1,p=1$" + salt + "$" + key, "$argon2id$v=19$m=64,t=4000000000,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + key, "$argon2id$v=19$m=64,t=1,p=0$" + salt + "$" + key,
		"$argon2id$v=19$m=64,t=1$" + salt + "$" + key, "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$", "$argon2id$v=19$m=64,t=1,p=1$!$" + key,
	} {
		start := time.Now()
		if ok, err := h.matches(context.Background(), phc, "x"); ok || err == nil {
			t.Errorf("%q: %v, %v", phc, ok, err)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("%q took %s", phc, d)
		}
	}
}

// The work done for a name that does not exist is that of a real one: the
// decoy has the parameters of every new hash.
func TestTheDecoyCostsAsMuch(t *testing.T) {
	h, err := newHasher(DefaultCost())
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := h.hash(context.Background(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	a, saltA, keyA, errA := parsePHC(h.decoy)
	b, saltB, keyB, errB := parsePHC(fresh)
	if errA != nil || errB != nil || a != b || a != DefaultCost() || len(saltA) != len(saltB) || len(keyA) != len(keyB) {
		t.Fatalf("decoy %+v, fresh %+v", a, b)
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(knownHash)
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, phc string) {
		c, salt, key, err := parsePHC(phc)
		if err == nil && (c.MemoryKiB > maxMemoryKiB || c.Passes > maxPasses || c.Threads > maxThreads || c.Threads == 0 || len(salt) == 0 || len(key) < 16) {
			t.Fatalf("%q was accepted as %+v", phc, c)
		}
	})
}

func TestThrottleStaysSmall(t *testing.T) {
	th := newThrottle()
	now := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	for i := range 3 * keptAddresses {
		th.reserve(fmt.Sprint("invented", i), false, fmt.Sprintf("198.51.%d.%d:1", i/256, i%256), now)
	}
	if len(th.known) != 0 || len(th.addrs) > keptAddresses || th.recent.Len() != len(th.addrs) {
		t.Fatalf("%d names and %d addresses are kept", len(th.known), len(th.addrs))
	}
}
