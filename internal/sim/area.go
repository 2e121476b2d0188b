package sim

// areaDay is one day of a transformer and everything behind it.
type areaDay struct {
	points []*pointDay // as area.points
	street dayKW       // unmetered street lighting, kW
	tap    dayKW       // direct tap, kW
	line   dayKW       // losses in the low-voltage lines, kW
	loss   dayKW       // of the transformer: no-load and load loss, kW
	kvar   dayKW       // at the low-voltage terminals
	kva    dayKW       // at the low-voltage terminals: what loads the transformer
	// Metered is what the transformer's own meter registers, kW: it sits at
	// the high-voltage terminals, or is corrected to them, so that losses are in it.
	Metered dayKW
}

// dayOf computes the day of the whole area. It is a pure function.
func (a *area) dayOf(seed uint64, e *env) *areaDay {
	d := &areaDay{points: make([]*pointDay, len(a.points))}
	var kw dayKW
	for i, p := range a.points {
		pd := p.dayOf(e)
		d.points[i] = pd
		for k := range kw {
			kw[k] += pd.True[k]
			d.kvar[k] += pd.TrueQ[k]
		}
	}
	for k := range kw {
		d.street[k] = a.streetKW * a.lampShare * e.dark[k]
		kw[k] += d.street[k]
		d.kvar[k] += d.street[k] * tanOf(.92)
	}
	if a.tap != nil {
		var kvar dayKW
		addLoad(e, a.tap, hash(seed, streamLayout), hashString(a.id), &d.tap, &kvar)
		for k := range kw {
			kw[k] += d.tap[k]
			d.kvar[k] += kvar[k]
		}
	}
	for k := range kw {
		load := hypot(kw[k], d.kvar[k]) / a.kva
		d.line[k] = a.lineLoss * a.kva * load * load
		p := kw[k] + d.line[k]
		d.kva[k] = hypot(p, d.kvar[k])
		load = d.kva[k] / a.kva
		d.loss[k] = (a.noLoadW + a.loadW*load*load) / 1000
		d.Metered[k] = (p + d.loss[k]) * a.gain
	}
	return d
}
