package physics

import (
	"math"
	"math/rand/v2"
)

// Steps of the simulation.
const (
	stepMinutes = 5
	perHour     = 60 / stepMinutes
	perDay      = 24 * perHour
)

// model is a type of machine as its data sheet has it.
type model struct {
	boards  int     // hash boards, or graphics cards
	boardKW float64 // direct current into one of them at its usual setting and 25 °C
	fixedKW float64 // control board, or mainboard and processor
	fanKW   float64 // all fans at full speed
	silent  bool    // cooled by liquid: the fans are elsewhere, the pumps run evenly
	supply  float64 // efficiency of the power supply at half load
	cards   bool    // graphics cards
}

// asics are machines of the last ten years, 1.3 to 5.4 kW at the wall.
func asics() []model {
	return []model{
		{boards: 3, boardKW: .395, fixedKW: .012, fanKW: .075, supply: .93},
		{boards: 3, boardKW: .62, fixedKW: .015, fanKW: .11, supply: .93},
		{boards: 3, boardKW: .68, fixedKW: .015, fanKW: .11, supply: .935},
		{boards: 4, boardKW: .66, fixedKW: .018, fanKW: .13, supply: .94},
		{boards: 3, boardKW: .96, fixedKW: .018, fanKW: .13, supply: .945},
		{boards: 3, boardKW: 1.05, fixedKW: .02, fanKW: .16, supply: .945},
		{boards: 3, boardKW: 1.68, fixedKW: .03, fanKW: .09, supply: .95, silent: true},
	}
}

// rig draws a frame of graphics cards: 3 to 12 of 70 to 230 W.
func rig(rng *rand.Rand) model {
	cards := 3 + rng.IntN(10)
	each := between(rng, .07, .23)
	if cards > 8 {
		each = math.Min(each, .13) // one supply carries no more
	}
	return model{boards: cards, boardKW: each, fixedKW: between(rng, .045, .11), fanKW: .006 * float64(cards), supply: between(rng, .87, .94), cards: true}
}

// machine is one machine and the state it is in.
type machine struct {
	model
	chips  []float64 // how much each board takes of its share; no two are alike
	backAt []int     // step at which a board that dropped out comes back
	setAt  float64   // clock setting: 1 as sold, less where the firmware holds it down
	downTo int       // step at which the machine is up again
	bought int       // step from which it is there
	leak   float64   // more power a kelvin
	trip   float64   // inlet temperature above which it slows itself down
	dust   float64   // share of fan speed lost to dust over a year

	boardFaults, restarts float64 // a day
}

func (m model) build(rng *rand.Rand, bought int) *machine {
	x := &machine{
		model: m, setAt: 1, bought: bought, leak: between(rng, .0008, .003), trip: between(rng, 33, 42), dust: between(rng, 0, .2),
		boardFaults: logBetween(rng, 1./400, 1./25), restarts: logBetween(rng, .01, .5),
	}
	if m.cards {
		x.boardFaults, x.restarts = logBetween(rng, 1./60, 1./6)/float64(m.boards), logBetween(rng, .05, 1)
	}
	x.chips, x.backAt = make([]float64, m.boards), make([]int, m.boards)
	for i := range x.chips {
		x.chips[i] = 1 + .025*rng.NormFloat64()
	}
	return x
}

// power moves the machine on by a step and returns what it takes from the
// wall, kW, at an inlet temperature of °C; idle machines hash nothing.
func (m *machine) power(rng *rand.Rand, step int, inlet float64, idle bool) float64 {
	if step < m.bought || step < m.downTo {
		return 0
	}
	if rng.Float64() < m.restarts/perDay {
		m.downTo = step + 1 + rng.IntN(3)
		return 0
	}
	if rng.Float64() < m.boardFaults*float64(m.boards)/perDay {
		if b := rng.IntN(m.boards); step >= m.backAt[b] {
			m.backAt[b] = step + 2 + int(rng.ExpFloat64()*m.repair())
		}
	}
	chips := 0.0
	for b, share := range m.chips {
		if step >= m.backAt[b] {
			chips += share
		}
	}
	// Above the trip temperature the clock falls by 3 % a kelvin; power goes
	// with clock and the square of the voltage that it needs.
	clock := m.setAt * math.Max(1-.03*math.Max(inlet-m.trip, 0), .5)
	direct := m.fixedKW
	if idle {
		direct += .08 * m.boardKW * chips
	} else {
		direct += m.boardKW * chips * math.Pow(clock, 2.2) * (1 + m.leak*(inlet-25))
	}
	if !m.silent && !idle && chips > 0 {
		speed := clamp(.3+.028*(inlet-8), .3, 1) * (1 + m.dust*float64(step)/(365*perDay))
		speed = math.Min(speed, 1)
		direct += m.fanKW * speed * speed * speed
	} else {
		direct += .1 * m.fanKW
		if m.silent {
			direct += .9 * m.fanKW
		}
	}
	full := float64(m.boards)*m.boardKW + m.fixedKW + m.fanKW
	load := direct / (1.15 * full)
	return direct / (m.supply - .05*(load-.5)*(load-.5) - .002/math.Max(load, .02))
}

// repair is the mean time in steps until a lost board is back: a watchdog
// restarts cards within the hour, a hash board waits for its owner.
func (m *machine) repair() float64 {
	if m.cards {
		return .8 * perHour
	}
	return 1.5 * perDay
}

func between(rng *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*rng.Float64() }

func logBetween(rng *rand.Rand, lo, hi float64) float64 {
	return lo * math.Exp(rng.Float64()*math.Log(hi/lo))
}

func clamp(v, lo, hi float64) float64 { return math.Min(math.Max(v, lo), hi) }
