package detect

import (
	"math"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// dailyTemperature returns the mean air temperature of each day, NaN where no
// point falls into the day; nil where there is no weather at all.
func dailyTemperature(weather []grid.WeatherPoint, days span, loc *time.Location) []float32 {
	if len(weather) == 0 {
		return nil
	}
	n := int(days.last-days.first) + 1
	sums, counts := make([]float64, n), make([]int, n)
	for _, p := range weather {
		if d := int(curve.DateOf(p.Time.In(loc)) - days.first); d >= 0 && d < n {
			sums[d] += p.TempC
			counts[d]++
		}
	}
	out := make([]float32, n)
	for d := range out {
		out[d] = float32(sums[d] / float64(counts[d])) // 0/0 is the NaN that is wanted
	}
	return out
}

// holidays marks the holidays; nil where there is no calendar.
func holidays(calendar []grid.CalendarDay, days span) []bool {
	if len(calendar) == 0 {
		return nil
	}
	kinds := make(map[string]string, len(calendar))
	for _, c := range calendar {
		kinds[c.Date] = c.Kind
	}
	out := make([]bool, int(days.last-days.first)+1)
	for d := range out {
		out[d] = kinds[(days.first+curve.Date(d)).String()] == "holiday"
	}
	return out
}

// listing is what the watchlist says of a customer through his addresses.
type listing struct {
	entries    int
	hashrateHS float64
}

// listings joins the watchlist with the assignment of addresses: an entry
// counts for the customer who held the address while it was seen, unless the
// entry had expired by the end of the run.
func listings(network *grid.Network, asOf time.Time) map[string]listing {
	byIP := make(map[string][]grid.IPAssignment)
	for _, a := range network.IPAssignments {
		byIP[a.IP] = append(byIP[a.IP], a)
	}
	out := make(map[string]listing)
	for _, e := range network.Watchlist {
		if !e.Expires.IsZero() && !asOf.Before(e.Expires) || e.FirstSeen.After(asOf) {
			continue
		}
		counted := make(map[string]bool) // a customer may have held the address twice meanwhile
		for _, a := range byIP[e.IP] {
			if counted[a.CustomerID] || !overlaps(e, a) {
				continue
			}
			counted[a.CustomerID] = true
			l := out[a.CustomerID]
			l.entries++
			l.hashrateHS += e.HashrateHS
			out[a.CustomerID] = l
		}
	}
	return out
}

// overlaps reports whether the address was seen while it was assigned. An
// entry's last_seen belongs to it; an assignment's end does not.
func overlaps(e grid.WatchlistEntry, a grid.IPAssignment) bool {
	seenTo := e.LastSeen
	if seenTo.IsZero() {
		seenTo = e.FirstSeen
	}
	return (a.To.IsZero() || e.FirstSeen.Before(a.To)) && (a.From.IsZero() || !seenTo.Before(a.From))
}

// unmetered is the known load behind a transformer that has no meter, kW.
type unmetered struct{ always, duskToDawn float64 }

func unmeteredLoads(loads []grid.UnmeteredLoad) map[string]unmetered {
	out := make(map[string]unmetered)
	for _, l := range loads {
		u := out[l.TransformerID]
		if l.Hours == "dusk_to_dawn" {
			u.duskToDawn += l.KW
		} else {
			u.always += l.KW
		}
		out[l.TransformerID] = u
	}
	return out
}

// setNumber keeps a number that is known.
func setNumber(m map[string]float64, name string, v float64) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		m[name] = v
	}
}
