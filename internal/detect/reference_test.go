package detect

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
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
	at2 := func(e grid.WatchlistEntry) grid.WatchlistEntry { e.IP = "192.0.2.2"; return e }
	of := func(e grid.WatchlistEntry, algorithm string, rate float64) grid.WatchlistEntry {
		e.Algorithm, e.HashrateHS = algorithm, rate
		return e
	}
	type counted struct {
		entries, shared   int
		hashrateHS, lowKW float64
	}
	asOf := at(20)
	cases := map[string]struct {
		entries []grid.WatchlistEntry
		held    []grid.IPAssignment
		want    counted
	}{
		"held while seen":           {[]grid.WatchlistEntry{entry(5, 8, 25)}, []grid.IPAssignment{held(1, 10)}, counted{1, 0, 100, 0}},
		"still held":                {[]grid.WatchlistEntry{entry(5, 8, 25)}, []grid.IPAssignment{held(1, 0)}, counted{1, 0, 100, 0}},
		"held after it was seen":    {[]grid.WatchlistEntry{entry(5, 8, 25)}, []grid.IPAssignment{held(9, 0)}, counted{}},
		"given back before":         {[]grid.WatchlistEntry{entry(5, 8, 25)}, []grid.IPAssignment{held(1, 5)}, counted{}},
		"taken on the last moment":  {[]grid.WatchlistEntry{entry(5, 8, 25)}, []grid.IPAssignment{held(8, 0)}, counted{1, 0, 100, 0}},
		"expired":                   {[]grid.WatchlistEntry{entry(5, 8, 20)}, []grid.IPAssignment{held(1, 0)}, counted{}},
		"without expiry":            {[]grid.WatchlistEntry{entry(5, 8, 0)}, []grid.IPAssignment{held(1, 0)}, counted{1, 0, 100, 0}},
		"seen after the run":        {[]grid.WatchlistEntry{entry(21, 22, 0)}, []grid.IPAssignment{held(1, 0)}, counted{}},
		"held twice, counted once":  {[]grid.WatchlistEntry{entry(3, 9, 0)}, []grid.IPAssignment{held(1, 4), held(6, 0)}, counted{1, 0, 100, 0}},
		"seen twice, same machines": {[]grid.WatchlistEntry{entry(3, 4, 0), entry(7, 9, 0)}, []grid.IPAssignment{held(1, 0)}, counted{2, 0, 100, 0}},
		"two addresses":             {[]grid.WatchlistEntry{entry(3, 4, 0), at2(entry(7, 9, 0))}, []grid.IPAssignment{held(1, 0), {IP: "192.0.2.2", CustomerID: "C"}}, counted{2, 0, 200, 0}},
		"held by two at a time":     {[]grid.WatchlistEntry{entry(3, 4, 0)}, []grid.IPAssignment{held(1, 0), {IP: "192.0.2.1", CustomerID: "D"}}, counted{1, 1, 0, 0}},
		"passed on while seen":      {[]grid.WatchlistEntry{entry(3, 9, 0)}, []grid.IPAssignment{held(1, 5), {IP: "192.0.2.1", CustomerID: "D", From: at(5)}}, counted{1, 1, 0, 0}},
		"with the algorithm":        {[]grid.WatchlistEntry{of(entry(3, 4, 0), "SHA256d", 100e12)}, []grid.IPAssignment{held(1, 0)}, counted{1, 0, 100e12, 1.35}},
		"of two algorithms":         {[]grid.WatchlistEntry{of(entry(3, 4, 0), "sha-256", 100e12), of(entry(3, 4, 0), "x11", 1770e9)}, []grid.IPAssignment{held(1, 0)}, counted{2, 0, 100e12 + 1770e9, 1.35 + 2.839}},
		"another address":           {[]grid.WatchlistEntry{entry(3, 4, 0)}, []grid.IPAssignment{{IP: "192.0.2.2", CustomerID: "C"}}, counted{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			network := grid.NewNetwork(grid.Records{Watchlist: c.entries, IPAssignments: c.held})
			l := listings(network, asOf)["C"]
			if got := (counted{l.entries, l.shared, l.hashrateHS, math.Round(l.lowKW*1e9) / 1e9}); got != c.want {
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

func TestListedAttributesNameNoOffice(t *testing.T) {
	seen := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	entry := grid.WatchlistEntry{IP: "192.0.2.1", FirstSeen: seen, LastSeen: seen, Source: "CERT of the Bureau", LegalBasis: "Order 12/2026\x00", Expires: seen.AddDate(1, 0, 0), HashrateHS: 3e9, Coin: "RVN"}
	other := entry
	other.Source, other.LegalBasis, other.Expires, other.Algorithm, other.HashrateHS = "Prosecutor", "Warrant 7", seen.AddDate(0, 6, 0), "kawpow", 1e9
	network := grid.NewNetwork(grid.Records{Watchlist: []grid.WatchlistEntry{entry, other}, IPAssignments: []grid.IPAssignment{{IP: "192.0.2.1", CustomerID: "C"}}})
	a := attributes{make(map[string]float64), make(map[string]string)}
	a.listed(listings(network, seen.AddDate(0, 1, 0))["C"])
	if got, want := a.texts[sdk.AttrListedSources], "2 offices, legal basis: Order 12/2026 ; Warrant 7, valid until 2027-03-01"; got != want {
		t.Errorf("sources %q; want %q", got, want)
	}
	if a.texts[sdk.AttrListedAlgorithm] != "kawpow" || a.numbers[sdk.AttrListedHashrate] != 3e9 || a.numbers[sdk.AttrListedEntries] != 2 {
		t.Errorf("attributes %+v", a)
	}
	if low, high := a.numbers[sdk.AttrListedLowKW], a.numbers[sdk.AttrListedHighKW]; low < 10 || high < 2*low || high > 50 {
		t.Errorf("%v to %v kW for 3 GH/s of KawPow", low, high)
	}
}
