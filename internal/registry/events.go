package registry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/textfile"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

var eventColumns = textfile.Columns{Required: []string{"meter_id", "time", "code"}}

// meterEvent reads a row of meter_events.csv.
func (l *loader) meterEvent(r *row) {
	e := grid.MeterEvent{MeterID: r.id("meter_id"), Time: r.moment("time"), Code: r.eventCode("code")}
	if e.MeterID == "" || e.Time.IsZero() || e.Code == "" {
		return
	}
	l.records.MeterEvents = append(l.records.MeterEvents, e)
	l.places.events = append(l.places.events, r.place())
}

// moment returns a time that must be there with its hour and zone.
func (r *row) moment(column string) time.Time {
	const mend = "write it as 2026-01-31T08:15:00+03:30, with the offset from UTC"
	s := r.text(column)
	if s == "" {
		r.problem(column+" is empty", mend)
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	switch {
	case err != nil:
		r.problem(fmt.Sprintf("%s %s is no moment", column, textfile.Quote(s)), mend)
		return time.Time{}
	case t.Year() < firstYear || t.Year() > lastYear:
		r.problem(fmt.Sprintf("%s %s cannot be", column, s), fmt.Sprintf("it lies between the years %d and %d", firstYear, lastYear))
		return time.Time{}
	}
	return t.UTC()
}

// eventCode returns one of sdk.EventCodes, also for its usual other names.
func (r *row) eventCode(column string) string {
	s := r.text(column)
	if code, ok := eventOf(s); ok {
		return string(code)
	}
	var known []string
	for _, c := range sdk.EventCodes() {
		known = append(known, string(c))
	}
	mend := "it is one of " + strings.Join(known, ", ")
	if near := textfile.Nearest(strings.ToLower(s), known); near != "" && s != "" {
		mend = fmt.Sprintf("did you mean %s? (one of %s)", near, strings.Join(known, ", "))
	}
	r.problem(fmt.Sprintf("%s %s is not known", column, textfile.Quote(s)), mend)
	return ""
}

// eventOf finds the code of an event, whatever the case and the signs between
// words.
func eventOf(name string) (sdk.EventCode, bool) {
	if len(name) > longestID {
		return "", false
	}
	want := plainName(name)
	for _, c := range sdk.EventCodes() {
		if plainName(string(c)) == want {
			return c, true
		}
	}
	code, ok := eventSynonyms()[want]
	return code, ok
}

// eventSynonyms are the names of the standard event log of DLMS meters and the
// short ones of head-end systems, in small letters without signs.
func eventSynonyms() map[string]sdk.EventCode {
	return map[string]sdk.EventCode{
		"metercoverremoved": sdk.EventCoverOpened, "metercoveropened": sdk.EventCoverOpened, "caseopened": sdk.EventCoverOpened,
		"metercoverclosed": sdk.EventCoverClosed, "caseclosed": sdk.EventCoverClosed,
		"terminalcoverremoved": sdk.EventTerminalOpened, "terminalcoverclosed": sdk.EventTerminalClosed,
		"strongdcfielddetected": sdk.EventMagneticField, "magneticinfluence": sdk.EventMagneticField, "magneticfielddetected": sdk.EventMagneticField,
		"currentreversal": sdk.EventReversedEnergy, "reverseflow": sdk.EventReversedEnergy, "energyreversed": sdk.EventReversedEnergy,
		"missingvoltage": sdk.EventPhaseMissing, "phaseloss": sdk.EventPhaseMissing, "phasefailure": sdk.EventPhaseMissing,
		"voltagenormal": sdk.EventPhaseRestored,
		"powerdown":     sdk.EventPowerFailed, "powerfailure": sdk.EventPowerFailed, "poweroff": sdk.EventPowerFailed,
		"powerup": sdk.EventPowerRestored, "powerreturned": sdk.EventPowerRestored, "poweron": sdk.EventPowerRestored,
		"clockadjusted": sdk.EventClockSet, "clockupdate": sdk.EventClockSet, "timeset": sdk.EventClockSet,
		"parameterschanged": sdk.EventConfigured, "configurationchanged": sdk.EventConfigured,
	}
}

// plainName drops case and everything but letters and digits.
func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return -1
	}, s)
}

// checkEvents names the meters that nobody knows, puts events in order and
// drops what stands there twice.
func (l *loader) checkEvents() {
	if len(l.records.MeterEvents) == 0 {
		return
	}
	known := make(map[string]bool, len(l.records.UsagePoints)+len(l.records.Transformers))
	for i := range l.records.UsagePoints {
		known[l.records.UsagePoints[i].MeterID] = true
	}
	for i := range l.records.Transformers {
		known[l.records.Transformers[i].MeterID] = true
	}
	whole := !l.partial["usage_points.csv"] && !l.partial["transformers.csv"]
	told := make(map[string]bool)
	for i, e := range l.records.MeterEvents {
		if where := l.places.events[i]; whole && !known[e.MeterID] && !told[e.MeterID] {
			told[e.MeterID] = true
			l.report.warn(textfile.Problem{File: where.file, Line: where.line,
				What: fmt.Sprintf("meter_id %s stands in neither usage_points.csv nor transformers.csv", textfile.Quote(e.MeterID)), Mend: "its events are not looked at"})
		}
	}
	before := len(l.records.MeterEvents)
	slices.SortFunc(l.records.MeterEvents, func(x, y grid.MeterEvent) int {
		return cmp.Or(strings.Compare(x.MeterID, y.MeterID), x.Time.Compare(y.Time), strings.Compare(x.Code, y.Code))
	})
	l.records.MeterEvents = slices.Compact(l.records.MeterEvents)
	if twice := before - len(l.records.MeterEvents); twice > 0 {
		l.report.warn(textfile.Problem{File: l.places.events[0].file, What: fmt.Sprintf("%d events stand there more than once", twice), Mend: "each counts once"})
	}
	l.places.events = nil
}
