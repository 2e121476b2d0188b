package tamper

import (
	"fmt"
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Bounds of a fall that goes with an event.
const (
	leastBefore  = 7 // days with a value
	leastAfter   = 7
	span         = 28 // days on each side that are compared
	leastFall    = 0.30
	leastT       = 4.0
	reach        = 3 // days after the event within which the fall begins
	leastKW      = 0.05
	leastPeers   = 3
	vacantShare  = 0.05
	fallClear    = 3.8 // weight of a clear fall, log-odds …
	fallJust     = 2.3 // … and of one that is just seen
	fallToVacant = 1.2 // … of one to nothing
)

// drop is a lasting fall of use.
type drop struct {
	day           int     // first day of the new level
	before, after float64 // kW
	expected      float64 // kW after it, by what the neighbours did
	share         float64 // of the expected that is gone
	t             float64 // over what the series wanders
}

// fall looks for a lasting fall of use that begins with something that the
// meter logged, or with the first sign of a contradiction.
func (a *area) fall(m *member, v *verdict) {
	var best *drop
	var with *sign
	for i := range v.signs {
		s := &v.signs[i]
		for _, event := range s.days {
			for day := event; day <= min(event+reach, a.w.Days-1); day++ {
				d, ok := a.dropAt(m, day)
				if ok && (best == nil || d.t > best.t) {
					best, with = &d, s
				}
			}
		}
	}
	if best == nil {
		return
	}
	if rival := a.rival(m, best); rival > 0.67*best.t {
		v.explain("uneven_use", sdk.Explains, fmt.Sprintf("the use fell after the event, but this customer's use falls so at other times too (%.0f %% of the same clearness)", 100*rival/best.t))
		return
	}
	s := sign{
		code: "use_fell", first: best.day, last: a.w.Days - 1, value: 100 * best.share, unit: "%", lasting: true, lost: true,
		text: fmt.Sprintf("from %s on, within %d days of the event (%s), the use is %.2f kW where %.2f kW before and the neighbours' course let one expect %.2f kW",
			a.w.FirstDay+sdk.Date(best.day), reach, with.code, best.after, best.before, best.expected),
		weight: fallJust + (fallClear-fallJust)*ramp(best.t, leastT, 12)*ramp(best.share, leastFall, 0.5),
	}
	if best.after < vacantShare*best.expected {
		s.weight, s.lost = fallToVacant, false
		v.explain("empty_premises", sdk.Open, "next to nothing is used since: the premises may be empty or disconnected")
	} else {
		v.explain("empty_premises", sdk.RuledOut, fmt.Sprintf("%.2f kW are still used", best.after))
	}
	v.explain("season", sdk.Unlikely, fmt.Sprintf("the neighbours' course over the same days is taken out; %.0f %% of the use remain unexplained", 100*best.share))
	v.explain("saving", sdk.Open, "a large appliance given up in those very days would look the same")
	if s.lost {
		v.excess = max(0, best.expected-best.after) * 24 * 30
	}
	v.add(s)
}

// dropAt compares the stretch before a day with all that follows.
func (a *area) dropAt(m *member, day int) (drop, bool) {
	from := max(0, day-span)
	before, after := robust.Finite(m.mean[from:day]), robust.Finite(m.mean[day:])
	tail := robust.Finite(m.mean[max(day, a.w.Days-7):])
	if len(before) < leastBefore || len(after) < leastAfter || len(tail) == 0 {
		return drop{}, false
	}
	d := drop{day: day, before: robust.Median(before), after: max(robust.Median(after), robust.Median(tail))}
	d.expected = d.before * a.course(m, from, day)
	gone := d.expected - d.after
	if d.expected < leastKW || gone < leastFall*d.expected {
		return drop{}, false
	}
	noise := math.Hypot(robust.MAD(before)/math.Sqrt(float64(len(before))), robust.MAD(after)/math.Sqrt(float64(len(after))))
	d.share = gone / d.expected
	d.t = gone / (1.25*noise + 0.02*d.expected + 0.01)
	return d, d.t >= leastT
}

// course is what the neighbours' use did over the same days, 1 where too few
// are there to say.
func (a *area) course(m *member, from, day int) float64 {
	ratios, known := a.ratios[day]
	if !known {
		ratios = nans(len(a.members))
		for i, other := range a.members {
			before, after := robust.Finite(other.mean[from:day]), robust.Finite(other.mean[day:])
			if len(before) < leastBefore || len(after) < leastAfter {
				continue
			}
			if b := robust.Median(before); b > leastKW {
				ratios[i] = robust.Median(after) / b
			}
		}
		a.ratios[day] = ratios
	}
	own := slices.Index(a.members, m)
	others := robust.Finite(slices.Concat(ratios[:own], ratios[own+1:]))
	if len(others) < leastPeers {
		return 1
	}
	return min(max(robust.Median(others), 0.2), 2)
}

// rival is the clearest fall at another time, more than a fortnight from the
// one found: what falls often by itself proves little. Later days are compared
// with what follows, as the fall itself is.
func (a *area) rival(m *member, best *drop) float64 {
	clearest := 0.0
	for day := leastBefore; day < a.w.Days-leastAfter; day++ {
		if day > best.day-14 && day < best.day+14 {
			continue
		}
		to := a.w.Days
		if day < best.day {
			to = best.day
		}
		from := max(0, day-span)
		if day > best.day {
			from = max(from, best.day)
		}
		before, after := robust.Finite(m.mean[from:day]), robust.Finite(m.mean[day:to])
		if len(before) < leastBefore || len(after) < leastAfter {
			continue
		}
		b, after50 := robust.Median(before), robust.Median(after)
		noise := math.Hypot(robust.MAD(before)/math.Sqrt(float64(len(before))), robust.MAD(after)/math.Sqrt(float64(len(after))))
		clearest = max(clearest, (b-after50)/(1.25*noise+0.02*b+0.01))
	}
	return clearest
}

func ramp(x, low, high float64) float64 { return robust.Ramp(x, low, high) }
