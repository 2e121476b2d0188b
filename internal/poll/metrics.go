package poll

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// counters are kept as plain numbers, which Totals, Since and the metrics
// read; a poll adds to them without a lock or a look-up.
type counters struct {
	late     prometheus.Histogram
	byDriver map[string]*driverCounters
	quality  [meter.Good + 1]atomic.Uint64
	list     []prometheus.Collector
}

// driverCounters count the polls and readings of one driver.
type driverCounters struct {
	name                       string
	ok, failed, missed, held   atomic.Uint64
	readings                   atomic.Uint64
	backfills, failedBackfills atomic.Uint64
	backfilled                 atomic.Uint64
}

func newCounters(driverNames []string) *counters {
	c := &counters{
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gridwarden_poll_lateness_seconds", Help: "How long after its turn a poll began.",
			Buckets: []float64{.005, .01, .02, .05, .1, .25, .5, 1, 2.5, 10},
		}),
		byDriver: make(map[string]*driverCounters),
	}
	c.list = []prometheus.Collector{c.late}
	counter := func(name, help string, labels prometheus.Labels, n *atomic.Uint64) {
		c.list = append(c.list, prometheus.NewCounterFunc(
			prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels},
			func() float64 { return float64(n.Load()) }))
	}
	for _, name := range driverNames {
		d := &driverCounters{name: name}
		c.byDriver[name] = d
		for result, n := range map[string]*atomic.Uint64{"ok": &d.ok, "failed": &d.failed, "missed": &d.missed, "held": &d.held} {
			counter("gridwarden_polls_total", "Polls by driver and result: ok, failed, missed because the device was still being read, or held because this host's lease does not hold.",
				prometheus.Labels{"driver": name, "result": result}, n)
		}
		for result, n := range map[string]*atomic.Uint64{"ok": &d.backfills, "failed": &d.failedBackfills} {
			counter("gridwarden_backfills_total", "Gaps asked of devices' histories after an outage, by driver and result.",
				prometheus.Labels{"driver": name, "result": result}, n)
		}
		counter("gridwarden_backfilled_readings_total", "Readings that devices' histories gave for gaps.",
			prometheus.Labels{"driver": name}, &d.backfilled)
	}
	for q := meter.Bad; q <= meter.Good; q++ {
		counter("gridwarden_readings_total", "Readings delivered by drivers, by quality.", prometheus.Labels{"quality": q.String()}, &c.quality[q])
	}
	return c
}

// register shows the counters to reg, which may be nil.
func (c *counters) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	for _, m := range c.list {
		if err := reg.Register(m); err != nil {
			return fmt.Errorf("register poll metrics: %w", err)
		}
	}
	return nil
}

func (c *counters) lateness(d time.Duration) { c.late.Observe(d.Seconds()) }

// delivered counts readings by quality.
func (c *counters) delivered(d *driverCounters, list []meter.Reading) {
	d.readings.Add(uint64(len(list)))
	var n [meter.Good + 1]uint64
	for i := range list {
		n[min(list[i].Quality, meter.Good)]++
	}
	for q := range n {
		if n[q] > 0 {
			c.quality[q].Add(n[q])
		}
	}
}

// Totals counts turns. Due is the sum of the others: a turn counts once its
// outcome is known.
type Totals struct {
	Due, OK, Failed, Missed uint64
	Held                    uint64 // not given since the gate was closed
	Readings                uint64 // of polls, subscriptions and back-fills, whatever their quality
}

func (t Totals) minus(u Totals) Totals {
	return Totals{t.Due - u.Due, t.OK - u.OK, t.Failed - u.Failed, t.Missed - u.Missed, t.Held - u.Held, t.Readings - u.Readings}
}

// Mark is a moment from which Since counts.
type Mark struct {
	at     time.Time
	totals map[string]Totals
}

// Totals returns the counts by driver since Run began.
func (p *Poller) Totals() map[string]Totals {
	out := make(map[string]Totals, len(p.counters.byDriver))
	for name, c := range p.counters.byDriver {
		t := Totals{OK: c.ok.Load(), Failed: c.failed.Load(), Missed: c.missed.Load(), Held: c.held.Load(), Readings: c.readings.Load()}
		t.Due = t.OK + t.Failed + t.Missed + t.Held
		out[name] = t
	}
	return out
}

// Mark remembers the counts of now.
func (p *Poller) Mark() Mark { return Mark{at: p.cfg.Now(), totals: p.Totals()} }

// Since returns the counts by driver since m and how long ago that was.
func (p *Poller) Since(m Mark) (map[string]Totals, time.Duration) {
	out := p.Totals()
	for name, totals := range out {
		out[name] = totals.minus(m.totals[name])
	}
	return out, p.cfg.Now().Sub(m.at)
}
