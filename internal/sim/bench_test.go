package sim

import (
	"context"
	"testing"
)

// BenchmarkDay is one day of the whole district: 1,040 curves.
func BenchmarkDay(b *testing.B) {
	d := district(b, 1, "2026-06-30", 60)
	b.ReportAllocs()
	for i := range b.N {
		if _, err := d.day(context.Background(), d.first+dateOffset(i%60)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/(pointCount+transformerCount), "µs/curve")
}
