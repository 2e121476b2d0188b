package grid

import (
	"testing"
	"time"
)

func TestFactorAppliesTheRecordedRatioOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		point UsagePoint
		want  float64
	}{
		"nothing recorded":             {UsagePoint{}, 1},
		"current transformer alone":    {UsagePoint{CTRatio: 40}, 40},
		"both transformers":            {UsagePoint{CTRatio: 40, PTRatio: 100}, 4000},
		"the multiplier stands for it": {UsagePoint{CTRatio: 40, PTRatio: 100, Multiplier: 4000}, 4000},
	} {
		if got := tc.point.Factor(); got != tc.want {
			t.Errorf("%s: factor %v, want %v", name, got, tc.want)
		}
	}
}

// A meter moves from one customer to the next: the end is exclusive, so that
// exactly one assignment holds at every moment.
func TestNetworkFindsTheAssignmentOfTheMoment(t *testing.T) {
	moved := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	n := NewNetwork(Records{
		Transformers: []PowerTransformer{{ID: "T-1", MeterID: "MT"}, {ID: "T-2"}},
		Customers:    []Customer{{ID: "C-1"}, {ID: "C-2"}},
		UsagePoints: []UsagePoint{
			{ID: "U-1", MeterID: "M-1", CustomerID: "C-1", TransformerID: "T-1", ValidTo: moved},
			{ID: "U-1", MeterID: "M-1", CustomerID: "C-2", TransformerID: "T-2", ValidFrom: moved},
		},
	})
	for at, want := range map[time.Time][2]string{
		moved.Add(-time.Nanosecond): {"C-1", "T-1"},
		moved:                       {"C-2", "T-2"},
	} {
		for _, u := range []*UsagePoint{n.UsagePoint("U-1", at), n.UsagePointOfMeter("M-1", at)} {
			if u == nil || u.CustomerID != want[0] || u.TransformerID != want[1] {
				t.Errorf("at %v: %+v, want %v", at, u, want)
			}
		}
		if behind := n.UsagePointsBehind(want[1], at); len(behind) != 1 || len(n.UsagePointsAt(at)) != 1 {
			t.Errorf("at %v: %d behind %s, %d in all; want one", at, len(behind), want[1], len(n.UsagePointsAt(at)))
		}
	}
	if n.TransformerOfMeter("MT") != n.Transformer("T-1") || n.TransformerOfMeter("") != nil {
		t.Error("the transformer's own meter leads elsewhere")
	}
	if n.UsagePoint("none", moved) != nil || n.Customer("none") != nil {
		t.Error("found what is not there")
	}
}
