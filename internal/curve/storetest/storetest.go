package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Run runs the suite on stores that open makes, each empty.
func Run(t *testing.T, open func(t *testing.T) curve.WorkStore) {
	for _, c := range []struct {
		name string
		test func(*testing.T, curve.WorkStore)
	}{
		{"empty", testEmpty}, {"round trip", testRoundTrip}, {"all or none", testAllOrNone}, {"replace", testReplace},
		{"open days", testOpenDays}, {"features", testFeatures}, {"transaction", testTransaction},
		{"concurrent", testConcurrent}, {"long span", testLongSpan}, {"edits", testEdits}, {"accumulator", testAccumulator}, {"many meters", testManyMeters},
		{"versions", testVersions}, {"reopen", testReopen}, {"twice in one put", testTwiceInOnePut}, {"new features", testNewFeatures},
		{"commit", testCommit}, {"fencing", testFencing}, {"commit all or none", testCommitAllOrNone},
		{"concurrent commits", testConcurrentCommits}, {"many states", testManyStates}, {"encoded", testEncoded},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// Day makes a meter-day whose interval i has energy (seed+i)/1000 kWh.
func Day(meterID string, date curve.Date, seed int) curve.Day {
	d := curve.Day{MeterID: meterID, Date: date, Start: date.Start(time.UTC), Interval: 15 * time.Minute,
		EnergyKWh: make([]float64, 96), Quality: make([]meter.Quality, 96)}
	for i := range d.EnergyKWh {
		d.EnergyKWh[i] = float64(seed+i) / 1000
		d.Quality[i] = meter.Good
	}
	return d
}

func put(t *testing.T, s curve.Store, days ...curve.Day) {
	t.Helper()
	if err := s.PutDays(t.Context(), days, compute(days)); err != nil {
		t.Fatal(err)
	}
}

func compute(days []curve.Day) []curve.Features {
	features := make([]curve.Features, len(days))
	for i := range days {
		features[i] = curve.Compute(&days[i])
	}
	return features
}

func days(t *testing.T, s curve.Store, meterID string, first, last curve.Date) []curve.Day {
	t.Helper()
	got, err := s.Days(t.Context(), meterID, first, last)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantDays(t *testing.T, got []curve.Day, want ...curve.Day) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d days, want %d", len(got), len(want))
	}
	for i := range got {
		if fmt.Sprint(got[i]) != fmt.Sprint(want[i]) { // NaN prints as NaN
			t.Errorf("day %d: got %v, want %v", i, got[i], want[i])
		}
	}
}

func testEmpty(t *testing.T, s curve.WorkStore) {
	wantDays(t, days(t, s, "M", 0, 100))
	if _, _, ok, err := s.Span(t.Context()); ok || err != nil {
		t.Errorf("the span of an empty store is ok = %v, %v", ok, err)
	}
	if err := s.PutDays(t.Context(), nil, nil); err != nil {
		t.Errorf("putting nothing: %v", err)
	}
}

func testRoundTrip(t *testing.T, s curve.WorkStore) {
	first, second := Day("Ж \"1\"", 20000, 5), Day("Ж \"1\"", 20003, 900)
	first.EnergyKWh[7], first.Quality[7] = math.NaN(), meter.Bad
	first.Flag(7, meter.Missing)
	first.Other = map[meter.Quantity][]float32{meter.VoltageA: make([]float32, 96)}
	put(t, s, second, Day("M2", 20001, 1), first)
	wantDays(t, days(t, s, first.MeterID, 19000, 21000), first, second)
	wantDays(t, days(t, s, first.MeterID, 20001, 20003), second)
	wantDays(t, days(t, s, first.MeterID, 20004, 30000))
	wantDays(t, days(t, s, "unknown", 0, 30000))
	low, high, ok, err := s.Span(t.Context())
	if low != 20000 || high != 20003 || !ok || err != nil {
		t.Errorf("span %v to %v, %v, %v", low, high, ok, err)
	}
}

func testAllOrNone(t *testing.T, s curve.WorkStore) {
	good, broken := Day("M1", 20000, 1), Day("M2", 20000, 1)
	broken.Quality = broken.Quality[:5]
	if err := s.PutDays(t.Context(), []curve.Day{good, broken}, make([]curve.Features, 2)); err == nil {
		t.Error("a day with too few qualities was stored")
	}
	if err := s.PutDays(t.Context(), []curve.Day{good}, nil); err == nil {
		t.Error("a day without features was stored")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.PutDays(cancelled, []curve.Day{good}, make([]curve.Features, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled put gave %v", err)
	}
	wantDays(t, days(t, s, "M1", 0, 30000))
}

func testReplace(t *testing.T, s curve.WorkStore) {
	put(t, s, Day("M", 20000, 1))
	put(t, s, Day("M", 20000, 1))
	put(t, s, Day("M", 20000, 500))
	wantDays(t, days(t, s, "M", 20000, 20000), Day("M", 20000, 500))
	want := curve.Compute(&days(t, s, "M", 20000, 20000)[0])
	found := 0
	err := s.Features(t.Context(), 20000, 20000, func(_ string, _ curve.Date, f *curve.Features) error {
		found++
		if fmt.Sprint(*f) != fmt.Sprint(want) {
			t.Errorf("features %v, want those of the newest version %v", *f, want)
		}
		return nil
	})
	if err != nil || found != 1 {
		t.Errorf("%d features, %v", found, err)
	}
}

func testOpenDays(t *testing.T, s curve.WorkStore) {
	open := Day("M", 20001, 1)
	open.Open = true
	put(t, s, Day("M", 20000, 1), open)
	wantDays(t, days(t, s, "M", 20000, 20001), Day("M", 20000, 1), open)
	if _, last, _, err := s.Span(t.Context()); last != 20000 || err != nil {
		t.Errorf("an open day counts in the span: %v, %v", last, err)
	}
	count := func() (n int) {
		if err := s.Features(t.Context(), 0, 30000, func(string, curve.Date, *curve.Features) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != 1 {
		t.Errorf("%d features with one closed day", n)
	}
	put(t, s, Day("M", 20001, 1))
	if n := count(); n != 2 {
		t.Errorf("%d features after the day closed, want 2", n)
	}
}

func testFeatures(t *testing.T, s curve.WorkStore) {
	for date := curve.Date(20000); date < 20003; date++ {
		put(t, s, Day("A", date, int(date)), Day("B", date, 7))
	}
	got := map[string]float32{}
	err := s.Features(t.Context(), 20001, 20002, func(id string, date curve.Date, f *curve.Features) error {
		got[fmt.Sprint(id, date)] = f[0]
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float32{}
	for date := curve.Date(20001); date < 20003; date++ {
		for id, seed := range map[string]int{"A": int(date), "B": 7} {
			d := Day(id, date, seed)
			want[fmt.Sprint(id, date)] = curve.Compute(&d)[0]
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("features %v, want %v", got, want)
	}
	stop, calls := errors.New("enough"), 0
	err = s.Features(t.Context(), 0, 30000, func(string, curve.Date, *curve.Features) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("after the first error: %v, %d calls", err, calls)
	}
}

func testTransaction(t *testing.T, s curve.WorkStore) {
	transactional, ok := s.(curve.Transactional)
	if !ok {
		t.Fatal("the store has no Atomically")
	}
	put(t, s, Day("M", 20000, 1))
	stop := errors.New("stop")
	err := transactional.Atomically(t.Context(), func(ctx context.Context, tx curve.Store) error {
		for date := curve.Date(20000); date < 20005; date++ {
			d := []curve.Day{Day("M", date, 99), Day("new", date, 99)}
			if err := tx.PutDays(ctx, d, compute(d)); err != nil {
				return err
			}
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	wantDays(t, days(t, s, "M", 0, 30000), Day("M", 20000, 1))
	wantDays(t, days(t, s, "new", 0, 30000))
	err = transactional.Atomically(t.Context(), func(ctx context.Context, tx curve.Store) error {
		d := []curve.Day{Day("M", 20000, 2), Day("new", 20000, 3)}
		return tx.PutDays(ctx, d, compute(d))
	})
	if err != nil {
		t.Fatal(err)
	}
	wantDays(t, days(t, s, "M", 0, 30000), Day("M", 20000, 2))
	wantDays(t, days(t, s, "new", 0, 30000), Day("new", 20000, 3))
}

func testConcurrent(t *testing.T, s curve.WorkStore) {
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for date := curve.Date(20000); date < 20005; date++ {
				d := []curve.Day{Day(fmt.Sprint("M", w), date, w), Day("shared", date, 1)}
				if err := s.PutDays(t.Context(), d, compute(d)); err != nil {
					t.Error(err)
				}
				if err := s.Features(t.Context(), 0, 30000, func(string, curve.Date, *curve.Features) error { return nil }); err != nil {
					t.Error(err)
				}
				if _, err := s.Days(t.Context(), "shared", 0, 30000); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := days(t, s, "shared", 0, 30000); len(got) != 5 {
		t.Errorf("%d shared days, want 5", len(got))
	}
}

func testLongSpan(t *testing.T, s curve.WorkStore) {
	var all []curve.Day
	for i := range 300 {
		all = append(all, Day("M", curve.Date(20000+3*i), i))
	}
	shuffled := slices.Clone(all)
	slices.Reverse(shuffled)
	put(t, s, shuffled...)
	wantDays(t, days(t, s, "M", -1<<30, 1<<30), all...)
}
