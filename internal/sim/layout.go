package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
)

const (
	transformerCount = 40
	feederCount      = 4
	pointCount       = 1000
)

// area is a distribution transformer with what hangs on it.
type area struct {
	nameplate
	id, feederID, meterID string
	lat, lon              float64
	gain                  float64 // of its meter with its current transformers, class 0.5
	lineLoss              float64 // of the low-voltage lines at rated load, as a share of it
	streetKW              float64 // recorded street lighting; 0: none
	lampShare             float64 // of streetKW that really burns
	tap                   load    // fed by nobody's meter; nil: none
	dedicated             bool    // one customer's own
	reserved              bool    // holds a story: no other story is placed here
	points                []*point
	estimateKW            float64
	initial               float64
}

// business kinds and how many of each a district of this size has.
var population = []struct {
	kind  string
	count int
}{
	{"shop", 44}, {"workshop", 18}, {"office", 10}, {"school", 2}, {"clinic", 2}, {"restaurant", 10}, {"bakery", 3},
	{"hotel", 2}, {"farm", 6}, {"greenhouse", 2}, {"cold_store", 5}, {"telecom_mast", 8}, {"data_room", 1},
	{"all_hours_shop", 2}, {"petrol_station", 2}, {"water_pump", 2}, {"car_charging", 2},
}

// newAreas lays out the transformers: sizes are dealt over the feeders by seed.
func newAreas(seed uint64) []*area {
	r := newRand(seed, streamLayout, 1)
	plates := newFleet()
	r.Shuffle(len(plates), func(i, j int) { plates[i], plates[j] = plates[j], plates[i] })
	out := make([]*area, len(plates))
	for i := range out {
		feeder := i*feederCount/len(plates) + 1
		a := &area{
			nameplate: plates[i],
			id:        fmt.Sprintf("T-10%d%d", feeder, i%(len(plates)/feederCount)),
			feederID:  fmt.Sprintf("F-%d", feeder),
			meterID:   fmt.Sprintf("M-9%04d", 1000+i*7),
			lat:       latitude + uniform(r, -.06, .06),
			lon:       uniform(r, -.08, .08),
			gain:      1 + math.Max(-.005, math.Min(.005, .002*r.NormFloat64())),
			lineLoss:  uniform(r, .02, .045),
			initial:   math.Floor(plates[i].kva * uniform(r, 2000, 9000)),
		}
		if chance(r, .8) {
			a.streetKW = math.Round(10*math.Max(.3, plates[i].kva*uniform(r, .004, .012))) / 10
			a.lampShare = uniform(r, .93, 1.02)
		}
		out[i] = a
	}
	return out
}

