package sim

import "math"

// disguise takes a workshop that is there anyway and writes it down as a
// dwelling: its load and its place stay as they are, only the contract says
// otherwise. A restaurant would not do: its hours are those of a home.
func (b *builder) disguise() {
	taken := make(map[*point]bool)
	for _, l := range b.d.lookalikes {
		taken[l.point] = true
	}
	type choice struct {
		p    *point
		area int
	}
	var choices []choice
	for i, a := range b.d.areas {
		if a.reserved || a.dedicated {
			continue
		}
		for _, p := range a.points {
			if p.kind == "workshop" && !taken[p] && p.estimateKW >= 6 && p.estimateKW <= 40 {
				choices = append(choices, choice{p, i})
			}
		}
	}
	if len(choices) == 0 {
		return
	}
	c := pick(newRand(b.d.seed, streamDisguise), choices...)
	rec := records["household"]
	c.p.customer.category, c.p.customer.class, c.p.customer.tariffID, c.p.customer.subject = rec.category, rec.class, "res_tiered", rec.subject
	c.p.customer.declaredUse = "dwelling"
	c.p.customer.contractedKVA = math.Max(c.p.customer.contractedKVA, contractFor(c.p.estimateKW))
	b.d.areas[c.area].reserved = true
	b.tell(Planted{Story: "workshop_as_dwelling", Expect: ExpectFlag,
		Note: "a workshop that is written down, and billed, as a dwelling; its meter is honest"}, c.p, c.area, sinceEver)
}
