package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	collectTimeout    = 2 * time.Second
	retentionInterval = time.Minute
	// warnShare is the share of MaxAge or MaxBytes from which unread readings
	// are in danger.
	warnShare = 0.8
)

// Backlog is the number of messages (batches of readings) that the durable
// has not yet worked off: waiting or unacknowledged. For a durable that was
// never used it is all that the stream holds.
func (s *Stream) Backlog(ctx context.Context, durable string) (int64, error) {
	s.know(durable)
	cons, err := s.js.Consumer(ctx, Readings, durable)
	if gone(err) {
		info, err := s.info(ctx)
		if err != nil {
			return 0, err
		}
		return int64(info.State.Msgs), nil
	}
	if err != nil {
		return 0, fmt.Errorf("stream: backlog of %q: %w", durable, err)
	}
	info := cons.CachedInfo()
	return int64(info.NumPending) + int64(info.NumAckPending), nil
}

func (s *Stream) info(ctx context.Context) (*jetstream.StreamInfo, error) {
	str, err := s.js.Stream(ctx, Readings)
	if err != nil {
		return nil, fmt.Errorf("stream: state of %s: %w", Readings, err)
	}
	return str.CachedInfo(), nil
}

// backlogCollector reports the backlog at the moment of a scrape.
type backlogCollector struct{ s *Stream }

func backlogDesc() *prometheus.Desc {
	return prometheus.NewDesc("gridwarden_stream_backlog", "Messages (batches of readings) a consumer has not yet worked off.", []string{"consumer"}, nil)
}

func bytesDesc() *prometheus.Desc {
	return prometheus.NewDesc("gridwarden_stream_bytes", "Bytes that the stream of readings holds.", nil, nil)
}

func (c backlogCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- backlogDesc()
	ch <- bytesDesc()
}

func (c backlogCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	for _, durable := range c.s.known() {
		n, err := c.s.Backlog(ctx, durable)
		if err != nil {
			ch <- prometheus.NewInvalidMetric(backlogDesc(), err)
			continue
		}
		ch <- prometheus.MustNewConstMetric(backlogDesc(), prometheus.GaugeValue, float64(n), durable)
	}
	info, err := c.s.info(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(bytesDesc(), err)
		return
	}
	ch <- prometheus.MustNewConstMetric(bytesDesc(), prometheus.GaugeValue, float64(info.State.Bytes))
}

// watchRetention warns, until ctx is done, of unread readings that will soon
// be dropped.
func (s *Stream) watchRetention(ctx context.Context, interval time.Duration) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			for _, durable := range s.known() {
				danger, err := s.danger(ctx, durable, now)
				if err != nil {
					if ctx.Err() == nil {
						s.log.Warn("retention not checked", "consumer", durable, "error", err)
					}
					continue
				}
				if danger != "" {
					s.log.Warn("unread readings will soon be dropped: "+danger+"; bring the consumer back, or raise stream.max_age or stream.max_bytes", "consumer", durable)
				}
			}
		}
	}
}

// danger says in words why readings that the durable has not read are about
// to be dropped, or "".
func (s *Stream) danger(ctx context.Context, durable string, now time.Time) (string, error) {
	info, err := s.info(ctx)
	if err != nil {
		return "", err
	}
	first, last := info.State.FirstSeq, info.State.LastSeq
	unread := first
	cons, err := s.js.Consumer(ctx, Readings, durable)
	switch {
	case err == nil:
		unread = max(first, cons.CachedInfo().AckFloor.Stream+1)
	case !gone(err):
		return "", fmt.Errorf("stream: consumer %q: %w", durable, err)
	}
	if info.State.Msgs == 0 || unread > last {
		return "", nil
	}
	if age := now.Sub(info.State.FirstTime); age > share(s.cfg.MaxAge) && nearFirst(first, last, unread) {
		return fmt.Sprintf("the oldest is %s old of %s", age.Round(time.Minute), s.cfg.MaxAge), nil
	}
	if used := int64(info.State.Bytes); used > share(s.cfg.MaxBytes) && nearFirst(first, last, unread) {
		return fmt.Sprintf("the stream holds %d MB of %d MB", used>>20, s.cfg.MaxBytes>>20), nil
	}
	return "", nil
}

func share[T int64 | time.Duration](limit T) T { return T(float64(limit) * warnShare) }

// nearFirst reports whether unread lies in the oldest fifth of the stream,
// the part that goes next.
func nearFirst(first, last, unread uint64) bool {
	return float64(unread-first) < (1-warnShare)*float64(last-first+1)
}
