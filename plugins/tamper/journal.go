package tamper

import (
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// journal is what one meter logged in the window.
type journal struct {
	events []moment
	days   map[sdk.EventCode][]int // on which days of the window, each once, in order
}

// moment is an event with its time from the window's first midnight, in seconds.
type moment struct {
	at   int64
	code sdk.EventCode
}

func newJournal(events []sdk.Event, w *sdk.Window) journal {
	j := journal{days: make(map[sdk.EventCode][]int)}
	for _, e := range events {
		day := int(e.Day) - int(w.FirstDay)
		if day < 0 || day >= w.Days || !slices.Contains(sdk.EventCodes(), e.Code) {
			continue // a code of the maker's own says nothing here
		}
		j.events = append(j.events, moment{int64(day)*86400 + int64(e.Second), e.Code})
		j.days[e.Code] = append(j.days[e.Code], day)
	}
	slices.SortStableFunc(j.events, func(x, y moment) int { return int(x.at - y.at) })
	for code := range j.days {
		slices.Sort(j.days[code])
		j.days[code] = slices.Compact(j.days[code])
	}
	return j
}

// coverDays are the days on which a cover of the meter was opened.
func (j *journal) coverDays() []int {
	out := slices.Concat(j.days[sdk.EventCoverOpened], j.days[sdk.EventTerminalOpened])
	slices.Sort(out)
	return slices.Compact(out)
}

// failure is a failure of a meter's supply.
type failure struct {
	at     int64
	member int // subject in the window, -1 the transformer's own meter
}

// sameOutage is how far apart the clocks of meters may be that log one outage.
const sameOutage = 15 * 60

func (a *area) addFailures(member int, j *journal) {
	for _, e := range j.events {
		if e.code == sdk.EventPowerFailed {
			a.powerOff = append(a.powerOff, failure{e.at, member})
		}
	}
}

func (a *area) sortFailures() {
	slices.SortStableFunc(a.powerOff, func(x, y failure) int { return int(x.at - y.at) })
}

// shared reports whether others in the area failed at the same time.
func (a *area) shared(f failure) bool {
	from, _ := slices.BinarySearchFunc(a.powerOff, f.at-sameOutage, func(x failure, at int64) int { return int(x.at - at) })
	for _, other := range a.powerOff[from:] {
		if other.at > f.at+sameOutage {
			return false
		}
		if other.member != f.member {
			return true
		}
	}
	return false
}
