package host

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/historian"
	"github.com/gridwarden/gridwarden/internal/poll"
	"github.com/gridwarden/gridwarden/internal/stream"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// toHistorian is the name of the historian's durable consumer. It is stable:
// the stream remembers under it how far the historian has come.
const toHistorian = "historian"

// historianBatch is about what one request to the historian carries: larger
// ones cost it less for each line.
const historianBatch = 1 << 20

func (h *Host) openStream(ctx context.Context) (err error) {
	cfg := StreamConfig(h.cfg, h.log)
	cfg.Metrics, cfg.FetchBytes = h.metrics, historianBatch
	if h.stream, err = stream.Open(ctx, cfg); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	return nil
}

// Recovered says what the start found in the stream, and how long that took.
func (h *Host) Recovered() string {
	if h.cfg.Stream.URL != "" {
		return "Stream on the NATS servers of stream.url"
	}
	took, messages, bytes := h.stream.Recovery()
	return fmt.Sprintf("Stream recovered in %v: %d messages, %.1f MB", took.Round(time.Millisecond), messages, float64(bytes)/1e6)
}

// openHistorian connects to the configured historian, or runs InfluxDB as a
// child. Without either the program works on: telemetry waits in the stream.
func (h *Host) openHistorian(ctx context.Context) error {
	cfg := historian.Config{
		URL: h.cfg.Historian.URL, QueryURL: h.cfg.Historian.QueryURL, Org: h.cfg.Historian.Org, Bucket: h.cfg.Historian.Bucket,
		GZip: h.cfg.Historian.GZip, Logger: h.log, Metrics: h.metrics,
		// What the engine will never take is kept aside with the reason, not dropped.
		Rejected: func(ctx context.Context, readings []meter.Reading, reason error) error {
			return h.stream.SetAside(ctx, toHistorian, readings, reason)
		},
	}
	var err error
	if cfg.Token, err = historian.ReadToken(h.cfg.Historian.TokenFile, h.cfg.Historian.TokenEnv); err != nil {
		return err
	}
	if cfg.URL == "" && h.opts.InfluxDB != "" {
		h.influx, err = historian.StartChild(ctx, historian.ChildConfig{
			Binary: h.opts.InfluxDB, Dir: filepath.Join(h.cfg.DataDir, "influxdb"), Database: cfg.Bucket, Logger: h.log,
		})
		if err != nil {
			return fmt.Errorf("historian: %w", err)
		}
		cfg.URL = h.influx.URL()
	}
	if cfg.URL == "" {
		h.log.Warn("no historian: telemetry waits in the stream; name one in the configuration under historian.url")
		return nil
	}
	if h.historian, err = historian.Open(cfg); err != nil {
		return fmt.Errorf("historian: %w", err)
	}
	return nil
}

func (h *Host) openPolling(context.Context) error {
	devices, profiles, err := loadDevices(h.cfg, h.opts.Drivers, h.Network(), nil, h.opts.Profiles...)
	if err != nil {
		return err
	}
	h.reloads.profiles = inUse(devices, profiles)
	h.setFleet(devices)
	cfg := poll.Config{
		Devices: devices, Drivers: h.opts.Drivers, Sink: h.stream.PublishReadings,
		Logger: h.log, Metrics: h.metrics, Now: h.opts.Now,
	}
	if h.cfg.Stream.Guarantee == config.SurvivesPower {
		// What is written through to the disk batch by batch is gathered longer.
		cfg.FlushEvery, cfg.BatchSize = powerFlush, powerBatch
	}
	if h.clustered() {
		if err := h.sharePolling(&cfg); err != nil {
			return err
		}
	}
	if h.poller, err = poll.New(cfg); err != nil {
		return fmt.Errorf("polling: %w", err)
	}
	return nil
}

// How readings are gathered where every batch is written through to the disk:
// about stream.PowerBatchBytes of them, or half a second's.
const (
	powerFlush = 500 * time.Millisecond
	powerBatch = 3000
)

// feedHistorian moves readings from the stream to the historian until ctx ends.
func (h *Host) feedHistorian(ctx context.Context) error {
	if h.historian == nil {
		return nil
	}
	err := h.historian.Feed(ctx, func(ctx context.Context, write func(context.Context, []meter.Reading) error) error {
		return h.stream.ConsumeReadings(ctx, toHistorian, write)
	})
	if err != nil {
		return fmt.Errorf("feed the historian: %w", err)
	}
	return nil
}

// HistorianState says in a word how the historian does, and why where it does not.
func (h *Host) HistorianState() (string, error) {
	if h.historian == nil {
		return historian.Missing, nil
	}
	return h.historian.State()
}

// Backlog is the number of batches that wait in the stream for the historian.
func (h *Host) Backlog(ctx context.Context) (int64, error) {
	return h.stream.Backlog(ctx, toHistorian)
}

// CountPoints counts the readings of a span of event time back from the
// historian; counted is false where there is none.
func (h *Host) CountPoints(ctx context.Context, from, to time.Time) (points int64, counted bool, err error) {
	if h.historian == nil {
		return 0, false, nil
	}
	points, err = h.historian.Count(ctx, from, to)
	if err != nil {
		return 0, false, fmt.Errorf("count points: %w", err)
	}
	return points, true, nil
}

// StoredValues calls fn for every value of a span of event time that the
// historian holds.
func (h *Host) StoredValues(ctx context.Context, from, to time.Time, fn func(historian.Value) error) error {
	if err := h.historian.Values(ctx, from, to, fn); err != nil {
		return fmt.Errorf("stored values: %w", err)
	}
	return nil
}

// MarkPolls remembers the poll counts of now.
func (h *Host) MarkPolls() poll.Mark { return h.poller.Mark() }

// PollsSince returns the poll counts by driver since m.
func (h *Host) PollsSince(m poll.Mark) map[string]poll.Totals {
	totals, _ := h.poller.Since(m)
	return totals
}
