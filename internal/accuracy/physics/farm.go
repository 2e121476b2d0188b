package physics

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

// Mine adds a mine to a load: some machines, bought at once or over weeks, in a
// room that they warm up, run as its owner sees fit. It is an accuracy.Miner.
func Mine(rng *rand.Rand, l *accuracy.Load, temp []float64) {
	f := newFarm(rng, l)
	kw := f.run(rng, temp)
	mean := l.MeanKW()
	add(l, kw)
	if f.cover {
		l.DeclaredUse, l.Category, l.RegisteredDC = "data_centre", "commercial", false
	}
	l.Truth = accuracy.Truth{
		Mine: true, Make: f.make, KW: f.size(kw), FromDay: f.from / perDay,
		Evades: f.habit == evadesPeak, Ramps: f.lots > 1, Habit: string(f.habit),
	}
	l.Truth.Ratio = l.Truth.KW / mean
}

// habit is when a mine runs.
type habit string

// Habits.
const (
	always     habit = "always"
	evadesPeak habit = "evades the peak"
	nightOnly  habit = "nights only"
	plays      habit = "evening play" // the cards are needed for games
	heatStop   habit = "stops in the heat"
)

// span is a stretch of steps, end exclusive.
type span struct{ from, to int }

type farm struct {
	make     string // asic, gpu or both
	machines []*machine
	from, to int // steps between which there is a mine
	lots     int
	habit    habit
	cover    bool // sold as a data centre that nobody registered

	stopHour, startHour float64 // of the evening, or of the night
	weekdays            bool    // keeps to the habit on working days only
	weekday             int     // of step 0, 0 is Monday
	idles               bool    // stopped machines stay plugged in and idle
	stops               []span  // nobody runs
	outages             []span  // the line is down: all idle
	settings            []setting

	room room
}

// setting is a change of the clock of all machines by firmware or owner.
type setting struct {
	at int
	to float64
}

func newFarm(rng *rand.Rand, l *accuracy.Load) *farm {
	steps := l.Days * perDay
	f := &farm{make: "asic", to: steps, lots: 1, habit: always, weekday: (int(l.First) + 3) % 7}
	home := l.Category == "residential"
	if rng.Float64() < .7 {
		f.from = int(between(rng, .08, .85) * float64(steps))
	}
	budget := logBetween(rng, .4, 8)
	if !home {
		budget = clamp(l.MeanKW()*logBetween(rng, .08, 1.2), 1, 90)
		f.cover = rng.Float64() < .05
	}
	f.buy(rng, budget, home)
	f.behave(rng, home)
	f.mishaps(rng)
	f.room = newRoom(rng, home)
	if rng.Float64() < .06 && f.from < steps/2 { // moves away
		f.to = f.from + int(between(rng, .5, .95)*float64(steps-f.from))
	}
	return f
}

// buy fills the budget of kW with machines of one or two types, in up to five
// lots.
func (f *farm) buy(rng *rand.Rand, budget float64, home bool) {
	var kinds []model
	gpus := rng.Float64() < .3
	if home && budget < 1.3 {
		gpus = true
	} else if home {
		gpus = rng.Float64() < .4
	}
	draw := func() model {
		if gpus {
			return rig(rng)
		}
		all := asics()
		return all[rng.IntN(len(all)-1+rng.IntN(2))]
	}
	kinds = append(kinds, draw())
	if gpus {
		f.make = "gpu"
	}
	if rng.Float64() < .2 {
		if !home && rng.IntN(2) == 0 {
			gpus, f.make = !gpus, "both"
		}
		kinds = append(kinds, draw())
	}
	if rng.Float64() < .4 {
		f.lots = 2 + rng.IntN(4)
	}
	total := 0.0
	for n := 0; n == 0 || total < budget*.85; n++ {
		m := kinds[0]
		if len(kinds) == 2 && n%3 == 2 {
			m = kinds[1]
		}
		wall := (float64(m.boards)*m.boardKW + m.fixedKW + .5*m.fanKW) / m.supply
		if n > 0 && total+wall > 1.3*budget {
			break
		}
		total += wall
		f.machines = append(f.machines, m.build(rng, 0))
	}
	f.lots = min(f.lots, len(f.machines))
	// Deliveries of differing size at irregular intervals; where the mine is
	// older than the window, some of them came before it.
	at, k := f.from, 0
	late := f.from == 0 && rng.IntN(2) == 0
	for lot := range f.lots {
		end := len(f.machines) * (lot + 1) / f.lots
		if lot < f.lots-1 {
			end = clampInt(end+rng.IntN(3)-1, k+1, len(f.machines)-(f.lots-1-lot))
		}
		for ; k < end; k++ {
			f.machines[k].bought = at
		}
		if f.from > 0 || late {
			at = min(at+int(between(rng, 4, 35)*perDay), f.to-2*perDay)
			at = max(at, f.from)
		}
	}
	if f.from == 0 && !late {
		f.lots = 1
	}
}