// newPoint makes a usage point of a kind with what it consumes.
func newPoint(seed, n uint64, kind string) *point {
	p := &point{seed: hash(seed, n), kind: kind, ripple: .08}
	r := newRand(p.seed, streamBusiness)
	p.gain = meterError(p.seed)
	p.initial = math.Floor(uniform(r, 500, 90000)*1000) / 1000
	single := false
	switch kind {
	case "household":
		p.fillHousehold(r, false)
		return p
	case "shop":
		p.loads, p.estimateKW, single = []load{newShop(r)}, 3, chance(r, .4)
	case "workshop":
		p.loads, p.estimateKW, p.ripple = []load{newWorkshop(r)}, 9, .25
	case "office":
		p.loads, p.estimateKW = []load{newOffice(r)}, 6
	case "school":
		p.loads, p.estimateKW = []load{newSchool(r)}, 18
	case "clinic":
		p.loads, p.estimateKW = []load{newClinic(r)}, 16
	case "restaurant":
		p.loads, p.estimateKW = []load{newRestaurant(r)}, 12
	case "bakery":
		p.loads, p.estimateKW = []load{newBakery(r)}, 16
	case "hotel":
		p.loads, p.estimateKW = []load{newHotel(r)}, 20
	case "farm":
		p.loads, p.estimateKW, p.ripple = []load{newFarm(r)}, 9, .15
	case "greenhouse":
		p.loads, p.estimateKW = []load{&greenhouse{uniform(r, 8, 18), uniform(r, .5, 1.5), uniform(r, 3.5, 6)}}, 18
	case "cold_store":
		p.loads, p.estimateKW = []load{newColdStore(r)}, 22
	case "telecom_mast":
		p.loads, p.estimateKW, p.ripple, single = []load{newTelecomMast(r)}, 5, .01, chance(r, .5)
	case "data_room":
		p.loads, p.estimateKW, p.ripple = []load{&dataRoom{itKW: uniform(r, 15, 24)}}, 30, .01
	case "all_hours_shop":
		p.loads, p.estimateKW = []load{newAllHoursShop(r)}, 10
	case "petrol_station":
		p.loads, p.estimateKW = []load{newPetrolStation(r)}, 10
	case "water_pump":
		p.loads, p.estimateKW = []load{newWaterPump(r)}, 13
	case "car_charging":
		p.loads, p.estimateKW = []load{&carCharger{kw: 22, perDay: uniform(r, 3, 8), kwh: 16, public: true, from: sinceEver}}, 24
	case "corridor":
		p.loads, p.estimateKW, single = []load{newCorridor(r)}, .6, true
	case "internet_cafe":
		seats := between(r, 18, 30)
		p.loads, p.estimateKW = []load{newCafe(seats, 9, 23)}, .3*float64(seats)
	case "computer_sales":
		p.loads, p.estimateKW, p.ripple = []load{newSeller(r)}, 60, .01
	}
	p.phase = "ABC"
	if single {
		p.phase = pick(r, "A", "B", "C")
	}
	p.customer = newCustomer(newRand(p.seed, streamRecords), kind, p.estimateKW)
	return p
}

// newSeller is a shop that sells computers.
func newSeller(r *rand.Rand) *business {
	b := newShop(r)
	b.baseKW, b.openKW = uniform(r, .5, .9), uniform(r, 2.5, 4)
	return b
}

// fillHousehold gives a point a dwelling, at times with a heat pump or a car.
func (p *point) fillHousehold(r *rand.Rand, rural bool) {
	p.kind, p.ripple = "household", .2
	p.house = newHousehold(p.seed, rural)
	p.loads = []load{p.house}
	p.phase = pick(r, "A", "B", "C")
	p.estimateKW = 1.4
	if p.house.heatKWK > 0 {
		p.estimateKW++
	} else if chance(r, .07) {
		p.loads = append(p.loads, newHeatPump(r))
		p.estimateKW += 2
	}
	peak := p.estimateKW
	if chance(r, .045) {
		c := newCarCharger(r)
		p.loads = append(p.loads, c)
		p.estimateKW++
		peak = c.kw + 3
	}
	if peak > 8 {
		p.phase = "ABC"
	}
	p.customer = newCustomer(newRand(p.seed, streamRecords), "household", peak)
}

// place puts p on a transformer that has room for it, more likely where there
// is more room.
func place(r *rand.Rand, areas []*area, p *point) {
	var total float64
	room := make([]float64, len(areas))
	for i, a := range areas {
		if a.dedicated {
			continue
		}
		room[i] = math.Max(0, .6*a.kva-a.estimateKW-p.estimateKW)
		if p.estimateKW > .3*a.kva {
			room[i] = 0
		}
		total += room[i]
	}
	x := r.Float64() * total
	for i := range areas {
		if x -= room[i]; room[i] > 0 && x <= 0 {
			putOn(areas, i, p)
			return
		}
	}
	// Nothing has room: the largest takes it, as it would in life.
	best := 0
	for i, a := range areas {
		if !a.dedicated && a.kva-a.estimateKW > areas[best].kva-areas[best].estimateKW {
			best = i
		}
	}
	putOn(areas, best, p)
}

func putOn(areas []*area, i int, p *point) {
	p.area, p.recorded = i, i
	areas[i].points = append(areas[i].points, p)
	areas[i].estimateKW += p.estimateKW
}
