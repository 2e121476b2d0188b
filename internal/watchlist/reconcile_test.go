package watchlist

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

const (
	first = curve.Date(20_500)
	last  = first + 59
)

func day(n int) time.Time { return (first + curve.Date(n)).Start(time.UTC) }

// city is a network of customers with a meter each, and a list over them.
type city struct {
	records grid.Records
	loads   map[string]Load
}

func (c *city) customer(id, use string, base, high float64) {
	category := grid.Residential
	if use != "dwelling" {
		category = grid.Commercial
	}
	c.records.Customers = append(c.records.Customers, grid.Customer{ID: id, Category: category, DeclaredUse: use})
	c.records.UsagePoints = append(c.records.UsagePoints, grid.UsagePoint{ID: "UP-" + id, MeterID: "M-" + id, CustomerID: id, TransformerID: "T"})
	c.loads["UP-"+id] = Load{Days: 60, BaseKW: base, HighKW: high, MeanKWh: 20 * high}
}

func (c *city) list(ip, source, algorithm string, rate float64, holders ...string) {
	c.records.Watchlist = append(c.records.Watchlist, grid.WatchlistEntry{IP: ip, FirstSeen: day(5), LastSeen: day(40), Source: source,
		LegalBasis: "Order 12", Expires: day(400), HashrateHS: rate, Algorithm: algorithm})
	for _, h := range holders {
		c.records.IPAssignments = append(c.records.IPAssignments, grid.IPAssignment{IP: ip, CustomerID: h, From: day(-100), Source: "provider"})
	}
}

func (c *city) reconcile(claim Claim) *Report {
	return Reconcile(Input{Network: grid.NewNetwork(c.records), First: first, Last: last, Loads: c.loads, Claim: claim})
}

// newCity has 4,502 listed addresses: of households that are like all others,
// but for some with machines, and two internet cafes of which one mines.
func newCity(miners int) *city {
	c := &city{loads: make(map[string]Load)}
	r := rand.New(rand.NewPCG(4502, 1))
	household := func(id string, extra float64) {
		base := 0.08 + 0.35*r.ExpFloat64()*0.5
		c.customer(id, "dwelling", base+extra, base+0.3+extra)
	}
	for i := range 3000 {
		household(fmt.Sprintf("other-%04d", i), 0)
	}
	for i := range 20 {
		c.customer(fmt.Sprintf("cafe-%02d", i), "internet_cafe", 0.6+0.4*r.Float64(), 6)
	}
	c.customer("cafe-innocent", "internet_cafe", 0.9, 7)
	c.customer("cafe-guilty", "internet_cafe", 8.4, 14)
	c.list("10.9.0.1", "CERT", "SHA-256", 300e12, "cafe-innocent")
	c.list("10.9.0.2", "CERT", "SHA-256", 300e12, "cafe-guilty")
	at := func(i int) string { return fmt.Sprintf("10.1.%d.%d", i/250, i%250) }
	for i := range 4500 {
		id := fmt.Sprintf("listed-%04d", i)
		switch {
		case i < miners:
			household(id, 2.8)
			c.list(at(i), "CERT", "SHA-256", 100e12, id)
		case i < 3500:
			household(id, 0)
			c.list(at(i), "CERT", "scrypt", 2e9, id)
		case i < 3800: // carrier-grade translation
			c.list(at(i), "CERT", "scrypt", 2e9, "other-0001", "other-0002")
		case i < 4300:
			c.list(at(i), "CERT", "", 0)
		default:
			c.list(at(i), "CERT", "", 0, "other-0003")
			c.records.Watchlist[len(c.records.Watchlist)-1].Expires = day(30)
		}
	}
	return c
}

func TestAListThatTheMetersDoNotExplain(t *testing.T) {
	r := newCity(20).reconcile(Claim{HashRateHS: 10e15, KWhDay: 260_000})
	s := &r.Total
	if s.Addresses != 4502 || s.Joined != 3502 || s.Ambiguous != 300 || s.Unjoined != 500 || s.Expired != 200 || s.Customers != 3502 || s.NotMetered != 0 {
		t.Errorf("summary %+v", s)
	}
	if math.Abs(s.Claim.KWPerAddress-2.406) > 0.001 || math.Abs(s.Claim.JoulesPerHash*1e12-1083) > 1 || slices.Contains(s.Claim.Within, "sha256") {
		t.Errorf("claim %+v", s.Claim)
	}
	text := strings.Join(s.Conclusion, "\n")
	for _, want := range []string{"make 2.4 kW an address", "SHA-256 machines need 13.5 to 98 J/TH", "do not add up", "do not explain the list"} {
		if !strings.Contains(text, want) {
			t.Errorf("the conclusion lacks %q:\n%s", want, text)
		}
	}
	// Small expectations are met by chance in some households with much.
	if s.Fit < 20 || s.Fit > 20+3480/15 {
		t.Errorf("%d fit, %d too small, expected %+v", s.Fit, s.TooSmall, s.Expected)
	}
}

func TestAListThatTheMetersExplain(t *testing.T) {
	c := newCity(3500)
	r := c.reconcile(Claim{})
	s := &r.Total
	if text := strings.Join(s.Conclusion, "\n"); s.Explained.High < 1 || s.Fit < 3300 || strings.Contains(text, "do not explain") || !strings.Contains(text, "more than chance explains") {
		t.Errorf("explained %+v, %d fit: %s", s.Explained, s.Fit, text)
	}
}

