package sim

import (
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// listing is an address on the watchlist, with who held it.
type listing struct {
	ip          string
	firstSeen   time.Time
	lastSeen    time.Time
	source      string
	legalBasis  string
	expires     time.Time
	hashrate    float64 // H/s; 0 where the office does not say
	algorithm   string
	coin        string
	holder      *point // nil: nobody of the district
	from, until time.Time
}

// list writes the watchlist: the two cafés, addresses of elsewhere, and one
// that a household holds now but did not when it was seen.
func (d *District) list() {
	r := newRand(d.seed, streamRecords, 1)
	at := func(day curve.Date, hour float64) time.Time {
		return day.Start(time.UTC).Add(time.Duration(hour * float64(time.Hour)))
	}
	expires := at(d.last+180, 0)
	source, basis := "regional communications office", "order 17 of the regional energy council"
	for _, s := range d.stories {
		switch s.planted.Story {
		case "mining_cafe":
			d.listed = append(d.listed, listing{
				ip: fmt.Sprintf("198.51.100.%d", between(r, 10, 120)), holder: s.point,
				firstSeen: at(d.first+curve.Date(s.from)+1, 1.2), lastSeen: at(d.last, 4.5),
				source: source, legalBasis: basis, expires: expires,
				hashrate: 2.1e6 * 1e3 * s.planted.KW / 4, algorithm: "etchash", coin: "ETC",
				from: at(d.first-400, 0),
			})
		case "innocent_cafe":
			day := d.last - curve.Date(float64(d.last-d.first)*uniform(r, .2, .6))
			d.listed = append(d.listed, listing{
				ip: fmt.Sprintf("198.51.100.%d", between(r, 130, 240)), holder: s.point,
				firstSeen: at(day, 18.3), lastSeen: at(day, 21.1),
				source: source, legalBasis: basis, expires: expires,
				hashrate: 3.2e7, algorithm: "kawpow", coin: "RVN", from: at(d.first-300, 0),
			})
		}
	}
	for k := range 6 {
		day := d.last - curve.Date(between(r, 3, 50))
		d.listed = append(d.listed, listing{
			ip: fmt.Sprintf("203.0.113.%d", 10+k*37+between(r, 0, 30)), firstSeen: at(day-20, 3), lastSeen: at(day, 9),
			source: source, legalBasis: basis, expires: expires,
		})
	}
	for _, p := range d.points {
		if p.kind != "household" || len(p.loads) > 1 || p.behind != nil {
			continue
		}
		d.listed = append(d.listed, listing{
			ip: fmt.Sprintf("192.0.2.%d", between(r, 10, 240)), holder: p,
			firstSeen: at(d.first-90, 2), lastSeen: at(d.first-60, 5), source: source, legalBasis: basis, expires: expires,
			from: at(d.first-20, 12), // a later holder of the address
		})
		break
	}
}
