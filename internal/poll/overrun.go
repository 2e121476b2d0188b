package poll

import (
	"context"
	"time"
)

// reportEvery is how often missed turns are summed up in the log.
const reportEvery = time.Minute

// miss accounts for n turns that were not taken.
func (p *Poller) miss(d *device, n int) {
	d.driver.missed.Add(uint64(n)) //nolint:gosec // a count
	d.mu.Lock()
	d.health.missed += uint64(n) //nolint:gosec // a count
	d.mu.Unlock()
}

// overruns are missed turns since the report before.
type overruns struct {
	devices int
	turns   uint64
	worst   string // the device that missed most
	most    uint64
}

// overruns sums up what was missed since it was last called.
func (p *Poller) overruns() (o overruns) {
	for _, d := range p.devices() {
		d.mu.Lock()
		n := d.health.missed - d.health.reported
		d.health.reported = d.health.missed
		d.mu.Unlock()
		if n == 0 {
			continue
		}
		o.devices++
		o.turns += n
		if n > o.most {
			o.worst, o.most = d.dev.ID, n
		}
	}
	return o
}

// report logs missed turns once a minute until ctx ends: in sum, so that a
// thousand devices behind one slow gateway are one line.
func (p *Poller) report(ctx context.Context) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if o := p.overruns(); o.turns > 0 {
			p.cfg.Logger.Warn("turns were missed: devices were still being read, or the sink was behind; raise intervals, or the gateway's connections where it bears more",
				"turns", o.turns, "devices", o.devices, "worst", o.worst, "missed_by_worst", o.most)
		}
	}
}
