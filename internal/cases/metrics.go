package cases

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// scrapeTimeout bounds how long a scrape may wait for the store.
const scrapeTimeout = 2 * time.Second

// collector counts cases when it is asked, so that the numbers are right also
// when another process changed them.
type collector struct {
	store Store
	desc  *prometheus.Desc
}

func newCollector(store Store) *collector {
	return &collector{store, prometheus.NewDesc("gridwarden_cases", "Cases by state.", []string{"state"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	counts, err := c.store.Count(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(c.desc, err)
		return
	}
	for _, state := range States() {
		out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(counts[state]), string(state))
	}
}
