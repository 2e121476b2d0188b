package undersized

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// member is a customer's hourly load, gaps filled with its usual hours.
type member struct {
	id string
	kw [][]float64
}

// membersOf reads the customers' curves of the window; silent counts those
// that never reported.
func membersOf(w *sdk.Window) (members []member, kvar [][][]float64, silent int) {
	for i := range w.Subjects {
		if w.Subjects[i].Kind != sdk.UsagePoint {
			continue
		}
		kw, q := hourly(&w.Curves[i], w.Days)
		if kw == nil || math.IsNaN(robust.Median(slices.Concat(kw...))) {
			silent++
			continue
		}
		members, kvar = append(members, member{w.Subjects[i].ID, filled(kw)}), append(kvar, q)
	}
	return members, kvar, silent
}

// Street lamps burn from dusk to dawn: about these hours over the year.
const dusk, dawn = 18, 6

// summedLoading adds up the customers, the known unmetered loads and the
// transformer's own losses, where there is no meter on the transformer.
func (c *Config) summedLoading(w *sdk.Window, s *sdk.Subject, p *plant) *loading {
	members, kvar, silent := membersOf(w)
	if len(members) == 0 {
		return nil
	}
	l := &loading{members: len(members), silent: silent, factor: c.PowerFactor}
	always, lamps := known(s, sdk.AttrUnmeteredKW), known(s, sdk.AttrStreetLightKW)
	for d := range w.Days {
		var hours []float64
		for h := range members[0].kw[d] {
			kw, reactive, there := always, 0.0, 0
			if h >= dusk || h < dawn {
				kw += lamps
			}
			reactive += kw * math.Tan(math.Acos(c.PowerFactor))
			for m := range members {
				if h >= len(members[m].kw[d]) {
					continue
				}
				v := members[m].kw[d][h]
				if math.IsNaN(v) {
					continue
				}
				there++
				kw += v
				q := kvar[m][d][h]
				if math.IsNaN(q) {
					q = v * math.Tan(math.Acos(c.PowerFactor))
				}
				reactive += q
			}
			if there == 0 {
				hours = append(hours, math.NaN())
				continue
			}
			load := math.Hypot(kw, reactive)
			kw += (p.losses.noLoad + p.losses.load*math.Pow(load/p.kva, 2)) / 1000
			s := math.Hypot(kw, reactive)
			if s > absurd*p.kva {
				s = math.NaN()
			} else {
				l.measured++
				l.factored++
			}
			hours = append(hours, s)
		}
		l.kva = append(l.kva, hours)
	}
	if l.measured == 0 {
		return nil
	}
	return l
}

func known(s *sdk.Subject, attribute string) float64 {
	if v := s.Number(attribute); v > 0 && v < 1e5 {
		return v
	}
	return 0
}

// peakShares says whose load the highest twentieth of the measured hours of
// days from … to (exclusive) is made of.
func (l *loading) peakShares(w *sdk.Window, from, to int) string {
	members, _, _ := membersOf(w)
	limit, _ := l.quantile(from, to, 0.95)
	if len(members) == 0 || math.IsNaN(limit) {
		return ""
	}
	type share struct {
		id string
		kw float64
	}
	shares := make([]share, len(members))
	total, hours := 0.0, 0
	for d := from; d < to; d++ {
		for h, kva := range l.kva[d] {
			if !(kva >= limit) {
				continue
			}
			hours++
			for m := range members {
				shares[m].id = members[m].id
				if h < len(members[m].kw[d]) && members[m].kw[d][h] > 0 {
					shares[m].kw += members[m].kw[d][h]
					total += members[m].kw[d][h]
				}
			}
		}
	}
	if !(total > 0) {
		return ""
	}
	slices.SortFunc(shares, func(x, y share) int {
		switch {
		case x.kw > y.kw:
			return -1
		case x.kw < y.kw:
			return 1
		}
		return strings.Compare(x.id, y.id)
	})
	var names []string
	rest := 1.0
	for _, s := range shares[:min(5, len(shares))] {
		names = append(names, fmt.Sprintf("%s %.0f %% (%.1f kW)", s.id, 100*s.kw/total, s.kw/float64(hours)))
		rest -= s.kw / total
	}
	text := fmt.Sprintf("In the %d highest hours the customers' load is that of %s", hours, strings.Join(names, ", "))
	if others := len(shares) - len(names); others > 0 {
		text += fmt.Sprintf(", and %d others with %.0f %%", others, 100*math.Max(rest, 0))
	}
	return text + "."
}
