package poll

import (
	"context"
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Backfill bounds what is asked of devices that keep a history, after they
// were out of reach. Each gap is asked for once, in the background, one device
// of a connection at a time. Readings that were received meanwhile may come
// again.
type Backfill struct {
	After   time.Duration // shortest outage that is filled; 30 s where zero, none is filled where negative
	Longest time.Duration // how far back a gap reaches at most; 24 h where zero
	Within  time.Duration // longest that one gap may take; 10 min where zero
	Rate    int           // readings taken in a second, of one connection; 5,000 where zero
}

func (b *Backfill) setDefaults() {
	if b.After == 0 {
		b.After = 30 * time.Second
	}
	if b.Longest == 0 {
		b.Longest = 24 * time.Hour
	}
	if b.Within == 0 {
		b.Within = 10 * time.Minute
	}
	if b.Rate == 0 {
		b.Rate = 5000
	}
}

// gap is a time of which a device has to be asked.
type gap struct {
	device   *device
	from, to time.Time
}

// fill asks the history of d, where it keeps one, for a gap long enough.
func (p *Poller) fill(d *device, from, to time.Time) {
	b := &p.cfg.Backfill
	if _, keeps := d.opened().(drivers.Backfiller); !keeps || b.After < 0 || to.Sub(from) < b.After || p.ctx.Err() != nil {
		return
	}
	if earliest := to.Add(-b.Longest); from.Before(earliest) {
		from = earliest
	}
	c := d.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.stopped {
		return
	}
	c.gaps = append(c.gaps, gap{d, from, to})
	if !c.filling {
		c.filling = true
		p.workers.Go(func() { p.fillAll(c) })
	}
}

// fillAll fills the gaps of a connection's devices one after the other.
func (p *Poller) fillAll(c *connection) {
	for {
		c.mu.Lock()
		if len(c.gaps) == 0 || p.ctx.Err() != nil {
			c.gaps, c.filling = nil, false
			c.mu.Unlock()
			return
		}
		if p.held() { // the device may have another reader by now, who asks for himself
			c.gaps = nil
			c.mu.Unlock()
			continue
		}
		g := c.gaps[0]
		c.gaps = c.gaps[1:]
		c.mu.Unlock()
		n, err := p.fillOne(g)
		switch {
		case p.ctx.Err() != nil || g.device.closing.Load() && err != nil:
		case err != nil:
			g.device.driver.failedBackfills.Add(1)
			g.device.missing(g.from)
			p.cfg.Logger.Warn("the history did not fill the gap; it is asked again after the next outage",
				"device", g.device.dev.ID, "from", g.from, "to", g.to, "readings", n, "error", err)
		default:
			g.device.driver.backfills.Add(1)
			p.cfg.Logger.Info("gap filled from the device's history", "device", g.device.dev.ID, "from", g.from, "to", g.to, "readings", n)
		}
	}
}

// fillOne asks beside the reads that go on.
func (p *Poller) fillOne(g gap) (readings int, err error) {
	d := g.device
	keeper, ok := d.opened().(drivers.Backfiller)
	if !ok {
		return 0, fmt.Errorf("device %s: its session keeps no history", d.dev.ID)
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.Backfill.Within)
	defer cancel()
	err = keeper.Backfill(ctx, g.from, g.to, func(list []meter.Reading) {
		if p.held() {
			cancel()
		}
		readings += len(list)
		d.driver.backfilled.Add(uint64(len(list)))
		p.deliver(ctx, d, list)
		select {
		case <-time.After(time.Duration(len(list)) * time.Second / time.Duration(p.cfg.Backfill.Rate)):
		case <-ctx.Done():
		}
	})
	return readings, err
}

// missing remembers a gap that was not filled: the next one begins with it.
func (d *device) missing(from time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.health.unfilled = from
}
