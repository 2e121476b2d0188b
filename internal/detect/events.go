package detect

import (
	"cmp"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// events returns what a member's meters logged on the days, each meter during
// its tenure only: what the meter of a predecessor logged is not held against
// his successor.
func (b *builder) events(m member, days span) []sdk.Event {
	tenures := m.tenures
	if m.transformer != nil {
		tenures = ofTransformer(m.transformer, days)
	}
	return eventsOf(b.network, tenures, days, b.curves.loc)
}

// ofTransformer is the tenure of a transformer's own meter.
func ofTransformer(t *grid.PowerTransformer, days span) []tenure {
	return []tenure{{days, &grid.UsagePoint{MeterID: t.MeterID}}}
}

func eventsOf(network *grid.Network, tenures []tenure, days span, loc *time.Location) []sdk.Event {
	if len(network.MeterEvents) == 0 {
		return nil
	}
	var out []sdk.Event
	for _, t := range tenures {
		first, last := max(t.first, days.first), min(t.last, days.last)
		if t.record.MeterID == "" || first > last {
			continue
		}
		for _, e := range network.EventsOfMeter(t.record.MeterID, first.Start(loc), (last + 1).Start(loc)) {
			if t.record.ValidAt(e.Time) {
				out = append(out, eventAt(e, loc))
			}
		}
	}
	slices.SortStableFunc(out, func(x, y sdk.Event) int {
		return cmp.Or(cmp.Compare(x.Day, y.Day), cmp.Compare(x.Second, y.Second))
	})
	return out
}

func eventAt(e grid.MeterEvent, loc *time.Location) sdk.Event {
	day := curve.DateOf(e.Time.In(loc))
	return sdk.Event{Day: sdk.Date(day), Second: int32(e.Time.Sub(day.Start(loc)) / time.Second), Code: sdk.EventCode(e.Code)}
}

// events writes what meters logged, where there is anything.
func (h *hasher) events(events []sdk.Event) {
	for _, e := range events {
		h.text("event", string(e.Code))
		h.number(float64(e.Day), float64(e.Second))
	}
}
