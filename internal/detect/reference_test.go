package detect

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/internal/grid"
)

func TestWatchlistJoin(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 3, day, 12, 0, 0, 0, time.UTC) }
	entry := func(from, to, expires int) grid.WatchlistEntry {
		e := grid.WatchlistEntry{IP: "192.0.2.1", FirstSeen: at(from), LastSeen: at(to), HashrateHS: 100}
		if expires > 0 {
			e.Expires = at(expires)
		}
		return e
	}
	held := func(from, to int) grid.IPAssignment {
		a := grid.IPAssignment{IP: "192.0.2.1", CustomerID: "C", From: at(from)}
		if to > 0 {
			a.To = at(to)
		}
		return a
	}
	asOf := at(20)
	cases := map[string]struct {
		entries []grid.WatchlistEntry
		held    []grid.IPAssignment
		want    listing
	}{
		"held while seen":          {[]grid.WatchlistEntry{entry(5, 8, 25)}, []grid.IPAssignment{held(1, 10)}, listing{1, 100}},
		"still held":               {[]grid.WatchlistEntry{entry(5, 8, 25)}, []grid.IPAssignment{held(1, 0)}, listing{1, 100}},
		"held after it was seen":   {[]grid.WatchlistEntry{entry(5, 8, 25)}, []grid.IPAssignment{held(9, 0)}, listing{}},
		"given back before":        {[]grid.WatchlistEntry{entry(5, 8, 25)}, []grid.IPAssignment{held(1, 5)}, listing{}},
		"taken on the last moment": {[]grid.WatchlistEntry{entry(5, 8, 25)}, []grid.IPAssignment{held(8, 0)}, listing{1, 100}},
		"expired":                  {[]grid.WatchlistEntry{entry(5, 8, 20)}, []grid.IPAssignment{held(1, 0)}, listing{}},
		"without expiry":           {[]grid.WatchlistEntry{entry(5, 8, 0)}, []grid.IPAssignment{held(1, 0)}, listing{1, 100}},
		"seen after the run":       {[]grid.WatchlistEntry{entry(21, 22, 0)}, []grid.IPAssignment{held(1, 0)}, listing{}},
		"held twice, counted once": {[]grid.WatchlistEntry{entry(3, 9, 0)}, []grid.IPAssignment{held(1, 4), held(6, 0)}, listing{1, 100}},
		"two entries":              {[]grid.WatchlistEntry{entry(3, 4, 0), entry(7, 9, 0)}, []grid.IPAssignment{held(1, 0)}, listing{2, 200}},
		"another address":          {[]grid.WatchlistEntry{entry(3, 4, 0)}, []grid.IPAssignment{{IP: "192.0.2.2", CustomerID: "C"}}, listing{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			network := grid.NewNetwork(grid.Records{Watchlist: c.entries, IPAssignments: c.held})
			if got := listings(network, asOf)["C"]; got != c.want {
				t.Errorf("%+v; want %+v", got, c.want)
			}
		})
	}
}

func TestQuantileWithoutSelf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 50), 1, 30).Draw(t, "values")
		slices.Sort(values)
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		i := rapid.IntRange(0, len(values)-1).Draw(t, "self")
		others := slices.Delete(slices.Clone(values), i, i+1)
		whole := newSpread(slices.Clone(values), q)
		want := math.NaN()
		if len(others) > 0 {
			at := q * float64(len(others)-1)
			low := int(at)
			high := min(low+1, len(others)-1)
			want = others[low]*(1-(at-float64(low))) + others[high]*(at-float64(low))
		}
		if got := whole.without(values[i], q); math.Abs(got-want) > 1e-9 && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Fatalf("quantile %v of %v without %v: %v; want %v", q, values, values[i], got, want)
		}
		all := whole.without(math.NaN(), q)
		if all < values[0] || all > values[len(values)-1] {
			t.Fatalf("quantile %v of %v is %v", q, values, all)
		}
	})
}

func TestAssignmentsHoldAtNoon(t *testing.T) {
	noonOf := func(day int, hour int) time.Time { return time.Date(2026, 3, day, hour, 0, 0, 0, time.UTC) }
	base := grid.UsagePoint{}
	days := span{20513, 20522} // 2026-03-01 to 10
	if days.first.String() != "2026-03-01" {
		t.Fatal(days.first)
	}
	for name, c := range map[string]struct {
		from, to time.Time
		want     span
		ok       bool
	}{
		"always":               {time.Time{}, time.Time{}, days, true},
		"from midnight":        {noonOf(3, 0), time.Time{}, span{20515, 20522}, true},
		"from the afternoon":   {noonOf(3, 15), time.Time{}, span{20516, 20522}, true},
		"to midnight":          {time.Time{}, noonOf(5, 0), span{20513, 20516}, true},
		"to the afternoon":     {time.Time{}, noonOf(5, 15), span{20513, 20517}, true},
		"over before the run":  {time.Time{}, noonOf(1, 0), span{}, false},
		"not begun in the run": {noonOf(11, 0), time.Time{}, span{}, false},
		"within one morning":   {noonOf(4, 8), noonOf(4, 11), span{}, false},
	} {
		u := base
		u.ValidFrom, u.ValidTo = c.from, c.to
		got, ok := assigned(&u, days, time.UTC)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, got, ok, c.want, c.ok)
		}
	}
}
