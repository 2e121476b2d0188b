package historian

import (
	"fmt"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// polled are readings as polls bring them: ten to a line, half of them of
// scaled registers, half of 32-bit floats.
func polled(n int) []meter.Reading {
	out := make([]meter.Reading, n)
	for i := range out {
		k := i / 10
		at := base().Add(time.Duration(k) * 10 * time.Millisecond)
		out[i] = meter.Reading{
			DeviceID: fmt.Sprintf("tx-%03d/unit-%d", k%500/40, k%40), MeterID: fmt.Sprintf("M%07d", 4_100_000+k%500*37),
			Quantity: meter.Quantities()[i%10], Value: float64(2300+i%77) / 10, EventTime: at, ReceiveTime: at.Add(time.Millisecond), Quality: meter.Good,
		}
		if i%2 == 1 {
			out[i].Value = float64(float32(i%1000) * 1.0137)
		}
	}
	return out
}

func BenchmarkRender(b *testing.B) {
	in := polled(20_000)
	var t text
	f := form{strings: true, received: true}
	for b.Loop() {
		f.render(&t, in)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(in)), "ns/reading")
	b.ReportMetric(float64(len(t.buf))/float64(len(in)), "bytes/reading")
}
