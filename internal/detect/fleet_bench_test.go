package detect_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/sqlstore"
	"github.com/gridwarden/gridwarden/plugins/builtin"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

const (
	fleetFirst = curve.Date(20_600)
	fleetDays  = 60
	fleetArea  = 50 // usage points behind a transformer
)

// BenchmarkFleet measures what a nightly run costs: 60 days of
// DETECT_BENCH_POINTS usage points (5,000 by default) with the built-in
// detectors, from SQLite. The database is made once where DETECT_BENCH_DIR
// says, and in a temporary folder otherwise.
func BenchmarkFleet(b *testing.B) {
	n := 5_000
	if text := os.Getenv("DETECT_BENCH_POINTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	dir := os.Getenv("DETECT_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	ctx := context.Background()
	db, err := sqlstore.Open(ctx, fleetDatabase(b, filepath.Join(dir, fmt.Sprintf("fleet-%d.db", n)), n))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	in := detect.Input{
		Network: fleetNetwork(n), Curves: db.Curves(), First: fleetFirst, Last: fleetFirst + fleetDays - 1, Location: time.UTC, Prior: 0.01,
		PseudonymKey: []byte("the installation's secret"),
	}
	for _, d := range builtin.Detectors() {
		in.Evaluators = append(in.Evaluators, detect.Local(d))
	}
	debug.FreeOSMemory()
	before := resident(b, "VmRSS:")
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the peak begins again
	var findings int
	began := processor(b)
	heap := watchHeap()
	for b.Loop() {
		r, err := detect.Run(ctx, in)
		if err != nil || len(r.Failed) > 0 {
			b.Fatal(err, r)
		}
		findings = 0
		for i := range r.UsagePoints {
			findings += len(r.UsagePoints[i].Findings)
		}
	}
	b.ReportMetric(heap(), "MiB-heap") // Go's; the rest of the peak is SQLite's cache, 64 MiB a connection
	b.ReportMetric(resident(b, "VmHWM:"), "MiB-peak")
	b.ReportMetric(before, "MiB-before")
	b.ReportMetric((processor(b)-began).Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "points/s")
	b.ReportMetric(float64(findings), "findings")
}

// processor is the processor time that this process has used: what counts on
// a machine that others use too.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// watchHeap samples the live and the dead of Go's heap; the function that it
// returns gives the most that was there, in MiB.
func watchHeap() (most func() float64) {
	stop := make(chan struct{})
	var watching sync.WaitGroup
	peak := uint64(0)
	watching.Go(func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				metrics.Read(sample)
				peak = max(peak, sample[0].Value.Uint64())
			}
		}
	})
	return func() float64 {
		close(stop)
		watching.Wait()
		return float64(peak) / (1 << 20)
	}
}

// resident reads a line of the process's status, in MiB.
func resident(b *testing.B, line string) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), line)
	kib, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}

func fleetNetwork(n int) *grid.Network {
	var records grid.Records
	for i := range n {
		if i%fleetArea == 0 {
			records.Transformers = append(records.Transformers, grid.PowerTransformer{ID: fmt.Sprintf("TX-%06d", i/fleetArea), RatedKVA: 250, MeterID: fmt.Sprintf("TM-%06d", i/fleetArea), Cooling: "ONAN", NoLoadLossW: 290, LoadLossW: 2700})
		}
		category, use := grid.Residential, "dwelling"
		if i%10 == 0 {
			category, use = grid.Commercial, "computer_sales"
		}
		records.Customers = append(records.Customers, grid.Customer{ID: fmt.Sprintf("C-%07d", i), Category: category, Class: grid.ClassResidential, DeclaredUse: use, ContractedKVA: 8, Subject: "person"})
		records.UsagePoints = append(records.UsagePoints, grid.UsagePoint{ID: fmt.Sprintf("UP-%07d", i), MeterID: fmt.Sprintf("M-%07d", i), CustomerID: fmt.Sprintf("C-%07d", i), TransformerID: fmt.Sprintf("TX-%06d", i/fleetArea), Phase: "A"})
	}
	return grid.NewNetwork(records)
}

// fleetDatabase stores the load of n households, one in a hundred of which
// begins to mine, and returns where.
func fleetDatabase(b *testing.B, path string, n int) string {
	b.Helper()
	if _, err := os.Stat(path); err == nil {
		return path
	}
	ctx := context.Background()
	db, err := sqlstore.Open(ctx, path+".part")
	if err != nil {
		b.Fatal(err)
	}
	store := db.Curves()
	var days []curve.Day
	var features []curve.Features
	flush := func() {
		if err := store.PutDays(ctx, days, features); err != nil {
			b.Fatal(err)
		}
		days, features = days[:0], features[:0]
	}
	put := func(id string, date curve.Date, power func(hour int) float64) {
		d := curve.Day{MeterID: id, Date: date, Start: date.Start(time.UTC), Interval: time.Hour, EnergyKWh: make([]float64, 24), Quality: make([]meter.Quality, 24)}
		for h := range 24 {
			d.EnergyKWh[h], d.Quality[h] = math.Round(1000*power(h))/1000, meter.Good
		}
		days, features = append(days, d), append(features, curve.Compute(&d))
		if len(days) >= 20_000 {
			flush()
		}
	}
	for date := fleetFirst; date < fleetFirst+fleetDays; date++ {
		area := [24]float64{}
		for i := range n {
			power := func(h int) float64 {
				chance := rand.New(rand.NewPCG(uint64(i), uint64(date)*24+uint64(h)))
				kw := 0.1 + 0.01*float64(i%17) + 0.25*chance.Float64()
				if h >= 6 && h < 8 || h >= 17 && h < 22 {
					kw += 1.8 * chance.Float64()
				}
				if i%100 == 7 && date > fleetFirst+30 {
					kw += 3
				}
				area[h] += kw
				return kw
			}
			put(fmt.Sprintf("M-%07d", i), date, power)
			if i%fleetArea == fleetArea-1 || i == n-1 {
				put(fmt.Sprintf("TM-%06d", i/fleetArea), date, func(h int) float64 { return area[h] + 0.29 + 2.7*math.Pow(area[h]/250, 2) })
				area = [24]float64{}
			}
		}
	}
	flush()
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		b.Fatal(err)
	}
	return path
}
