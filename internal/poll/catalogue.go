package poll

import (
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// catalogue is what the poller knows of a profile's points; devices of one
// profile share it.
type catalogue struct {
	quantities []meter.Quantity
	natures    []nature
	groups     [][]int
	index      map[meter.Quantity]int
	clock      int // the point that shows the device's clock; -1 where none does
}

func newCatalogue(p *profile.Profile) *catalogue {
	c := &catalogue{quantities: p.Quantities(), index: make(map[meter.Quantity]int), clock: -1}
	for i, q := range c.quantities {
		c.natures = append(c.natures, natureOf(q))
		c.index[q] = i
		if q == meter.ClockOffset {
			c.clock = i
		}
	}
	for _, g := range p.Groups() {
		c.groups = append(c.groups, g.Points)
	}
	return c
}

// judge judges the readings of a group, or of a subscription where group is
// negative; d.mu is held.
func (d *device) judge(q *Quality, group int, list []meter.Reading) {
	var places []int
	var c circumstance
	if group >= 0 {
		places, c.interval = d.catalogue.groups[group], d.readers[group].interval
	}
	c.offset = d.clockOffset()
	for i := range list {
		r := &list[i]
		n := -1
		if i < len(places) {
			n = places[i]
		}
		if n < 0 || d.catalogue.quantities[n] != r.Quantity {
			var known bool
			if n, known = d.catalogue.index[r.Quantity]; !known {
				continue
			}
		}
		c.nature, c.rollover = d.catalogue.natures[n], 0
		if p := &d.points[n]; c.nature == register && p.reads > 0 && r.Value < p.value {
			c.rollover = d.rollover(r)
		}
		q.see(&d.points[n], &c, r)
	}
}

// clockOffset is how far the device's clock is ahead, in seconds; 0 where it
// shows none.
func (d *device) clockOffset() float64 {
	if n := d.catalogue.clock; n >= 0 && d.points[n].reads > 0 {
		return d.points[n].value
	}
	return 0
}

// rollover is where the register of r starts again, primary as r is; 0 where
// the profile does not say.
func (d *device) rollover(r *meter.Reading) float64 {
	at := d.dev.Profile.Rollover(r.Quantity)
	if at == 0 {
		return 0
	}
	v := profile.Value{Number: at, Quality: meter.Good}
	return d.dev.Reading(r.Quantity, d.dev.Profile.SideOf(r.Quantity), v, r.EventTime, r.ReceiveTime, nil).Value
}

// catalogueOf returns the catalogue of a profile; p.applying is held.
func (p *Poller) catalogueOf(pr *profile.Profile) *catalogue {
	c := p.catalogues[pr]
	if c == nil {
		c = newCatalogue(pr)
		p.catalogues[pr] = c
	}
	return c
}
