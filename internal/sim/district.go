package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// Config says which district and which history.
type Config struct {
	Seed  int64
	Until curve.Date // last day of the history, inclusive
	Days  int        // length of the history; 60 where zero
}

// District is the simulated district. It is safe for concurrent use.
type District struct {
	seed        uint64
	first, last curve.Date
	areas       []*area
	points      []*point // in the order of their ids
	stories     []story
	lookalikes  []lookalike
	listed      []listing

	mu    sync.Mutex
	envs  map[curve.Date]*env
	tally *tally // of the whole history, once it was exported
}

const substationID = "SS-1"

// New builds the district. The same configuration gives the same district,
// to the last digit.
func New(c Config) (*District, error) {
	if c.Days == 0 {
		c.Days = 60
	}
	if c.Days < 2 || c.Days > 3660 {
		return nil, fmt.Errorf("sim: %d days of history; ask for 2 to 3660", c.Days)
	}
	if c.Until <= 0 {
		return nil, errors.New("sim: no last day; set Until to the last whole day of the history")
	}
	d := &District{
		seed: mix(uint64(c.Seed)), last: c.Until, first: c.Until - curve.Date(c.Days) + 1,
		envs: make(map[curve.Date]*env),
	}
	d.areas = newAreas(d.seed)
	b := &builder{d: d, r: newRand(d.seed, streamStories), days: float64(c.Days)}
	b.plant()
	b.populate()
	b.disguise()
	d.number()
	d.list()
	return d, nil
}

// First is the first day of the history.
func (d *District) First() curve.Date { return d.first }

// Last is the last day of the history, inclusive.
func (d *District) Last() curve.Date { return d.last }

// env returns the environment of a day, kept once computed.
func (d *District) env(date curve.Date) *env {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.envs[date]
	if e == nil {
		e = makeEnv(d.seed, d.first, date)
		d.envs[date] = e
	}
	return e
}

// exported returns the sums of an earlier export, nil where there was none.
func (d *District) exported() *tally {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tally
}

// number gives ids: usage points in the order in which they hang on the
// network, meters and customers as they came over the years.
func (d *District) number() {
	for i, a := range d.areas {
		for _, p := range a.points {
			p.area = i
			d.points = append(d.points, p)
		}
	}
	r := newRand(d.seed, streamRecords)
	meters, customers := r.Perm(len(d.points)), r.Perm(len(d.points))
	for i, p := range d.points {
		p.id = fmt.Sprintf("UP-2%04d", i+1)
		p.meterID = fmt.Sprintf("M-6%04d", meters[i]+1)
		p.customer.id = fmt.Sprintf("CU-4%04d", customers[i]+1)
	}
}

// builder is what is needed while a district is made.
type builder struct {
	d    *District
	r    *rand.Rand
	days float64
	n    uint64 // points made so far
}

// point makes the next usage point.
func (b *builder) point(kind string) *point {
	b.n++
	return newPoint(b.d.seed, b.n, kind)
}

// day returns a random day between two shares of the history.
func (b *builder) day(lo, hi float64) float64 {
	return float64(int(b.days * uniform(b.r, lo, hi)))
}

// populate fills the district up with people and businesses that mean no harm.
func (b *builder) populate() {
	areas := b.d.areas
	for _, a := range areas {
		if a.kva >= 100 && !a.dedicated && !a.has("corridor") {
			i := index(areas, a)
			putOn(areas, i, b.point("corridor"))
		}
	}
	for _, kind := range population {
		for k := range kind.count {
			p := b.point(kind.kind)
			b.season(p, kind.kind, k)
			place(b.r, areas, p)
		}
	}
	var placed int
	for _, a := range areas {
		placed += len(a.points)
	}
	for k := 0; placed < pointCount; placed++ {
		p := b.point("household")
		b.seasonHousehold(p, &k)
		place(b.r, areas, p)
	}
}

// season makes look-alikes of single businesses: growth, a second cold room.
func (b *builder) season(p *point, kind string, k int) {
	l := lookalike{point: p, from: sinceEver}
	switch {
	case kind == "data_room":
		l.kind = "registered_data_room"
	case kind == "cold_store" && k == 0:
		c := p.loads[0].(*coldStore)
		c.secondDay = b.day(.3, .6)
		l.kind, l.from = "cold_store_second_room", c.secondDay
	case kind == "shop" && k == 0:
		p.loads[0].(*business).growth = .6 / b.days
		l.kind, l.from = "growing_business", 0
	case kind == "workshop" && k == 0:
		w := p.loads[0].(*business)
		w.stepDay, w.stepUp = b.day(.3, .6), .8
		l.kind, l.from = "workshop_new_machine", w.stepDay
	case kind == "telecom_mast" && k == 0:
		l.kind = "telecom_mast"
	case kind == "all_hours_shop" && k == 0:
		l.kind = "all_hours_shop"
	default:
		return
	}
	b.d.lookalikes = append(b.d.lookalikes, l)
}

// seasonHousehold makes look-alikes of the first households that suit: a new
// car, a new heat pump, an always-on server.
func (b *builder) seasonHousehold(p *point, k *int) {
	r := newRand(p.seed, streamStories)
	l := lookalike{point: p}
	switch {
	case *k < 2 && len(p.loads) == 1:
		l.kind, l.from = "new_car", b.day(.3, .6)
		c := newCarCharger(r)
		c.kw, c.perDay, c.timer, c.from = 7.2, .8, *k == 1, l.from
		p.loads = append(p.loads, c)
		p.customer.contractedKVA = 11
	case *k >= 2 && *k < 4 && len(p.loads) == 1 && p.house.heatKWK == 0:
		l.kind, l.from = "new_heat_pump", b.day(.3, .6)
		h := newHeatPump(r)
		h.from = l.from
		p.loads = append(p.loads, h)
		p.customer.contractedKVA = 11
	case *k == 4:
		l.kind, l.from = "home_server", sinceEver
		p.house.serverKW = .55
	default:
		return
	}
	*k++
	b.d.lookalikes = append(b.d.lookalikes, l)
}

func (a *area) has(kind string) bool {
	for _, p := range a.points {
		if p.kind == kind {
			return true
		}
	}
	return false
}

func index(areas []*area, a *area) int {
	for i := range areas {
		if areas[i] == a {
			return i
		}
	}
	return -1
}
