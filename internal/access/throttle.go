package access

import (
	"container/list"
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Throttling: the first failures are free, then each doubles the wait.
const (
	freeFailures   = 5
	firstWait      = time.Second
	longestForName = time.Minute      // an attacker must not shut a person out for long
	longestForAddr = 15 * time.Minute //
	forgetAfter    = time.Hour        // without a failure
	keptAddresses  = 4096
	unknownBuckets = 1024
)

// failures counts failed logins of one key.
type failures struct {
	count int
	last  time.Time
}

// wait returns how long the key must still wait at now.
func (f *failures) wait(now time.Time, longest time.Duration) time.Duration {
	if now.Sub(f.last) > forgetAfter {
		f.count = 0
	}
	if f.count < freeFailures {
		return 0
	}
	pause := longest
	if shift := f.count - freeFailures; shift < 20 {
		pause = min(longest, firstWait<<shift)
	}
	return max(0, min(pause, f.last.Add(pause).Sub(now)))
}

// throttle slows logins down by name and by address in bounded memory. Names
// that exist are counted each for itself (there are as many as users); other
// names share hashed buckets, so that a flood of invented names costs nothing,
// and yet waits like a real one; addresses are the least recently failed ones.
type throttle struct {
	mu      sync.Mutex
	seed    maphash.Seed
	known   map[string]*failures
	unknown [unknownBuckets]failures
	addrs   map[string]*list.Element
	recent  *list.List // of *addrFailures, latest failure first
}

type addrFailures struct {
	key string
	failures
}

func newThrottle() *throttle {
	return &throttle{
		seed: maphash.MakeSeed(), known: map[string]*failures{},
		addrs: map[string]*list.Element{}, recent: list.New(),
	}
}

// reserve asks to try a login now. Where it grants one, the try counts as a
// failure at once, so that parallel tries cannot slip through before the first
// result; succeed takes it back.
func (t *throttle) reserve(login string, exists bool, addr string, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := t.name(login, exists)
	a := t.addr(addrKey(addr))
	if wait = max(name.wait(now, longestForName), a.wait(now, longestForAddr)); wait > 0 {
		return wait
	}
	name.count, name.last = name.count+1, now
	a.count, a.last = a.count+1, now
	return 0
}

// succeed forgives what the name failed before, and takes the reserved try of
// the address back. The address keeps its earlier failures: whoever holds one
// account must not buy guesses at others with it.
func (t *throttle) succeed(login, addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, login)
	a := t.addr(addrKey(addr))
	a.count = max(0, a.count-1)
}

// release takes back one reserved try that came to no result.
func (t *throttle) release(login string, exists bool, addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := t.name(login, exists)
	name.count = max(0, name.count-1)
	a := t.addr(addrKey(addr))
	a.count = max(0, a.count-1)
}

func (t *throttle) name(login string, exists bool) *failures {
	if !exists {
		return &t.unknown[maphash.String(t.seed, login)%unknownBuckets]
	}
	if t.known[login] == nil {
		t.known[login] = &failures{}
	}
	return t.known[login]
}

func (t *throttle) addr(key string) *failures {
	if e := t.addrs[key]; e != nil {
		t.recent.MoveToFront(e)
		return &e.Value.(*addrFailures).failures
	}
	if t.recent.Len() >= keptAddresses {
		oldest := t.recent.Back()
		delete(t.addrs, oldest.Value.(*addrFailures).key)
		t.recent.Remove(oldest)
	}
	a := &addrFailures{key: key}
	t.addrs[key] = t.recent.PushFront(a)
	return &a.failures
}

// addrKey makes one key of what one party holds: an IPv4 address, a /64 of
// IPv6. What is no address shares one key.
func addrKey(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return "unknown"
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if prefix, err := ip.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return ip.String()
}
