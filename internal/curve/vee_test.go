package curve

import (
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func TestCheckSumDoubtsWhatTheRegisterDoesNotConfirm(t *testing.T) {
	for _, c := range []struct {
		register float64
		want     meter.Quality
	}{{48, meter.Good}, {48.4, meter.Good}, {49, meter.Uncertain}, {47, meter.Uncertain}} {
		d := dayOf(4, 24, func(int) float64 { return 2 })
		var counts Counts
		CheckSum(d, c.register, &counts)
		if d.Quality[5] != c.want || (counts[RuleSumCheck] > 0) != (c.want != meter.Good) {
			t.Errorf("48 kWh against a register of %v: %v, %s", c.register, d.Quality[5], counts.String())
		}
	}
	d := dayOf(4, 24, func(int) float64 { return 2 })
	d.Quality[9] = meter.Bad
	var counts Counts
	if CheckSum(d, 100, &counts); d.Quality[5] != meter.Good {
		t.Error("a day with a bad interval was compared")
	}
}

func TestLimitsOfMeters(t *testing.T) {
	n := grid.NewNetwork(grid.Records{
		Transformers: []grid.PowerTransformer{{ID: "T", RatedKVA: 250, MeterID: "MT"}},
		Customers:    []grid.Customer{{ID: "C", ContractedKVA: 10}},
		UsagePoints:  []grid.UsagePoint{{ID: "U", MeterID: "M", CustomerID: "C", TransformerID: "T", ValidFrom: time.Unix(1e9, 0)}},
	})
	at := time.Unix(2e9, 0)
	for id, want := range map[string]float64{"M": 200, "MT": 1000, "X": unknownRangeKW} {
		if got := LimitsOf(n, id, at).rangeKW(); got != want {
			t.Errorf("meter %s can carry %v kW, want %v", id, got, want)
		}
	}
	if got := LimitsOf(n, "M", time.Unix(1, 0)); got != (Limits{}) {
		t.Errorf("before its assignment the meter has limits %v", got)
	}
	if got := LimitsOf(nil, "M", at); got != (Limits{}) {
		t.Errorf("without records there are limits %v", got)
	}
}
