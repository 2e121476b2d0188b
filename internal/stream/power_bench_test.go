package stream

import (
	"fmt"
	"log/slog"
	"testing"
)

// BenchmarkPublishGuarantee publishes batches of several sizes with and
// without writing through to the disk.
func BenchmarkPublishGuarantee(b *testing.B) {
	for _, guarantee := range []Guarantee{SurvivesProcess, SurvivesPower} {
		for _, size := range []int{1, 100, powerBatch, 4 * powerBatch} {
			b.Run(fmt.Sprintf("%s/%d", guarantee, size), func(b *testing.B) {
				s, err := Open(b.Context(), Config{Dir: b.TempDir(), Guarantee: guarantee, Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				for n := 0; b.Loop(); n += size {
					if err := s.PublishReadings(b.Context(), numbered(n, size)); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "readings/s")
			})
		}
	}
}
