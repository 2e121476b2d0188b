package undersized

import "math"

// losses of a transformer at rated voltage and current, W.
type losses struct{ noLoad, load float64 }

// ratio is R of the loading guides: load losses over no-load losses.
func (l losses) ratio() float64 { return l.load / l.noLoad }

// rating is a preferred rating with the losses of a new unit of usual make.
type rating struct {
	kva         float64
	liquid, dry losses
}

// ratings are the preferred ratings of IEC 60076-1 (R10 series) with the
// maximum losses of Commission Regulation (EU) No 548/2014, annex I, tables
// I.1 and I.2, tier 1, for three-phase units of up to 24 kV. Older units lose
// more; where the nameplate gives losses, those are taken.
func ratings() []rating {
	return []rating{
		{25, losses{70, 900}, losses{120, 1000}}, {50, losses{90, 1100}, losses{200, 1700}}, {63, losses{105, 1250}, losses{220, 1800}},
		{80, losses{125, 1450}, losses{250, 1900}}, {100, losses{145, 1750}, losses{280, 2050}}, {125, losses{175, 2050}, losses{340, 2450}},
		{160, losses{210, 2350}, losses{400, 2900}}, {200, losses{255, 2800}, losses{460, 3350}}, {250, losses{300, 3250}, losses{520, 3800}},
		{315, losses{360, 3900}, losses{630, 4600}}, {400, losses{430, 4600}, losses{750, 5500}}, {500, losses{510, 5500}, losses{900, 6500}},
		{630, losses{600, 6500}, losses{1100, 7600}}, {800, losses{650, 8400}, losses{1300, 8000}}, {1000, losses{770, 10500}, losses{1550, 9000}},
		{1250, losses{950, 11000}, losses{1800, 11000}}, {1600, losses{1200, 14000}, losses{2200, 13000}}, {2000, losses{1450, 18000}, losses{2600, 16000}},
		{2500, losses{1750, 22000}, losses{3100, 19000}}, {3150, losses{2200, 27500}, losses{3800, 22000}},
	}
}

// typicalLosses reads the table between ratings on logarithmic scales; beyond
// its ends losses grow with the power 3/4 of the rating, as the mass does.
func typicalLosses(kva float64, dry bool) losses {
	pick := func(r rating) losses {
		if dry {
			return r.dry
		}
		return r.liquid
	}
	all := ratings()
	scaled := func(r rating) losses {
		f := math.Pow(kva/r.kva, 0.75)
		return losses{pick(r).noLoad * f, pick(r).load * f}
	}
	if kva <= all[0].kva {
		return scaled(all[0])
	}
	for i, above := range all[1:] {
		if below := all[i]; kva <= above.kva {
			t := math.Log(kva/below.kva) / math.Log(above.kva/below.kva)
			between := func(a, b float64) float64 { return a * math.Pow(b/a, t) }
			return losses{between(pick(below).noLoad, pick(above).noLoad), between(pick(below).load, pick(above).load)}
		}
	}
	return scaled(all[len(all)-1])
}
