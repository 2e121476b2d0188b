package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// wantVersions checks every version of a day, oldest first, the last of which
// is the current one.
func wantVersions(t *testing.T, s curve.WorkStore, meterID string, date curve.Date, want ...curve.Day) {
	t.Helper()
	got, err := s.Versions(t.Context(), meterID, date)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d versions, %v; want %d", len(got), err, len(want))
	}
	for i, v := range got {
		if v.Number != i+1 || v.Current != (i == len(got)-1) {
			t.Errorf("version %d has number %d, current %v", i+1, v.Number, v.Current)
		}
		if since := time.Since(v.At); since < 0 || since > time.Hour {
			t.Errorf("version %d came at %v", i+1, v.At)
		}
		if fmt.Sprint(v.Day) != fmt.Sprint(want[i]) {
			t.Errorf("version %d is %v, want %v", i+1, v.Day, want[i])
		}
	}
}

func from(d curve.Day, rule, author, reason string) curve.Day {
	d.Origin = curve.Origin{Rule: rule, Author: author, Reason: reason}
	return d
}

func opened(d curve.Day) curve.Day {
	d.Open = true
	return d
}

func testVersions(t *testing.T, s curve.WorkStore) {
	wantVersions(t, s, "M", 20000)
	first := from(Day("M", 20000, 1), curve.OriginImported, "", "a.csv")
	put(t, s, first, Day("N", 20000, 1))
	wantVersions(t, s, "M", 20000, first)
	put(t, s, from(Day("M", 20000, 1), curve.OriginImported, "", "again.csv")) // changes nothing
	wantVersions(t, s, "M", 20000, first)
	second := from(Day("M", 20000, 2), curve.OriginLate, "", "readings of 03:00 came at 09:00")
	put(t, s, second)
	put(t, s, second)
	wantVersions(t, s, "M", 20000, first, second)
	put(t, s, first) // what an earlier version was is a version again
	wantVersions(t, s, "M", 20000, first, second, first)
	wantVersions(t, s, "N", 20000, Day("N", 20000, 1))
	wantVersions(t, s, "M", 20001)
}

// An open day keeps no versions of itself; a closed day that opens again is
// kept.
func testReopen(t *testing.T, s curve.WorkStore) {
	put(t, s, opened(from(Day("M", 20000, 1), curve.OriginPolled, "", "")))
	put(t, s, opened(from(Day("M", 20000, 2), curve.OriginPolled, "", "")))
	wantVersions(t, s, "M", 20000, opened(from(Day("M", 20000, 2), curve.OriginPolled, "", "")))
	closed := from(Day("M", 20000, 3), curve.OriginPolled, "", "")
	put(t, s, closed)
	wantVersions(t, s, "M", 20000, closed)

	reopened := opened(from(Day("M", 20000, 3), curve.OriginLate, "", ""))
	put(t, s, reopened)
	wantVersions(t, s, "M", 20000, closed, reopened)
	wantDays(t, days(t, s, "M", 0, 30000), reopened)
	if _, _, ok, err := s.Span(t.Context()); ok || err != nil {
		t.Errorf("the only day is open again, and the span says %v, %v", ok, err)
	}
	late := from(Day("M", 20000, 4), curve.OriginLate, "", "")
	put(t, s, opened(late), late) // in one put: open, then closed
	wantVersions(t, s, "M", 20000, closed, late)
	wantDays(t, days(t, s, "M", 0, 30000), late)
}

// The same day several times in one put is stored as one after the other.
func testTwiceInOnePut(t *testing.T, s curve.WorkStore) {
	put(t, s, Day("M", 20000, 1), Day("M", 20000, 1), Day("M", 20000, 2), Day("M", 20000, 3), Day("M", 20000, 3))
	wantVersions(t, s, "M", 20000, Day("M", 20000, 1), Day("M", 20000, 2), Day("M", 20000, 3))
}

// Other features of the same curve are no version, and the newest hold.
func testNewFeatures(t *testing.T, s curve.WorkStore) {
	d := Day("M", 20000, 1)
	for v := range 3 {
		if err := s.PutDays(t.Context(), []curve.Day{d}, []curve.Features{{float32(v)}}); err != nil {
			t.Fatal(err)
		}
	}
	err := s.Features(t.Context(), 20000, 20000, func(_ string, _ curve.Date, f *curve.Features) error {
		if f[0] != 2 {
			t.Errorf("features %v, want the newest", f)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	wantVersions(t, s, "M", 20000, d)
}

// Days of many meters over some dates, put in either order, in part again and
// with changes, come back as they were put last.
func testManyMeters(t *testing.T, s curve.WorkStore) {
	const meters, dates = 150, 4
	seed := func(m, date, round int) int {
		if round == 1 && m%7 == 0 {
			return 1000 + m + date
		}
		return m + date
	}
	for round := range 2 {
		var batch []curve.Day
		for m := range meters {
			for date := range dates {
				if round == 0 || m%2 == 0 {
					batch = append(batch, Day(fmt.Sprint("M", m), curve.Date(20000+date), seed(m, date, round)))
				}
			}
		}
		put(t, s, batch...)
	}
	for m := range meters {
		id, round := fmt.Sprint("M", m), 1-m%2
		var want []curve.Day
		for date := range dates {
			want = append(want, Day(id, curve.Date(20000+date), seed(m, date, round)))
		}
		wantDays(t, days(t, s, id, 20000, 20000+dates), want...)
	}
	some, ok := s.(interface {
		FeaturesOf(ctx context.Context, meterIDs []string, first, last curve.Date, fn func(meterID string, date curve.Date, f *curve.Features) error) error
	})
	if !ok {
		t.Fatal("the store has no FeaturesOf")
	}
	got := map[string]int{}
	wanted := []string{"M149", "M3", "unknown", "M64"}
	err := some.FeaturesOf(t.Context(), wanted, 20001, 20002, func(id string, date curve.Date, f *curve.Features) error {
		got[id]++
		d := days(t, s, id, date, date)[0]
		if want := curve.Compute(&d); fmt.Sprint(*f) != fmt.Sprint(want) {
			t.Errorf("features of %s on %s: %v, want %v", id, date, *f, want)
		}
		return nil
	})
	if err != nil || fmt.Sprint(got) != "map[M149:2 M3:2 M64:2]" {
		t.Errorf("features of some meters: %v, %v", got, err)
	}
	stop, calls := errors.New("enough"), 0
	err = some.FeaturesOf(t.Context(), wanted, 20001, 20002, func(string, curve.Date, *curve.Features) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("after the first error: %v, %d calls", err, calls)
	}
}
