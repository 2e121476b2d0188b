package sim

import (
	"fmt"
	"math"
	"sort"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// plant puts the stories into the empty district, each on a transformer of its
// own.
func (b *builder) plant() {
	b.seller()
	b.undersized()
	b.residential("residential_miner_small", 3.25, 1)
	b.residential("residential_miner_rigs", 1.0, 5)
	b.residential("residential_miner_large", 1.35, 6)
	b.corridorMiner()
	b.eveningEvader()
	b.sinceDayOne()
	b.fractional()
	b.bypass()
	b.cafes()
	b.directTap()
	b.wrongMapping()
}

// reserve takes a free transformer of lo to hi kVA for a story.
func (b *builder) reserve(lo, hi float64) int {
	var free []int
	for i, a := range b.d.areas {
		if !a.reserved && a.kva >= lo && a.kva <= hi {
			free = append(free, i)
		}
	}
	i := pick(b.r, free...)
	b.d.areas[i].reserved = true
	return i
}

func (b *builder) tell(p Planted, pt *point, area int, from float64) {
	b.d.stories = append(b.d.stories, story{planted: p, point: pt, area: area, from: from})
}

// newMine makes n machines that run from a day on.
func (b *builder) newMine(unitKW float64, n int, from float64) *mine {
	return &mine{unitKW: unitKW * uniform(b.r, .96, 1.04), lots: []lot{{from, n}}, dropout: .02}
}

// minerHouse is a dwelling whose contract carries its mine.
func (b *builder) minerHouse(m *mine) *point {
	p := b.point("household")
	if kw := m.kw(math.Inf(1)); kw > 3.5 {
		p.customer.contractedKVA = math.Max(p.customer.contractedKVA, contractFor(kw+2))
		if kw+2 > 8 {
			p.phase = "ABC"
		}
	}
	p.estimateKW += m.kw(math.Inf(1))
	return p
}

// seller is the shop of computers that takes some 35,000 kWh a month behind
// its own 250 kVA: 20 rigs of about 1 kW on the first day, more week by week,
// ever fewer at a time.
func (b *builder) seller() {
	i := b.reserve(250, 250)
	a := b.d.areas[i]
	a.dedicated, a.streetKW = true, 0
	p := b.point("computer_sales")
	m := &mine{unitKW: uniform(b.r, .98, 1.02), dropout: .01, lots: []lot{{sinceEver, 19}}}
	const added = 28 // rigs, of which the k-th comes when the ramp reaches it
	for k := range added {
		share := (float64(k) + .5) / added
		day := -math.Log(1-share*(1-math.Exp(-3))) / 3 * b.days
		m.lots = append(m.lots, lot{math.Floor(day/2)*2 + .5, 1}) // deliveries every other day
	}
	p.loads = append(p.loads, m)
	p.customer.contractedKVA = 250
	p.customer.declaredUse = "computer_sales"
	putOn(b.d.areas, i, p)
	b.tell(Planted{Story: "computer_sales", Expect: ExpectFlag, KW: m.kw(math.Inf(1)), Note: fmt.Sprintf(
		"applied for computer sales behind his own 250 kVA transformer; %d GPU rigs at the end, run remotely by a person "+
			"who is not the contract holder; no overload, the use is not the one applied for", m.machines(math.Inf(1)))}, p, i, 0)
}

// residential is a household that mines and pays its bills.
func (b *builder) residential(name string, unitKW float64, n int) {
	i := b.reserve(80, 315)
	from := b.day(.25, .5)
	m := b.newMine(unitKW, n, from)
	if n == 5 { // bought in two lots
		m.lots = []lot{{from, 3}, {from + math.Floor(.12*b.days), 2}}
	}
	p := b.minerHouse(m)
	p.loads = append(p.loads, m)
	putOn(b.d.areas, i, p)
	b.tell(Planted{Story: name, Expect: ExpectFlag, KW: m.kw(math.Inf(1)),
		Note: fmt.Sprintf("household with %d machines of %.2f kW at the end; pays its bills", n, m.unitKW)}, p, i, from)
}

// undersized fills a 50 kVA transformer with rural households until the mine
// of one of them takes the 95th percentile of loading over the last 30 days
// past the rating; without the mine it would carry them.
func (b *builder) undersized() {
	i := b.reserve(50, 50)
	a := b.d.areas[i]
	a.dedicated = true // nothing else is put there
	from := b.day(.15, .3)
	m := b.newMine(2.2, 5, from)
	p := b.minerHouse(m)
	p.loads = append(p.loads, m)
	putOn(b.d.areas, i, p)

	var envs []*env
	for day := max(b.d.first, b.d.last-29); day <= b.d.last; day++ {
		envs = append(envs, b.d.env(day))
	}
	kw, kvar := make([]dayKW, len(envs)), make([]dayKW, len(envs))
	addPoint := func(p *point) {
		for k, e := range envs {
			pd := p.dayOf(e)
			for t := range kw[k] {
				kw[k][t] += pd.True[t]
				kvar[k][t] += pd.TrueQ[t]
			}
		}
	}
	addPoint(p)
	for len(a.points) < 70 && p95kVA(kw, kvar, a) < 1.09*a.kva {
		b.n++
		h := &point{seed: hash(b.d.seed, b.n), gain: meterError(hash(b.d.seed, b.n))}
		r := newRand(h.seed, streamBusiness)
		h.initial = math.Floor(uniform(r, 500, 90000))
		h.fillHousehold(r, true)
		putOn(b.d.areas, i, h)
		addPoint(h)
	}
	b.tell(Planted{Story: "residential_miner_undersized", Expect: ExpectFlag, KW: m.kw(math.Inf(1)),
		Note: fmt.Sprintf("household with %d machines of %.2f kW that its 50 kVA transformer was not built for; pays its bills", 5, m.unitKW)}, p, i, from)
	b.tell(Planted{Story: "undersized_transformer", Expect: ExpectTransformer, Verdict: "undersized", KW: m.kw(math.Inf(1)),
		Note: "50 kVA transformer of a village; carries it without the mine, ages too fast with it"}, nil, i, from)
}

// p95kVA is the 95th percentile of the apparent power with line losses.
func p95kVA(kw, kvar []dayKW, a *area) float64 {
	all := make([]float64, 0, len(kw)*intervals)
	for k := range kw {
		for t := range kw[k] {
			load := hypot(kw[k][t], kvar[k][t]) / a.kva
			all = append(all, hypot(kw[k][t]+a.lineLoss*a.kva*load*load, kvar[k][t]))
		}
	}
	sort.Float64s(all)
	return all[int(.95*float64(len(all)-1))]
}

// corridorMiner runs machines on the public supply of a stairwell.
func (b *builder) corridorMiner() {
	i := b.reserve(100, 400)
	from := b.day(.2, .5)
	m := b.newMine(1.35, between(b.r, 2, 3), from)
	p := b.point("corridor")
	p.loads = append(p.loads, m)
	p.estimateKW += m.kw(math.Inf(1))
	putOn(b.d.areas, i, p)
	b.tell(Planted{Story: "corridor_miner", Expect: ExpectFlag, KW: m.kw(math.Inf(1)),
		Note: "machines in a cellar on the stairwell's public supply; the residents pay"}, p, i, from)
}

// eveningEvader rests when the utility looks at the peak.
func (b *builder) eveningEvader() {
	i := b.reserve(80, 315)
	from := b.day(.2, .5)
	m := b.newMine(3.25, 2, from)
	m.off = [2]float64{17, 22.5}
	p := b.minerHouse(m)
	p.loads = append(p.loads, m)
	putOn(b.d.areas, i, p)
	b.tell(Planted{Story: "evening_evader", Expect: ExpectFlag, KW: m.kw(math.Inf(1)),
		Note: "household that mines except from 17:00 to 22:30, so that its evening peak looks like its neighbours'"}, p, i, from)
}

// sinceDayOne shows no step: the mine was there before the history.
func (b *builder) sinceDayOne() {
	i := b.reserve(80, 315)
	m := b.newMine(1.35, between(b.r, 3, 4), sinceEver)
	p := b.minerHouse(m)
	p.loads = append(p.loads, m)
	putOn(b.d.areas, i, p)
	b.tell(Planted{Story: "since_day_one", Expect: ExpectFlag, KW: m.kw(0),
		Note: "household that has mined since before the history begins: no step to be found"}, p, i, sinceEver)
}

// fractional is a restaurant whose meter was slowed down.
func (b *builder) fractional() {
	i := b.reserve(100, 250)
	p := b.point("restaurant")
	p.slow = &slowMeter{from: b.day(.3, .55) + .46, share: uniform(b.r, .4, .55)}
	putOn(b.d.areas, i, p)
	b.tell(Planted{Story: "fractional", Expect: ExpectFlag,
		Note: fmt.Sprintf("restaurant whose meter leaves out %.0f %% since somebody was at it", 100*p.slow.share)}, p, i, math.Floor(p.slow.from))
}

// bypass feeds a mine around the meter of a house that stays on it. The
// service fuse, sized for the house, blows three times: house and mine go dark
// together.
func (b *builder) bypass() {
	i := b.reserve(100, 200)
	from := b.day(.25, .45)
	m := b.newMine(pick(b.r, 1.35, 2.2), 3, from)
	if m.unitKW < 2 {
		m.lots[0].n = 5
	}
	p := b.point("household")
	p.behind = []load{m}
	p.estimateKW += m.kw(math.Inf(1))
	at := b.d.first + curve.Date(from)
	left := int(b.days - from - 2)
	for k := range 3 {
		t := between(b.r, 30, 86)
		day := at + curve.Date(1+(left*k+b.r.IntN(max(1, left)))/3)
		p.trips = append(p.trips, trip{day, t, t + between(b.r, 3, 7)})
	}
	// To connect it the service was switched off for an hour.
	p.trips = append(p.trips, trip{at, 41, 46})
	m.lots[0].from = from + 46./intervals
	putOn(b.d.areas, i, p)
	b.tell(Planted{Story: "bypass", Expect: ExpectFlag, KW: m.kw(math.Inf(1)),
		Note: "mine fed from before the meter while the house stays on it; an hour's outage when it was connected, three blown service fuses since"}, p, i, from)
}

// cafes are the two internet cafés on the watchlist.
func (b *builder) cafes() {
	i := b.reserve(100, 400)
	p := b.point("internet_cafe")
	from := b.day(.1, .35)
	seats := p.loads[0].(*business).openKW / .13
	m := b.newMine(.21, int(math.Round(seats)), from)
	m.off, m.dropout = [2]float64{8.75, 23.25}, .003
	p.loads = append(p.loads, m)
	putOn(b.d.areas, i, p)
	b.tell(Planted{Story: "mining_cafe", Expect: ExpectFlag, KW: m.kw(math.Inf(1)),
		Note: "internet café on the watchlist whose computers mine while it is closed"}, p, i, from)

	j := b.reserve(100, 400)
	q := b.point("internet_cafe")
	c := q.loads[0].(*business)
	c.close, c.satClose = 24, 25.5
	putOn(b.d.areas, j, q)
	b.tell(Planted{Story: "innocent_cafe", Expect: ExpectClear,
		Note: "internet café on the watchlist because one guest mined there for an evening"}, q, j, sinceEver)
}

// directTap is a load on the transformer behind no meter at all.
func (b *builder) directTap() {
	i := b.reserve(125, 250)
	from := b.day(.2, .45)
	m := b.newMine(3.25, between(b.r, 3, 4), from)
	b.d.areas[i].tap = m
	b.d.areas[i].estimateKW += m.kw(math.Inf(1))
	b.tell(Planted{Story: "direct_tap", Expect: ExpectTransformer, Verdict: "unmetered_load", KW: m.kw(math.Inf(1)),
		Note: "mine tapped from the low-voltage terminals by nobody who has a meter; no neighbour has a part in it"}, nil, i, from)
}

// wrongMapping is a workshop that hangs on one transformer and is written down
// under another of the same feeder.
func (b *builder) wrongMapping() {
	i := b.reserve(80, 200)
	a := b.d.areas[i]
	var near []int
	for j, o := range b.d.areas {
		if !o.reserved && !o.dedicated && o.feederID == a.feederID && o.kva >= 80 && o.kva <= 315 {
			near = append(near, j)
		}
	}
	if len(near) == 0 { // every other one of the feeder holds a story: any will do
		near = []int{b.reserve(63, 630)}
	}
	j := pick(b.r, near...)
	b.d.areas[j].reserved = true
	p := b.point(pick(b.r, "workshop", "restaurant"))
	putOn(b.d.areas, i, p)
	p.recorded = j
	b.tell(Planted{Story: "wrong_mapping", Expect: ExpectClear,
		Note: "hangs on this transformer, is recorded under " + b.d.areas[j].id + ": looks like theft here and is an error in the records"}, p, i, sinceEver)
}
