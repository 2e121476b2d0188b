package undersized

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// judged runs both windows of a scene and returns what is measured of the
// transformer and found.
func judged(t interface{ Fatal(...any) }, s sdktest.Scene) (map[string]float64, []sdk.Finding) {
	d := New()
	report, err := sdk.Judge(context.Background(), d, s.Window(d.Describe(), false))
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, id := range report.Requests() {
		asked[id] = true
	}
	var members []sdktest.Member
	for _, m := range s.Members {
		if asked[m.Subject.ID] {
			members = append(members, m)
		}
	}
	if len(members) == 0 {
		return nil, nil
	}
	s.Members = members
	if report, err = sdk.Judge(context.Background(), d, s.Window(d.Describe(), true)); err != nil {
		t.Fatal(err)
	}
	return report.Measures()["t"], report.Findings()
}

// daily is a load with an evening, scaled.
func daily(kw float64) sdktest.Load {
	return func(_, q int) float64 { return kw * (0.4 + 0.6*math.Exp(-math.Pow(float64(q)/4-19, 2)/8)) }
}

func area(rated, kw float64, houses int) []sdktest.Member {
	var members []sdktest.Member
	for i := range houses {
		members = append(members, sdktest.Point("u-"+string(rune('a'+i)), daily(kw/float64(houses)*(0.5+float64(i)/float64(houses-1)))))
	}
	return append([]sdktest.Member{sdktest.Area("t", rated, sdktest.Sum(members))}, members...)
}

// TestScale: a transformer twice the size with twice the load runs alike, but
// for losses by rating.
func TestScale(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 12 {
		load, by := 0.3+1.3*r.Float64(), 0.2+4.8*r.Float64()
		one, two := area(200, 200*load, 4), area(200*by, 200*load*by, 4)
		for _, members := range [][]sdktest.Member{one, two} {
			rated := members[0].Subject.Numbers[sdk.AttrRatedKVA]
			members[0].Subject.Numbers[sdk.AttrNoLoadLossW], members[0].Subject.Numbers[sdk.AttrLoadLossW] = 2*rated, 12*rated
		}
		a, _ := judged(t, sdktest.Scene{Members: one, Days: 31})
		b, _ := judged(t, sdktest.Scene{Members: two, Days: 31})
		for name := range a {
			if math.Abs(a[name]-b[name]) > 1e-3*math.Abs(a[name]) {
				t.Fatalf("%s is %v, and %v at %.2f times the size", name, a[name], b[name], by)
			}
		}
	}
}

// TestMoreLoad: a constant load on top never cools.
func TestMoreLoad(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 12 {
		kw, added := 10+140*r.Float64(), 1+79*r.Float64()
		less := area(100, kw, 3)
		more := area(100, kw, 3)
		before := more[0].Load
		more[0].Load = func(d, q int) float64 { return before(d, q) + added }
		a, found := judged(t, sdktest.Scene{Members: less, Days: 31})
		b, foundMore := judged(t, sdktest.Scene{Members: more, Days: 31})
		for name := range a {
			if b[name] <= a[name] {
				t.Fatalf("%s falls from %v to %v with %.1f kW more", name, a[name], b[name], added)
			}
		}
		if len(found) > len(foundMore) {
			t.Fatal("a verdict went away with more load")
		}
	}
}

// TestOrder: neither the order of customers nor the date matters, and a sum
// stands in for a missing meter to within the losses.
func TestOrder(t *testing.T) {
	members := area(100, 130, 5)
	want, found := judged(t, sdktest.Scene{Members: members, Days: 35, NoReference: true})
	if len(found) != 1 || len(found[0].Verdicts) == 0 {
		t.Fatalf("found %v", found)
	}
	turned := append([]sdktest.Member{members[0]}, members[3], members[1], members[5], members[2], members[4])
	got, again := judged(t, sdktest.Scene{Members: turned, Days: 35, NoReference: true})
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s is %v, and %v in another order", name, want[name], got[name])
		}
	}
	for i, e := range found[0].Evidence {
		if again[0].Evidence[i].Text != e.Text {
			t.Errorf("%q in another order is %q", e.Text, again[0].Evidence[i].Text)
		}
	}
	bare := append([]sdktest.Member(nil), members...)
	bare[0].Subject.HasMeter, bare[0].Load = false, sdktest.Nothing()
	bare[0].Subject.Numbers[sdk.AttrStreetLightKW] = 0
	summed, unmetered := judged(t, sdktest.Scene{Members: bare, Days: 35, NoReference: true})
	if p := sdk.MetricLoadingP95Pct; summed[p] < want[p] || summed[p] > 1.06*want[p] {
		t.Errorf("the sum of customers gives %.1f %%, the meter %.1f %%", summed[p], want[p])
	}
	if len(unmetered) != 1 || !strings.Contains(unmetered[0].Evidence[0].Text, "no meter of its own") {
		t.Errorf("without a meter: %v", unmetered)
	}
}

// TestThresholds are those of the loading guides, to the point.
func TestThresholds(t *testing.T) {
	for _, tc := range []struct {
		name string
		load sdktest.Load
		want string
	}{
		{"just rated", sdktest.Flat(0.95 * 100), ""},
		{"above rated for a month", sdktest.Flat(0.95 * 101), "undersized"},
		{"one hour just below one and a half", hour(0.95 * 149.5), ""},
		{"one hour above one and a half", hour(0.95 * 150.5), "overloaded"},
		{"one hour in twenty above rated", share(0.052), "undersized"},
		{"one hour in twenty-five above rated", share(0.042), ""},
	} {
		members := area(100, 1, 2)
		members[0].Load = tc.load
		_, found := judged(t, sdktest.Scene{Members: members, Days: 30, NoReference: true})
		got := ""
		if len(found) > 0 {
			got = strings.Join(found[0].Verdicts, ";")
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func hour(kw float64) sdktest.Load {
	return func(d, q int) float64 {
		if d == 12 && q/4 == 14 {
			return kw
		}
		return 30
	}
}

// share loads a share of the hours just above the rating, an hour at a time.
func share(of float64) sdktest.Load {
	return func(d, q int) float64 {
		if at := float64(d*24 + q/4); math.Floor((at+1)*of) > math.Floor(at*of) {
			return 0.95 * 101
		}
		return 30
	}
}