func clampInt(v, lo, hi int) int { return max(lo, min(v, hi)) }

// behave draws when the mine runs.
func (f *farm) behave(rng *rand.Rand, home bool) {
	f.weekdays, f.idles = rng.IntN(3) == 0, rng.IntN(3) == 0
	switch p := rng.Float64(); {
	case p < .27:
		f.habit = evadesPeak
		f.stopHour, f.startHour = between(rng, 16, 18.5), between(rng, 20.5, 23.5)
	case p < .32:
		f.habit = nightOnly
		f.stopHour, f.startHour = between(rng, 5.5, 8), between(rng, 21, 23.5)
		f.weekdays = false
	case p < .40 && home && f.make == "gpu":
		f.habit = plays
	case p < .45:
		f.habit = heatStop
	}
	// Firmware and tuning: quieter, or faster while the coin is dear.
	if rng.Float64() < .35 {
		for range 1 + rng.IntN(2) {
			f.settings = append(f.settings, setting{f.from + rng.IntN(max(f.to-f.from, 1)), between(rng, .72, 1.06)})
		}
	}
	first := 1.0
	if rng.Float64() < .3 {
		first = between(rng, .7, .95)
	}
	f.settings = append(f.settings, setting{0, first})
	slices.SortFunc(f.settings, func(a, b setting) int { return a.at - b.at })
}

// mishaps draws stoppages and lost lines.
func (f *farm) mishaps(rng *rand.Rand) {
	days := float64(f.to-f.from) / perDay
	draw := func(out *[]span, mean float64, length func() float64) {
		for t := rng.ExpFloat64() / mean; t < days; t += rng.ExpFloat64() / mean {
			at := f.from + int(t*perDay)
			*out = append(*out, span{at, at + 1 + int(length()*perHour)})
		}
	}
	draw(&f.outages, logBetween(rng, .005, .1), func() float64 { return logBetween(rng, .1, 6) })
	draw(&f.stops, logBetween(rng, .002, .04), func() float64 { return logBetween(rng, .3, 20) }) // tripped, switched off
	if rng.Float64() < .12 {                                                                      // away, afraid, or the coin is cheap
		draw(&f.stops, 1/days, func() float64 { return between(rng, 20, 200) })
	}
}

// run steps through the window and returns the kW of each step.
func (f *farm) run(rng *rand.Rand, temp []float64) []float64 {
	out := make([]float64, len(temp)*perHour)
	dodge, playing := f.day(rng, 0), span{}
	set := 0
	for step := range out {
		if step%perDay == 0 {
			dodge = f.day(rng, step/perDay)
			playing = span{}
			if f.habit == plays && rng.Float64() < .65 {
				at := step + int(between(rng, 16, 21)*perHour)
				playing = span{at, at + int(between(rng, .7, 4)*perHour)}
			}
		}
		for set < len(f.settings) && f.settings[set].at <= step {
			for _, m := range f.machines {
				m.setAt = f.settings[set].to
			}
			set++
		}
		outside := outdoors(temp, step)
		inlet := f.room.inlet(outside)
		stopped := step < f.from || step >= f.to || within(f.stops, step) || within(dodge, step) || playing.has(step) ||
			f.habit == heatStop && outside > 27
		if stopped && !f.idles || step < f.from || step >= f.to {
			f.room.warm(0, outside)
			continue
		}
		idle := stopped || within(f.outages, step)
		for _, m := range f.machines {
			out[step] += m.power(rng, step, inlet, idle)
		}
		out[step] += f.room.warm(out[step], outside)
	}
	return out
}

