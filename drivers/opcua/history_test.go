package opcua

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

const historyPoints = `
    - {quantity: active_power, node: "nsu=urn:gridwarden:data;s=M1.P"}
    - {quantity: active_energy_import, node: "nsu=urn:gridwarden:data;s=M1.E", scale: 0.001}
    - {quantity: voltage_a, node: "nsu=urn:gridwarden:data;s=M1.U1"}`

// backfill collects what a device recorded.
func backfill(t *testing.T, s *session, from, to time.Time) ([]meter.Reading, error) {
	t.Helper()
	var out []meter.Reading
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := s.Backfill(ctx, from, to, func(list []meter.Reading) { out = append(out, list...) })
	if !slices.IsSortedFunc(out, func(a, b meter.Reading) int { return a.EventTime.Compare(b.EventTime) }) {
		t.Error("the readings are out of order")
	}
	return out, err
}

func testBackfill(t *testing.T, peer *dataPeer) {
	s := open(t, driver(t, Options{}), testDevice(t, "past", peer.hostPort(), testProfile(t, historyPoints), none))
	began := time.Now().Add(-time.Second)
	const steps = 2500 // more than two pages
	peer.tell(t, map[string]any{"burst": map[string]any{"node": "M1.P", "count": steps}})
	for i := 1; i <= 5; i++ {
		peer.set(t, map[string]float64{"M1.E": float64(1000 * i)})
		time.Sleep(15 * time.Millisecond)
	}
	const stale = 0x40900000 // UncertainLastUsableValue
	peer.tell(t, map[string]any{"status": map[string]uint32{"M1.E": stale}})
	ended := time.Now().Add(time.Second)

	list, err := backfill(t, s, began, ended)
	if err != nil {
		t.Fatal(err)
	}
	var power, energy []meter.Reading
	for _, r := range list {
		switch r.Quantity {
		case meter.ActivePower:
			power = append(power, r)
		case meter.ActiveEnergyImport:
			energy = append(energy, r)
		default:
			t.Errorf("%+v", r)
		}
		if r.EventTime.Before(began) || r.EventTime.After(ended) || r.DeviceID != "past" {
			t.Fatalf("%+v", r)
		}
	}
	if n := len(power); n < steps || power[n-1].Value != steps || power[n-1].Quality != meter.Good {
		t.Fatalf("%d of %d powers came", n, steps)
	}
	tail := power[len(power)-steps:]
	for i, r := range tail {
		if r.Value != float64(i+1) {
			t.Fatalf("power %d is %v", i+1, r.Value)
		}
	}
	if n := len(energy); n < 6 {
		t.Fatalf("%d energies: %+v", n, energy)
	} else if last := energy[n-1]; last.Value != 5 || last.Quality != meter.Uncertain || !last.Flags.Has(meter.Stale) || energy[n-2].Quality != meter.Good {
		t.Errorf("%+v", energy[n-2:])
	}
	// Both ends belong to the gap.
	last := energy[len(energy)-2]
	list, err = backfill(t, s, last.EventTime, last.EventTime)
	if err != nil || !slices.ContainsFunc(list, func(r meter.Reading) bool {
		return r.Quantity == meter.ActiveEnergyImport && r.EventTime.Equal(last.EventTime)
	}) {
		t.Errorf("the gap of one moment holds %+v (%v)", list, err)
	}
	if notes := s.Notes(); len(notes) != 1 {
		t.Errorf("%q", notes)
	}
}

// testNoHistory: a device without a history says so once.
func testNoHistory(t *testing.T, peer *dataPeer) {
	p := testProfile(t, `
    - {quantity: active_power, node: "nsu=urn:gridwarden:data;s=M2.P"}`)
	s := open(t, driver(t, Options{}), testDevice(t, "bare", peer.hostPort(), p, none))
	if list, err := backfill(t, s, time.Now().Add(-time.Hour), time.Now()); !errors.Is(err, ErrNoHistory) || len(list) != 0 {
		t.Errorf("%v, %d readings", err, len(list))
	}
	if list, err := backfill(t, s, time.Now().Add(-time.Hour), time.Now()); err != nil || len(list) != 0 {
		t.Errorf("told twice: %v, %d readings", err, len(list))
	}
	if readings, err := s.Read(t.Context(), 0); err != nil || readings[0].Value != 20.25 {
		t.Errorf("%+v, %v", readings, err)
	}
}

func TestData(t *testing.T) {
	t.Parallel()
	peer := dataServer(t, dataSettings{History: true, Limits: map[string]int{"maxNodesPerHistoryReadData": 1, "maxMonitoredItemsPerCall": 2}})
	t.Run("back-fill", func(t *testing.T) { testBackfill(t, peer) })
	t.Run("no history", func(t *testing.T) { testNoHistory(t, peer) })
	t.Run("deadband", func(t *testing.T) { testDeadband(t, peer) })
	t.Run("queue", func(t *testing.T) { testQueue(t, peer) })
	t.Run("groups", func(t *testing.T) { testGroups(t, peer) })
	t.Run("come and go", func(t *testing.T) { testComeAndGo(t, peer) })
	t.Run("cut", func(t *testing.T) { testCut(t, peer) })
	t.Run("half open", func(t *testing.T) { testHalfOpen(t, peer) })
	t.Run("no publishing", func(t *testing.T) { testNoPublishing(t, peer) })
}
