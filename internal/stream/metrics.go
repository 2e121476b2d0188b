package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const collectTimeout = 2 * time.Second

// newDropped counts readings that were lost to retention.
func newDropped() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gridwarden_stream_dropped_unread_total",
		Help: "Messages, at most, that were dropped before a positioned reader read them.",
	}, []string{"topic", "consumer"})
}

// registerMetrics makes the state of the streams visible, where anybody looks.
func (s *Stream) registerMetrics() error {
	if s.cfg.Metrics == nil {
		return nil
	}
	for _, c := range s.collectors() {
		if err := s.cfg.Metrics.Register(c); err != nil {
			return fmt.Errorf("stream: register metrics: %w", err)
		}
	}
	return nil
}

func (s *Stream) unregisterMetrics() {
	if s.cfg.Metrics == nil {
		return
	}
	for _, c := range s.collectors() {
		s.cfg.Metrics.Unregister(c)
	}
}

func (s *Stream) collectors() []prometheus.Collector {
	return []prometheus.Collector{stateCollector{s}, s.dropped}
}

// stateCollector reports the state at the moment of a scrape.
type stateCollector struct{ s *Stream }

func backlogDesc() *prometheus.Desc {
	return prometheus.NewDesc("gridwarden_stream_backlog", "Messages (of readings: batches) a consumer has not yet worked off.", []string{"topic", "consumer"}, nil)
}

func dangerDesc() *prometheus.Desc {
	return prometheus.NewDesc("gridwarden_stream_danger", "1 where messages that a consumer has not read will soon be dropped.", []string{"topic", "consumer"}, nil)
}

func bytesDesc() *prometheus.Desc {
	return prometheus.NewDesc("gridwarden_stream_bytes", "Bytes that the stream of a topic holds.", []string{"topic"}, nil)
}

func messagesDesc() *prometheus.Desc {
	return prometheus.NewDesc("gridwarden_stream_messages", "Messages that the stream of a topic holds.", []string{"topic"}, nil)
}

// Describe implements prometheus.Collector.
func (c stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{backlogDesc(), dangerDesc(), bytesDesc(), messagesDesc()} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c stateCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	now := time.Now()
	for _, t := range Topics() {
		info, err := c.s.info(ctx, t)
		if err != nil {
			ch <- prometheus.NewInvalidMetric(bytesDesc(), err)
			return
		}
		ch <- prometheus.MustNewConstMetric(bytesDesc(), prometheus.GaugeValue, float64(info.State.Bytes), string(t))
		ch <- prometheus.MustNewConstMetric(messagesDesc(), prometheus.GaugeValue, float64(info.State.Msgs), string(t))
	}
	err := c.s.eachConsumer(ctx, now, func(r report) {
		ch <- prometheus.MustNewConstMetric(backlogDesc(), prometheus.GaugeValue, float64(r.backlog), string(r.topic), r.name)
		danger := 0.
		if r.danger != "" {
			danger = 1
		}
		ch <- prometheus.MustNewConstMetric(dangerDesc(), prometheus.GaugeValue, danger, string(r.topic), r.name)
	})
	if err != nil {
		ch <- prometheus.NewInvalidMetric(backlogDesc(), err)
	}
}

// report is how a consumer of ours does.
type report struct {
	topic Topic
	name  string
	progress
	danger string // in words, or ""
}

// eachConsumer calls fn for every durable and positioned reader of this
// process. The error tells of those that could not be asked about.
func (s *Stream) eachConsumer(ctx context.Context, now time.Time, fn func(report)) error {
	var problems []error
	one := func(topic Topic, name string, p progress, err error) {
		if err == nil {
			var danger string
			if danger, err = s.danger(ctx, topic, p, now); err == nil {
				fn(report{topic, name, p, danger})
				return
			}
		}
		problems = append(problems, fmt.Errorf("%s: %w", name, err))
	}
	for _, key := range s.known() {
		p, err := s.durableProgress(ctx, key)
		one(key.topic, key.durable, p, err)
	}
	seen := make(map[string]bool)
	for _, r := range s.reading() {
		if seen[r.label()] {
			continue // two readers of a name are one to who looks
		}
		seen[r.label()] = true
		p, err := s.readerProgress(ctx, r)
		one(Readings, r.label(), p, err)
	}
	return errors.Join(problems...)
}
