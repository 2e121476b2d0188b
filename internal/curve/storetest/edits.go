package storetest

import (
	"testing"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// testEdits delivers a day again that people have edited.
func testEdits(t *testing.T, s curve.WorkStore) {
	store, ok := s.(curve.EditStore)
	if !ok {
		t.Fatal("the store takes no edits")
	}
	first := Day("M", 20000, 1)
	first.Origin = curve.Origin{Rule: curve.OriginImported, Reason: "a.csv"}
	put(t, s, first)
	edit := curve.Edit{MeterID: "M", Date: 20000, From: 4, KWh: []float64{7}, Author: "a", Reason: "because"}
	if _, err := edit.Apply(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	second := Day("M", 20000, 500)
	second.Origin = curve.Origin{Rule: curve.OriginImported, Reason: "b.csv"}
	for range 2 { // the second time it changes nothing
		put(t, s, second)
	}
	current := days(t, s, "M", 20000, 20000)[0]
	if current.EnergyKWh[4] != 7 || !current.Flags[4].Has(meter.Edited) || current.EnergyKWh[5] != second.EnergyKWh[5] {
		t.Errorf("after a delivery the day has %v", current.EnergyKWh[3:6])
	}
	versions, err := s.Versions(t.Context(), "M", 20000)
	if err != nil || len(versions) != 4 {
		t.Fatalf("%d versions, %v; want the first, the edit, the delivery and the delivery with the edit", len(versions), err)
	}
	for i, rule := range []string{curve.OriginImported, curve.OriginEdited, curve.OriginImported, curve.OriginEdited} {
		if v := &versions[i]; v.Number != i+1 || v.Day.Origin.Rule != rule || v.Current != (i == 3) || v.At.IsZero() {
			t.Errorf("version %d is %d by %+v, current %v, of %v", i+1, v.Number, v.Day.Origin, v.Current, v.At)
		}
	}
	if !curve.Same(&versions[0].Day, &first) || !curve.Same(&versions[2].Day, &second) || versions[3].Day.Origin.Author != "a" {
		t.Error("versions are not as they came")
	}
	f := curve.Compute(&current)
	err = s.Features(t.Context(), 20000, 20000, func(_ string, _ curve.Date, got *curve.Features) error {
		if got[0] != f[0] {
			t.Errorf("the features say %v kWh, want %v", got[0], f[0])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	back := curve.Withdrawal{MeterID: "M", Date: 20000, From: 0, To: 96, Author: "b", Reason: "not so"}
	if restored, err := back.Apply(t.Context(), store); err != nil || !curve.Same(restored, &second) {
		t.Errorf("withdrawn: %v, %v", restored, err)
	}
	put(t, s, first)
	if current := days(t, s, "M", 20000, 20000)[0]; !curve.Same(&current, &first) {
		t.Error("a delivery after the withdrawal did not count")
	}
}
