package poll

// held reports whether nothing may be read now.
func (p *Poller) held() bool { return p.cfg.Gate != nil && !p.cfg.Gate() }

// hold counts n turns of d that were not given because the gate was closed.
// That is no fault of the device: it is neither missed nor failed.
func (p *Poller) hold(d *device, n int) {
	d.driver.held.Add(uint64(n)) //nolint:gosec // a count
}

// holdAll holds the turns of one slot, and those that wait for a connection.
func (p *Poller) holdAll(list []due) {
	for _, t := range p.ramp {
		t.reader.ramped = false
		p.hold(t.reader.device, 1+t.slept)
	}
	clear(p.ramp)
	p.ramp = p.ramp[:0]
	for _, t := range list {
		p.hold(t.reader.device, 1+t.slept)
	}
}
