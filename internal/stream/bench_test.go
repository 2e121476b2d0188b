package stream

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// BenchmarkPublish publishes batches of 10,000 readings, each call
// acknowledged, and reports what a reading takes on the disk.
func BenchmarkPublish(b *testing.B) {
	s, err := Open(b.Context(), Config{Dir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	in := sample(10_000)
	published := 0
	for b.Loop() {
		for i := range in { // the same batch again would be stored once
			in[i].ReceiveTime = in[i].ReceiveTime.Add(time.Millisecond)
		}
		if err := s.PublishReadings(b.Context(), in); err != nil {
			b.Fatal(err)
		}
		published += len(in)
	}
	info, err := s.info(b.Context(), Readings)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(published)/b.Elapsed().Seconds(), "readings/s")
	b.ReportMetric(float64(info.State.Bytes)/float64(published), "B/reading")
}

// BenchmarkConsume drains a backlog of two million readings.
func BenchmarkConsume(b *testing.B) {
	s, err := Open(b.Context(), Config{Dir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const total = 2_000_000
	in := sample(100_000)
	for n := 0; n < total; n += len(in) {
		for i := range in {
			in[i].ReceiveTime = in[i].ReceiveTime.Add(time.Millisecond)
		}
		if err := s.PublishReadings(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	var took time.Duration
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		begin, got := time.Now(), 0
		err := s.ConsumeReadings(ctx, fmt.Sprint("bench", begin.UnixNano()), func(_ context.Context, rs []meter.Reading) error {
			if got += len(rs); got >= total {
				took += time.Since(begin)
				cancel()
			}
			return nil
		})
		cancel()
		if err != nil || got < total {
			b.Fatal(got, err)
		}
	}
	b.ReportMetric(float64(total)*float64(b.N)/took.Seconds(), "readings/s")
}

// BenchmarkRead reads two million readings by position.
func BenchmarkRead(b *testing.B) {
	s, err := Open(b.Context(), Config{Dir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const total = 2_000_000
	in := sample(100_000)
	for n := 0; n < total; n += len(in) {
		for i := range in {
			in[i].ReceiveTime = in[i].ReceiveTime.Add(time.Millisecond)
		}
		if err := s.PublishReadings(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		ctx, cancel := context.WithCancel(b.Context())
		got := 0
		err := s.ReadReadings(ctx, Reader{Name: "bench", Partition: AllPartitions}, func(_ context.Context, rs []meter.Reading, _ uint64) error {
			if got += len(rs); got >= total {
				cancel()
			}
			return nil
		})
		cancel()
		if err != nil || got != total {
			b.Fatal(got, err)
		}
	}
	b.ReportMetric(float64(total)*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}

// BenchmarkPublishClaimed publishes batches of 10,000 readings of one
// partition under a claim, message by message, on one server and on three.
func BenchmarkPublishClaimed(b *testing.B) {
	run := func(b *testing.B, cfg Config) {
		cfg.Logger = slog.New(slog.DiscardHandler)
		s, err := Open(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		token, err := s.Claim(b.Context(), 1)
		if err != nil {
			b.Fatal(err)
		}
		in := sample(10_000)
		for b.Loop() {
			for i := range in {
				in[i].ReceiveTime = in[i].ReceiveTime.Add(time.Millisecond)
			}
			if err := s.PublishClaimed(b.Context(), 1, token, in); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(in))*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
	}
	b.Run("embedded", func(b *testing.B) { run(b, Config{Dir: b.TempDir()}) })
	b.Run("replicated", func(b *testing.B) { run(b, Config{URL: threeServers(b).URL(), Guarantee: SurvivesHost}) })
}
