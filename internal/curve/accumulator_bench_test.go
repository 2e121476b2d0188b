package curve_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// BenchmarkAccept measures a reading's way into its working set, and what of a
// commit falls to it: 1,000 meters polled every 30 s for a register, three
// voltages, three currents and power, with a commit after every turn.
func BenchmarkAccept(b *testing.B) {
	now := start
	acc, err := curve.NewAccumulator(curve.AccumulatorConfig{Store: curve.NewMemory(), Clock: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	quantities := []meter.Quantity{meter.ActiveEnergyImport, meter.VoltageA, meter.VoltageB, meter.VoltageC,
		meter.CurrentA, meter.CurrentB, meter.CurrentC, meter.ActivePower}
	const meters = 1000
	batch := make([]meter.Reading, 0, meters*len(quantities))
	for m := range meters {
		for _, q := range quantities {
			batch = append(batch, meter.Reading{MeterID: "M" + strconv.Itoa(m), Quantity: q, Quality: meter.Good})
		}
	}
	turn := 0
	for b.Loop() {
		now = now.Add(30 * time.Second)
		for i := range batch {
			batch[i].EventTime, batch[i].ReceiveTime = now, now
			batch[i].Value = float64(turn) / 100
		}
		if err := acc.Accept(b.Context(), batch, uint64(turn)); err != nil {
			b.Fatal(err)
		}
		if err := acc.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
		turn++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(turn*len(batch)), "ns/reading")
}
