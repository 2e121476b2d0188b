package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func claimed(t *testing.T, s *Stream, partition int) uint64 {
	t.Helper()
	token, err := s.Claim(t.Context(), partition)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// counted is n readings whose values count on from first.
func counted(first, n int) []meter.Reading {
	out := sample(n)
	for i := range out {
		out[i].Value = float64(first + i)
	}
	return out
}

// inStream is every value that the stream holds, in order.
func inStream(t *testing.T, s *Stream, partition int) []float64 {
	t.Helper()
	str, err := s.js.Stream(t.Context(), string(Readings))
	if err != nil {
		t.Fatal(err)
	}
	var out []float64
	for seq := str.CachedInfo().State.FirstSeq; seq <= str.CachedInfo().State.LastSeq; seq++ {
		m, err := str.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject != s.readingsSubject(partition) {
			continue
		}
		rs, err := Decode(m.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rs {
			out = append(out, r.Value)
		}
	}
	return out
}

// onBoth runs a test on the embedded server, and on a replicated stream of
// three servers: they compare claims in different ways.
func onBoth(t *testing.T, test func(t *testing.T, open func(Config) *Stream)) {
	t.Helper()
	t.Run("one server", func(t *testing.T) {
		srv := external(t, t.TempDir(), -1)
		test(t, func(cfg Config) *Stream {
			cfg.URL = srv.ClientURL()
			return open(t, cfg)
		})
	})
	t.Run("three servers", func(t *testing.T) {
		c := threeServers(t)
		test(t, func(cfg Config) *Stream {
			cfg.URL, cfg.Guarantee = c.URL(), SurvivesHost
			return open(t, cfg)
		})
	})
}

func TestOnlyTheLastClaimPublishes(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(Config) *Stream) {
		a, b := open(Config{MessageBytes: 1}), open(Config{MessageBytes: 1})
		first := claimed(t, a, 7)
		if err := a.PublishClaimed(t.Context(), 7, first, counted(0, 5)); err != nil {
			t.Fatal(err)
		}
		second := claimed(t, b, 7)
		if second <= first {
			t.Fatalf("token %d after %d", second, first)
		}
		if err := a.PublishClaimed(t.Context(), 7, first, counted(100, 5)); !errors.Is(err, ErrClaimLost) || !strings.Contains(err.Error(), "after 0 of 5 messages") {
			t.Fatalf("the stale owner: %v", err)
		}
		if err := b.PublishClaimed(t.Context(), 7, second, counted(5, 5)); err != nil {
			t.Fatal(err)
		}
		// Other partitions, and readings without a claim, are not concerned.
		other := claimed(t, a, 8)
		if err := a.PublishClaimed(t.Context(), 8, other, counted(0, 1)); err != nil {
			t.Error(err)
		}
		publish(t, a, counted(200, 1))
		if got := fmt.Sprint(inStream(t, b, 7)); got != "[0 1 2 3 4 5 6 7 8 9]" {
			t.Errorf("partition 7 holds %s", got)
		}
		// The stale owner may claim again, under a later token.
		third := claimed(t, a, 7)
		if err := b.PublishClaimed(t.Context(), 7, second, counted(10, 1)); !errors.Is(err, ErrClaimLost) {
			t.Errorf("after the third claim: %v", err)
		}
		if err := a.PublishClaimed(t.Context(), 7, third, counted(10, 1)); err != nil {
			t.Error(err)
		}
		for name, token := range map[string]uint64{"an old token": first, "none": 0, "one to come": third + 1000} {
			if err := a.PublishClaimed(t.Context(), 7, token, counted(11, 1)); !errors.Is(err, ErrClaimLost) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestClaimLostInTheMiddle has two owners publish and claim against each
// other: what the stream holds of a partition is, for every claim, a run from
// the beginning of its batches, ended where the next claim begins.
func TestClaimLostInTheMiddle(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(Config) *Stream) {
		streams := []*Stream{open(Config{MessageBytes: 1}), open(Config{MessageBytes: 1})}
		type published struct {
			token uint64
			whole int // readings acknowledged
		}
		var mu sync.Mutex
		var all []published
		var wg sync.WaitGroup
		for _, s := range streams {
			wg.Go(func() {
				for range 6 {
					token, err := s.Claim(t.Context(), 3)
					if err != nil {
						t.Error(err)
						return
					}
					p := published{token: token}
					for err == nil && p.whole < 200 {
						batch := counted(p.whole, 20)
						for i := range batch { // unlike those of other claims
							batch[i].DeviceID = fmt.Sprint(token)
						}
						if err = s.PublishClaimed(t.Context(), 3, token, batch); err == nil {
							p.whole += len(batch)
						} else if !errors.Is(err, ErrClaimLost) {
							t.Error(err)
						}
					}
					mu.Lock()
					all = append(all, p)
					mu.Unlock()
					_ = sleep(t.Context(), time.Duration(rand.IntN(10))*time.Millisecond)
				}
			})
		}
		wg.Wait()
		got := make(map[string]int)
		last := ""
		err := readUntil(t, streams[0], Reader{Name: "test", Partition: 3}, func(rs []meter.Reading, _ uint64) error {
			for _, r := range rs {
				if r.DeviceID != last && got[r.DeviceID] > 0 {
					t.Errorf("readings of claim %s after those of claim %s", r.DeviceID, last)
				}
				if last = r.DeviceID; int(r.Value) != got[last] {
					t.Errorf("claim %s: reading %v where %d was next", last, r.Value, got[last])
				}
				got[last]++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			n := got[fmt.Sprint(p.token)]
			if n < p.whole || n >= p.whole+20 && p.whole < 200 {
				t.Errorf("claim %d: %d readings acknowledged, %d stored", p.token, p.whole, n)
			}
		}
	})
}

func TestOneOwnerManyCallers(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(Config) *Stream) {
		s := open(Config{MessageBytes: 1000})
		var wg sync.WaitGroup
		for partition := range 4 {
			token := claimed(t, s, partition)
			for caller := range 3 {
				wg.Go(func() {
					for b := range 5 {
						batch := counted(0, 60)
						for i := range batch {
							batch[i].DeviceID = fmt.Sprint(partition, caller, b)
						}
						if err := s.PublishClaimed(t.Context(), partition, token, batch); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		wg.Wait()
		for partition := range 4 {
			if n := len(inStream(t, s, partition)); n != 900 {
				t.Errorf("partition %d holds %d readings of 900", partition, n)
			}
		}
	})
}

// TestClaimOutlivesRetention publishes far more than the stream keeps.
func TestClaimOutlivesRetention(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(Config) *Stream) {
		s := open(Config{MaxBytes: 512 << 10, MessageBytes: 16 << 10})
		token := claimed(t, s, 1)
		idle := claimed(t, s, 2)
		for i := range 40 {
			if err := s.PublishClaimed(t.Context(), 1, token, counted(i*1000, 1000)); err != nil {
				t.Fatal(err)
			}
			s.renewClaims(t.Context()) // as the clock does every minute
		}
		info, err := s.info(t.Context(), Readings)
		if err != nil {
			t.Fatal(err)
		}
		if info.State.FirstSeq <= max(token, idle) {
			t.Fatal("the first markers are still there: nothing was tested")
		}
		if err := s.PublishClaimed(t.Context(), 2, idle, counted(0, 1)); err != nil {
			t.Errorf("a partition that rested: %v", err)
		}
		// Renewal does not go on for one that was given up.
		s.Unclaim(2, idle)
		if err := s.PublishClaimed(t.Context(), 2, idle, counted(1, 1)); !errors.Is(err, ErrClaimLost) {
			t.Errorf("after it was given up: %v", err)
		}
	})
}

// TestClaimOldEnoughIsRenewed ages a marker.
func TestClaimOldEnoughIsRenewed(t *testing.T) {
	s := open(t, Config{MaxAge: time.Hour})
	token := claimed(t, s, 1)
	c, _ := s.claimOf(1, token)
	s.renewClaims(t.Context())
	if c.marker != token {
		t.Error("a fresh marker was renewed")
	}
	c.at = c.at.Add(-16 * time.Minute)
	s.renewClaims(t.Context())
	if c.marker == token || time.Since(c.at) > time.Minute {
		t.Errorf("marker %d, token %d, %s old: not renewed", c.marker, token, time.Since(c.at))
	}
	if err := s.PublishClaimed(t.Context(), 1, token, counted(0, 1)); err != nil {
		t.Error(err)
	}
}

// TestClaimThatRetentionDropped loses the marker: nothing is stored until the
// owner claims again.
func TestClaimThatRetentionDropped(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(Config) *Stream) {
		s := open(Config{})
		token := claimed(t, s, 1)
		str, err := s.js.Stream(t.Context(), string(Readings))
		if err != nil {
			t.Fatal(err)
		}
		if err := str.DeleteMsg(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.PublishClaimed(t.Context(), 1, token, counted(0, 1)); !errors.Is(err, ErrClaimLost) {
				t.Fatalf("without a marker: %v", err)
			}
		}
		if err := s.PublishClaimed(t.Context(), 1, claimed(t, s, 1), counted(0, 1)); err != nil {
			t.Error(err)
		}
		if n := len(inStream(t, s, 1)); n != 1 {
			t.Errorf("%d readings stored, want 1", n)
		}
	})
}

// TestRenewalWhoseAcknowledgementWasLost finds the marker that it does not
// know of; one of another claim it does not take for its own.
func TestRenewalWhoseAcknowledgementWasLost(t *testing.T) {
	s := open(t, Config{})
	token := claimed(t, s, 1)
	renewal := nats.NewMsg(s.claimSubject(1))
	renewal.Header.Set(headerClaim, fmt.Sprint(token))
	if _, err := s.js.PublishMsg(t.Context(), renewal); err != nil {
		t.Fatal(err)
	}
	if err := s.PublishClaimed(t.Context(), 1, token, counted(0, 1)); err != nil {
		t.Fatal(err)
	}
	renewal.Header.Set(headerClaim, fmt.Sprint(token+1))
	if _, err := s.js.PublishMsg(t.Context(), renewal); err != nil {
		t.Fatal(err)
	}
	if err := s.PublishClaimed(t.Context(), 1, token, counted(1, 1)); !errors.Is(err, ErrClaimLost) {
		t.Fatalf("another's renewal: %v", err)
	}
}

// TestClaimAcrossALeaderChange stops the leader of the stream while an owner
// publishes: nothing that was acknowledged is lost or stored twice, and a
// stale owner stays out.
func TestClaimAcrossALeaderChange(t *testing.T) {
	c := threeServers(t)
	cfg := Config{URL: c.URL(), Guarantee: SurvivesHost, MessageBytes: 1}
	stale, s := open(t, cfg), open(t, cfg)
	old := claimed(t, stale, 1)
	token := claimed(t, s, 1)
	acknowledged := 0
	for i := range 30 {
		if i == 10 {
			c.stop(c.streamLeader())
		}
		if err := s.PublishClaimed(t.Context(), 1, token, counted(acknowledged, 10)); err != nil {
			t.Fatal(err)
		}
		acknowledged += 10
		if err := stale.PublishClaimed(t.Context(), 1, old, counted(1_000_000, 1)); !errors.Is(err, ErrClaimLost) {
			t.Fatalf("the stale owner: %v", err)
		}
	}
	got := inStream(t, s, 1)
	for i, v := range got {
		if v != float64(i) {
			t.Fatalf("reading %v where %d was next", v, i)
		}
	}
	if len(got) != acknowledged {
		t.Errorf("%d readings stored of %d acknowledged", len(got), acknowledged)
	}
}

func TestServersThatCompareClaims(t *testing.T) {
	for version, want := range map[string]bool{
		"2.9.24": false, "2.11.4": false, "2.12.0": true, "2.15.2": true, "2.12.0-RC.1": true, "3.0.0": true, "": false, "x": false,
	} {
		if comparesOtherSubjects(version) != want {
			t.Errorf("version %q: %v", version, !want)
		}
	}
}

// readUntil runs a reader until it has read everything there is.
func readUntil(t *testing.T, s *Stream, r Reader, fn func([]meter.Reading, uint64) error) error {
	t.Helper()
	info, err := s.info(t.Context(), Readings)
	if err != nil {
		t.Fatal(err)
	}
	end := r.After
	for seq := info.State.LastSeq; seq > r.After; seq-- { // the last that it gets
		str, err := s.js.Stream(t.Context(), string(Readings))
		if err != nil {
			t.Fatal(err)
		}
		m, err := str.GetMsg(t.Context(), seq)
		if err == nil && (r.Partition == AllPartitions || strings.HasSuffix(m.Subject, fmt.Sprint(".", r.Partition))) {
			end = seq
			break
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return s.ReadReadings(ctx, r, func(_ context.Context, rs []meter.Reading, last uint64) error {
		err := fn(rs, last)
		if err == nil && last >= end {
			cancel()
		}
		return err
	})
}