func TestOfTwoInternetCafesOneFits(t *testing.T) {
	r := newCity(20).reconcile(Claim{})
	outcomes := map[string]Customer{}
	for _, c := range r.Customers {
		outcomes[c.CustomerID] = c
	}
	if g := outcomes["cafe-guilty"]; g.Outcome != Fits || g.BeyondKW < 7 {
		t.Errorf("guilty: %+v", g)
	}
	if i := outcomes["cafe-innocent"]; i.Outcome == Fits || i.BeyondKW > 0.3 {
		t.Errorf("innocent: %+v", i)
	}
	if r.Customers[0].CustomerID != "cafe-guilty" {
		t.Errorf("the first is %+v", r.Customers[0])
	}
}

func TestSourcesApart(t *testing.T) {
	c := newCity(0)
	c.list("10.1.0.1", "Bureau", "SHA-256", 50e12) // listed by the other office already
	c.list("10.8.0.1", "Bureau", "ethash", 400e6, "other-0100")
	r := c.reconcile(Claim{KWhDay: 1000})
	if len(r.Sources) != 2 || r.Sources[0].Source != "Bureau" || r.Sources[0].Addresses != 2 || r.Sources[0].Joined != 2 || r.Sources[1].Addresses != 4502 {
		t.Fatalf("sources %+v", r.Sources)
	}
	if r.Total.Addresses != 4503 || r.Total.Claim == nil || r.Sources[0].Claim != nil {
		t.Errorf("total %+v", r.Total)
	}
}

func TestAClaimStandsForHashRatesThatAreNotListed(t *testing.T) {
	c := &city{loads: make(map[string]Load)}
	for i := range 100 {
		c.customer(fmt.Sprintf("o%d", i), "dwelling", 0.2, 0.6)
	}
	for i := range 50 {
		id := fmt.Sprintf("c%d", i)
		c.customer(id, "dwelling", 2.6, 3)
		c.list(fmt.Sprintf("10.0.0.%d", i), "CERT", "", 0, id)
	}
	r := c.reconcile(Claim{KWhDay: 50 * 2.4 * 24})
	s := &r.Total
	if !s.FromClaim || math.Abs(s.Expected.HighKW-120) > 1e-6 || math.Abs(s.Explained.Low-1) > 0.01 || !strings.Contains(strings.Join(s.Conclusion, " "), "The meters explain the list") {
		t.Errorf("%+v", s)
	}
	if r := (&city{}).reconcile(Claim{}); r != nil {
		t.Errorf("no list, and yet %+v", r)
	}
}

// However records are ordered, the report is the same, and each address is
// counted once.
func TestOrderDoesNotMatter(t *testing.T) {
	c := newCity(10)
	c.records.Watchlist = slices.Concat(c.records.Watchlist[:40], c.records.Watchlist[3500:3520], c.records.Watchlist[4400:])
	plain := func() (string, Summary) {
		r := c.reconcile(Claim{KWhDay: 100})
		r.Total.Claim, r.Sources[0].Claim = nil, nil // pointers print as addresses
		return fmt.Sprintf("%+v", *r), r.Total
	}
	want, s := plain()
	if s.Joined+s.Ambiguous+s.Unjoined+s.Expired != s.Addresses || s.Fit+s.TooSmall+s.Open+s.NotMetered != s.Customers {
		t.Fatalf("%+v", s)
	}
	r := rand.New(rand.NewPCG(3, 3))
	for range 8 {
		for _, shuffle := range []func(){
			func() { shuffled(r, c.records.Watchlist) }, func() { shuffled(r, c.records.IPAssignments) }, func() { shuffled(r, c.records.UsagePoints) },
		} {
			shuffle()
		}
		if got, _ := plain(); got != want {
			t.Fatalf("in another order:\n%s\n%s", got, want)
		}
	}
}

func shuffled[T any](r *rand.Rand, list []T) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// store gives features of two meters.
type store struct{ curve.Store }

func (store) Features(_ context.Context, from, to curve.Date, fn func(string, curve.Date, *curve.Features) error) error {
	for _, m := range []string{"M-a", "M-b", "M-gone"} {
		for d := from; d <= to; d++ {
			var f curve.Features
			for i := range f {
				f[i] = float32(math.NaN())
			}
			f[slices.Index(sdk.Features(), sdk.P10KW)] = 0.5
			f[slices.Index(sdk.Features(), sdk.EnergyKWh)] = 24
			if m == "M-b" && d < from+30 { // a predecessor's
				f[slices.Index(sdk.Features(), sdk.P10KW)] = 9
			}
			if err := fn(m, d, &f); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestMeasureLeavesOutPredecessors(t *testing.T) {
	network := grid.NewNetwork(grid.Records{UsagePoints: []grid.UsagePoint{
		{ID: "A", MeterID: "M-a", CustomerID: "a"},
		{ID: "B", MeterID: "M-b", CustomerID: "before", ValidTo: day(30)}, {ID: "B", MeterID: "M-b", CustomerID: "b", ValidFrom: day(30)},
	}})
	loads, err := Measure(context.Background(), store{}, Input{Network: network, First: first, Last: last, Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Load{"A": {60, 0.5, 1, 24}, "B": {30, 0.5, 1, 24}}
	if fmt.Sprint(loads) != fmt.Sprint(want) {
		t.Errorf("loads %+v; want %+v", loads, want)
	}
}
