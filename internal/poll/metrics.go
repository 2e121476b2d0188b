package poll

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// metrics holds the collectors with their labels resolved: looking labels up
// for every poll would cost more than counting.
type metrics struct {
	late     prometheus.Histogram
	byDriver map[string]*driverCounters
	quality  [meter.Good + 1]prometheus.Counter
}

type driverCounters struct{ ok, failed, missed prometheus.Counter }

func newMetrics(reg prometheus.Registerer, driverNames []string) (*metrics, error) {
	polls := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gridwarden_polls_total", Help: "Polls by driver and result: ok, failed, or missed because the device was still being read.",
	}, []string{"driver", "result"})
	readings := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gridwarden_readings_total", Help: "Readings delivered by drivers, by quality.",
	}, []string{"quality"})
	m := &metrics{
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gridwarden_poll_lateness_seconds", Help: "How long after its turn a poll began.",
			Buckets: []float64{.005, .01, .02, .05, .1, .25, .5, 1, 2.5, 10},
		}),
		byDriver: make(map[string]*driverCounters),
	}
	for _, name := range driverNames {
		m.byDriver[name] = &driverCounters{
			polls.WithLabelValues(name, "ok"), polls.WithLabelValues(name, "failed"), polls.WithLabelValues(name, "missed"),
		}
	}
	for q := meter.Bad; q <= meter.Good; q++ {
		m.quality[q] = readings.WithLabelValues(q.String())
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{polls, readings, m.late} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register poll metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) lateness(d time.Duration) { m.late.Observe(d.Seconds()) }

func (m *metrics) polled(driver string, ok bool) {
	if ok {
		m.byDriver[driver].ok.Inc()
	} else {
		m.byDriver[driver].failed.Inc()
	}
}

func (m *metrics) missed(driver string, n int) { m.byDriver[driver].missed.Add(float64(n)) }

func (m *metrics) delivered(list []meter.Reading) {
	var n [meter.Good + 1]int
	for i := range list {
		n[min(list[i].Quality, meter.Good)]++
	}
	for q, count := range n {
		if count > 0 {
			m.quality[q].Add(float64(count))
		}
	}
}