// day returns when the mine keeps still on a day of the window.
func (f *farm) day(rng *rand.Rand, day int) []span {
	if f.weekdays && (f.weekday+day)%7 >= 5 {
		return nil
	}
	at := func(hour, spread float64) int { return day*perDay + int((hour+spread*rng.NormFloat64())*perHour) }
	switch f.habit {
	case evadesPeak:
		return []span{{at(f.stopHour, .05), at(f.startHour, .05)}}
	case nightOnly:
		return []span{{at(f.stopHour, .1), at(f.startHour, .1)}}
	}
	return nil
}

func (s span) has(step int) bool { return step >= s.from && step < s.to }

func within(spans []span, step int) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return s.has(step) })
}

// outdoors is the temperature of a step between the hours.
func outdoors(temp []float64, step int) float64 {
	h, share := step/perHour, float64(step%perHour)/perHour
	return temp[h]*(1-share) + temp[min(h+1, len(temp)-1)]*share
}

// size is what the mine takes while it hashes, after the last lot: the median
// of what is above a third of the highest, which machines that idle are not.
func (f *farm) size(kw []float64) float64 {
	last := f.from
	for _, m := range f.machines {
		last = max(last, m.bought)
	}
	after := kw[min(last, f.to-1):f.to]
	highest := slices.Max(after)
	if highest == 0 {
		return slices.Max(kw)
	}
	var running []float64
	for _, v := range after {
		if v > highest/3 {
			running = append(running, v)
		}
	}
	slices.Sort(running)
	return running[len(running)/2]
}

// room is where the machines stand.
type room struct {
	floor   float64 // °C that the house keeps anyway; very low in the open
	rise    float64 // K at full ventilation per kW
	air     float64 // K above outdoors now
	lag     float64 // share of the way to the new temperature in a step
	cooled  bool
	cooling bool    // the compressor is on
	cop     float64 // of the cooling
	set     float64 // °C
}

func newRoom(rng *rand.Rand, home bool) room {
	r := room{floor: -40, rise: between(rng, .3, 2.5), lag: between(rng, .02, .1), cop: between(rng, 2.2, 3.5), set: between(rng, 25, 30)}
	if home {
		r.floor = between(rng, 12, 20)
	} else {
		r.rise /= 8
		r.cooled = rng.Float64() < .25
	}
	return r
}

// inlet is the temperature of the air that the machines draw in.
func (r *room) inlet(outside float64) float64 {
	t := math.Max(outside, r.floor) + math.Min(r.air, 18)
	if r.cooled {
		t = math.Min(t, r.set+1)
	}
	return t
}

// warm puts so many kW of heat into the room and returns what its cooling takes.
func (r *room) warm(kw, outside float64) float64 {
	r.air += r.lag * (r.rise*kw - r.air)
	if !r.cooled || kw == 0 {
		return 0
	}
	t := math.Max(outside, r.floor) + r.air
	switch {
	case t > r.set+1:
		r.cooling = true
	case t < r.set-1:
		r.cooling = false
	}
	if r.cooling {
		return kw / r.cop
	}
	return 0
}

// add puts the kW of each step onto a load, averaged to its intervals.
func add(l *accuracy.Load, kw []float64) {
	k := l.StepMinutes / stepMinutes
	for i := range l.KW {
		sum := 0.0
		for _, v := range kw[i*k : (i+1)*k] {
			sum += v
		}
		l.KW[i] += sum / float64(k)
	}
}
