package detect

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// The windows of the benchmarks: batches as a run makes them, 2 MB of features.
const (
	streamDays     = 60
	streamFeatures = 20
	streamPoints   = windowValues / (streamDays * streamFeatures)
)

// streamWindow is one batch of usage points with what the records say of each.
func streamWindow() *sdk.Window {
	w := &sdk.Window{Scope: sdk.ScopeUsagePoint, FirstDay: 20_000, Days: streamDays, Prior: 0.01}
	for i := range streamPoints {
		w.Subjects = append(w.Subjects, sdk.Subject{ID: fmt.Sprintf("u-%016d", i), Kind: sdk.UsagePoint, Numbers: map[string]float64{sdk.AttrContractedKVA: 8}})
	}
	for _, f := range sdk.Features()[:streamFeatures] {
		column := make([]float32, streamPoints*streamDays)
		for i := range column {
			column[i] = float32(i%97) / 7
		}
		w.SetFeature(f, column)
	}
	return w
}

// BenchmarkWindowsReachAPlugin measures how fast daily features come to a
// detector in another process, with AutoMTLS: 20 features over 60 days. What a
// million meters take stands beside what the same bytes take as they are, over
// the same gRPC and TLS, in the same run: only their ratio tells of this code
// on a machine that others use too. The host's memory must not grow with the
// number of windows.
//
//	go test -run '^$' -bench WindowsReachAPlugin -benchtime 400x ./internal/detect
func BenchmarkWindowsReachAPlugin(b *testing.B) {
	p := launch(b, LaunchConfig{BuiltIn: builtIn("quiet")})
	started, err := p.Evaluators()[0].Start(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	w := streamWindow()
	b.SetBytes(streamPoints * streamDays * streamFeatures * 4)
	var id uint64
	var mu sync.Mutex
	next := func() *sdk.Window {
		mu.Lock()
		defer mu.Unlock()
		id++
		out := *w
		out.ID = id
		return &out
	}
	began, wall := cpuTime(b), time.Now()
	heap := watchLive()
	b.ResetTimer()
	var senders sync.WaitGroup
	work := make(chan struct{})
	for range inFlight {
		senders.Go(func() {
			for range work {
				if _, err := started.Evaluate(context.Background(), next()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	senders.Wait()
	b.StopTimer()
	took, cost := time.Since(wall), cpuTime(b)-began
	peak := heap()
	started.Finish(nil)
	windows := float64(b.N)
	bare := bareStream(b, b.N)
	million := func(d time.Duration) float64 { return d.Seconds() / windows * 1e6 / streamPoints }
	b.ReportMetric(million(took), "s/million")
	b.ReportMetric(million(bare), "bare-s/million")
	b.ReportMetric(took.Seconds()/bare.Seconds(), "ratio")
	b.ReportMetric(million(cost), "host-cpu-s/million")
	b.ReportMetric(peak, "MiB-host-heap")
}

// bareStream sends as many bytes in as many messages over the same connection,
// in windows that the plugin takes apart and does not put together.
func bareStream(b *testing.B, windows int) time.Duration {
	b.Helper()
	p := launch(b, LaunchConfig{BuiltIn: builtIn("hostile_sink")})
	c, err := p.shared.acquire(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer p.shared.release(c, false)
	stream, err := c.service.Evaluate(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	send := func(r *detectorv1.EvaluateRequest) {
		if err := stream.Send(r); err != nil {
			b.Fatal(err)
		}
	}
	send(&detectorv1.EvaluateRequest{Message: &detectorv1.EvaluateRequest_Open{Open: &detectorv1.Open{Detector: "sink"}}})
	payload := make([]byte, streamPoints*streamDays*streamFeatures*4)
	began := time.Now()
	for range windows {
		send(&detectorv1.EvaluateRequest{Message: &detectorv1.EvaluateRequest_Part{Part: &detectorv1.WindowPart{WindowId: 1, DayPresent: payload}}})
	}
	if err := stream.CloseSend(); err != nil {
		b.Fatal(err)
	}
	if _, err := stream.Recv(); err == nil {
		b.Fatal("the stream goes on")
	}
	return time.Since(began)
}

// cpuTime is the processor time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// watchLive samples the heap; the function that it returns gives the most that
// was there, in MiB.
func watchLive() func() float64 {
	stop := make(chan struct{})
	var watching sync.WaitGroup
	var peak uint64
	watching.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}
	})
	return func() float64 {
		close(stop)
		watching.Wait()
		return float64(peak) / (1 << 20)
	}
}
