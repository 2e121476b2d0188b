package tamper

import (
	"fmt"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Weights of what a meter logs, log-odds. Meters log covers and fields in
// error and at every service, so one event is little; a customer whose meter
// does it again and again, alone in his area, is more. They are set with care
// below what sensors that work would be worth, not fitted.
const (
	coverOnce      = 1.0
	coverRepeated  = 1.5 // on three days or more
	onceOnly       = 0.5 // any other event on one day or two
	repeated       = 1.5 // on three days or more
	fieldRepeated  = 1.8 // magnetic field on two days or more
	failuresSome   = 1.0 // supply failures of this meter alone: five …
	failuresMany   = 1.8 // … and fifteen or more
	clocksRepeated = 0.8
)

// crew is how many meters of an area are opened on one day by people at work.
const crew = 3

// service is how many days around an exchange or a configuration belong to it.
const service = 1

// covers weighs openings of the meter's covers.
func (a *area) covers(m *member, v *verdict) {
	var own, exchange, serviced, work []int
	for _, day := range m.log.coverDays() {
		switch {
		case near(day, m.exchanged):
			exchange = append(exchange, day)
		case a.opened[day] >= crew:
			work = append(work, day)
		case slices.ContainsFunc(m.log.days[sdk.EventConfigured], func(d int) bool { return near(d, day) }):
			serviced = append(serviced, day)
		default:
			own = append(own, day)
		}
	}
	if len(exchange) > 0 {
		v.explain("meter_exchange", sdk.Explains, "the meter was exchanged within a day of the opening by the records")
	}
	if len(work) > 0 {
		v.explain("planned_work", sdk.Explains, fmt.Sprintf("the covers of %d meters of this transformer were opened on the same day: people at work", a.opened[work[0]]))
	}
	if len(serviced) > 0 {
		v.explain("meter_service", sdk.Explains, "the meter was configured within a day of the opening, which takes the utility's keys")
	}
	if len(own) == 0 {
		return
	}
	weight := coverOnce
	if len(own) >= 3 {
		weight = coverRepeated
	}
	v.add(sign{code: "cover_opened", first: own[0], last: own[len(own)-1], value: float64(len(own)), weight: weight,
		text: fmt.Sprintf("the meter's or its terminals' cover was opened on %s, and of no more than %d other meters of the area on that day", days(own), crew-2), days: own})
	if len(exchange) == 0 {
		v.explain("meter_exchange", sdk.RuledOut, "the records have no exchange of the meter around the opening")
	}
	v.explain("planned_work", sdk.Open, "work at this meter alone that nobody entered would look the same; ask for the job sheets of these days")
}

func near(day, other int) bool { return day-other >= -service && day-other <= service }

// fields weighs events of electrical kind.
func (a *area) fields(m *member, v *verdict) {
	for _, kind := range []struct {
		code   sdk.EventCode
		text   string
		many   float64
		onDays int // from which it is taken for repeated
	}{
		{sdk.EventMagneticField, "a strong magnetic field at the meter", fieldRepeated, 2},
		{sdk.EventCurrentUnmatched, "current without energy", repeated, 3},
		{sdk.EventReversedEnergy, "energy that flowed backwards", repeated, 3},
		{sdk.EventPhaseMissing, "a phase without voltage", repeated, 3},
		{sdk.EventNeutralCurrent, "a neutral current that the phases do not balance", repeated, 3},
	} {
		var own []int
		others := 0
		for _, day := range m.log.days[kind.code] {
			if n := a.noted[kind.code][day] - 1; n >= 2 || n >= 1 && kind.code == sdk.EventPhaseMissing {
				others = max(others, n)
				continue
			}
			if near(day, m.exchanged) {
				continue
			}
			own = append(own, day)
		}
		if others > 0 {
			v.explain("area_event", sdk.Explains, fmt.Sprintf("%s was logged by %d other meters of the area on the same day: the network's doing", kind.text, others))
		}
		if len(own) == 0 {
			continue
		}
		s := sign{code: string(kind.code), first: own[0], last: own[len(own)-1], value: float64(len(own)), weight: onceOnly, days: own,
			text: fmt.Sprintf("the meter logged %s on %s, alone in its area", kind.text, days(own))}
		if len(own) >= kind.onDays {
			s.weight = kind.many
		} else {
			v.explain("single_event", sdk.Open, "one event code by itself is as often a fault of the sensor as a fact")
		}
		v.add(s)
	}
}

// failures weighs failures of the meter's supply that its neighbours do not
// share.
func (a *area) failures(m *member, v *verdict) {
	var own []int
	total, shared := 0, 0
	for _, e := range m.log.events {
		if e.code != sdk.EventPowerFailed {
			continue
		}
		total++
		day := int(e.at / 86400)
		others := a.noted[sdk.EventPowerFailed][min(day, a.w.Days-1)] - 1
		if a.shared(failure{e.at, m.subject}) || others >= crew || near(day, m.exchanged) {
			shared++ // an outage, or a day on which much of the area failed
			continue
		}
		own = append(own, min(day, a.w.Days-1))
	}
	if shared > 0 {
		v.explain("area_outage", sdk.Explains, fmt.Sprintf("%d of %d supply failures were those of other meters of the transformer too: outages and storms", shared, total))
	}
	onDays := slices.Compact(slices.Clone(own))
	if len(own) < 5 || len(onDays) < 3 {
		return
	}
	weight := failuresSome + (failuresMany-failuresSome)*ramp(float64(len(own)), 5, 15)
	if a.loggers < 3 {
		weight *= 0.6
		v.explain("neighbours_silent", sdk.Open, "hardly another meter of this area logs events: whether the neighbours failed too is not known")
	}
	v.add(sign{code: "own_power_failures", first: own[0], last: own[len(own)-1], value: float64(len(own)), weight: weight, days: onDays,
		text: fmt.Sprintf("the meter lost its supply %d times on %d days while no other meter of the transformer did", len(own), len(onDays))})
	v.explain("loose_terminal", sdk.Open, "a loose terminal or a worn main switch fails in the same way, and is a danger by itself: have it looked at")
}

// clocks weighs a clock that is set again and again.
func (a *area) clocks(m *member, v *verdict) {
	var own []int
	for _, day := range m.log.days[sdk.EventClockSet] {
		if n := a.noted[sdk.EventClockSet][day]; n <= max(1, len(a.members)/5) && !near(day, m.exchanged) {
			own = append(own, day)
		}
	}
	if len(own) < 3 {
		return
	}
	v.add(sign{code: "clock_set_repeatedly", first: own[0], last: own[len(own)-1], value: float64(len(own)), weight: clocksRepeated, days: own,
		text: fmt.Sprintf("the meter's clock was set on %s, and not those of its neighbours", days(own))})
	v.explain("weak_battery", sdk.Open, "a clock whose battery is weak is set by the head-end after every failure")
}

func days(list []int) string {
	if len(list) == 1 {
		return "one day"
	}
	return fmt.Sprintf("%d days", len(list))
}
