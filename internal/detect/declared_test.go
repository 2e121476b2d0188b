package detect

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// withRecords changes the records of a district.
func withRecords(in Input, change func(r *grid.Records)) Input {
	n := in.Network
	r := grid.Records{
		Transformers: n.Transformers, Customers: n.Customers, UsagePoints: slices.Clone(n.UsagePoints), Watchlist: n.Watchlist,
		IPAssignments: n.IPAssignments, Weather: n.Weather, Calendar: n.Calendar, Unmetered: n.Unmetered, MeterEvents: n.MeterEvents,
	}
	change(&r)
	in.Network = grid.NewNetwork(r)
	return in
}

func TestDetectorsGetTheAttributesThatTheyName(t *testing.T) {
	in := district(t)
	for _, scope := range []sdk.Scope{sdk.ScopeUsagePoint, sdk.ScopeTransformerArea, sdk.ScopeFleet} {
		for name, c := range map[string]struct {
			asked          []string
			numbers, texts []string // of a usage point
		}{
			"none":       {[]string{}, nil, nil},
			"some":       {[]string{sdk.AttrContractedKVA, sdk.AttrCategory, sdk.AttrMappingDoubt, sdk.AttrBillBilled}, []string{sdk.AttrContractedKVA, sdk.AttrMappingDoubt}, []string{sdk.AttrCategory}},
			"its area":   {[]string{sdk.AttrTransformer}, nil, []string{sdk.AttrTransformer}},
			"of an area": {[]string{sdk.AttrRatedKVA}, nil, nil},
		} {
			r := newRecorder(sdk.Description{Scope: scope, Attributes: c.asked, Quantities: []meter.Quantity{meter.ActivePower}})
			mustRun(t, in, Local(r), Local(doubter{}))
			seen := 0
			for _, w := range *r.windows {
				for i := range w.Subjects {
					s := &w.Subjects[i]
					numbers, texts := slices.Sorted(maps.Keys(s.Numbers)), slices.Sorted(maps.Keys(s.Texts))
					if s.Kind == sdk.Transformer {
						if name == "of an area" && s.ID[:1] == "t" && !slices.Equal(numbers, []string{sdk.AttrRatedKVA}) || len(texts) > 0 {
							t.Errorf("%s of %s: transformer with %v, %v", name, scope, numbers, texts)
						}
						continue
					}
					seen++
					if !slices.Equal(numbers, c.numbers) || !slices.Equal(texts, c.texts) {
						t.Errorf("%s of %s: point with %v, %v", name, scope, numbers, texts)
					}
					if area := s.Text(sdk.AttrTransformer); name == "its area" && (area == "" || area[:2] == "TX") {
						t.Errorf("transformer %q", area)
					}
				}
			}
			if seen != 60 { // thirty points with features, and again with curves
				t.Errorf("%s of %s: %d points seen", name, scope, seen)
			}
		}
	}
}

func TestOnlyThoseWithAnAttributeAreShown(t *testing.T) {
	in := withRecords(district(t), func(r *grid.Records) {
		r.Customers = slices.Clone(r.Customers)
		r.Customers[3].RegisteredDataCentre, r.Customers[9].RegisteredDataCentre = true, true
		r.Customers[5].Category = ""
	})
	for name, c := range map[string]struct {
		only  []string
		scope sdk.Scope
		want  int
	}{
		"a number that is not zero": {[]string{sdk.AttrRegisteredDC}, sdk.ScopeUsagePoint, 2},
		"of the fleet":              {[]string{sdk.AttrRegisteredDC}, sdk.ScopeFleet, 2},
		"a text":                    {[]string{sdk.AttrCategory}, sdk.ScopeUsagePoint, 29},
		"one of two":                {[]string{"nothing_known", sdk.AttrRegisteredDC}, sdk.ScopeUsagePoint, 2},
		"what others measure":       {[]string{sdk.AttrMappingDoubt}, sdk.ScopeUsagePoint, 30},
		"nobody bears it":           {[]string{sdk.AttrListedIP}, sdk.ScopeUsagePoint, 0},
		"nobody in the fleet":       {[]string{sdk.AttrListedIP}, sdk.ScopeFleet, 0},
		"an area is whole":          {[]string{sdk.AttrRegisteredDC}, sdk.ScopeTransformerArea, 32},
	} {
		r := newRecorder(sdk.Description{Scope: c.scope, OnlyWith: c.only})
		var last Progress
		in.Progress = func(p Progress) {
			if p.Detector == "recorder" {
				last = p
			}
		}
		in.Evaluators = []Evaluator{Local(r), Local(doubter{})}
		plan := planned(t, in, 10)
		parts, err := runParts(context.Background(), in, plan)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Merge(in, plan, parts); err != nil {
			t.Fatal(err)
		}
		shown := 0
		for _, w := range *r.windows {
			if w.Curves == nil {
				shown += len(w.Subjects)
			}
		}
		if shown != c.want {
			t.Errorf("%s: %d subjects shown; want %d", name, shown, c.want)
		}
		if last.Total == 0 || last.Done != last.Total {
			t.Errorf("%s: progress ends at %d of %d", name, last.Done, last.Total)
		}
	}
}

func TestEventsAreShownToThoseWhoAskUnderThePointsOwnTenure(t *testing.T) {
	zone := time.FixedZone("+03:30", 3*3600+1800)
	at := func(day curve.Date, hour int) time.Time { return day.Start(zone).Add(time.Duration(hour) * time.Hour) }
	in := withRecords(district(t), func(r *grid.Records) {
		moved := firstDay + 10
		for i := range r.UsagePoints {
			switch r.UsagePoints[i].ID {
			case "UP-0004": // a new customer on the same meter
				r.UsagePoints[i].ValidTo = at(moved, 9)
				later := r.UsagePoints[i]
				later.CustomerID, later.ValidFrom, later.ValidTo = "Zhang-Wei-05", at(moved, 9), time.Time{}
				r.UsagePoints = append(r.UsagePoints, later)
			case "UP-0008": // a new meter for the same customer
				r.UsagePoints[i].ValidTo = at(moved, 9)
				later := r.UsagePoints[i]
				later.MeterID, later.ValidFrom, later.ValidTo = "MTR-NEW", at(moved, 9), time.Time{}
				r.UsagePoints = append(r.UsagePoints, later)
			}
		}
		log := func(meterID string, t time.Time, code sdk.EventCode) {
			r.MeterEvents = append(r.MeterEvents, grid.MeterEvent{MeterID: meterID, Time: t, Code: string(code)})
		}
		log("MTR-00004", at(moved, 10), sdk.EventClockSet)
		log("MTR-00004", at(moved, 8), sdk.EventCoverOpened) // the predecessor's last morning
		log("MTR-00004", at(moved-3, 8), sdk.EventCoverOpened)
		log("MTR-00004", at(moved+1, 23), sdk.EventCoverClosed)
		log("MTR-00008", at(moved-1, 7), sdk.EventCoverOpened)
		log("MTR-NEW", at(moved-1, 7), sdk.EventConfigured) // in the workshop
		log("MTR-NEW", at(moved+2, 7), sdk.EventPowerFailed)
		log("MTR-00001", at(firstDay-1, 23), sdk.EventPowerFailed)
		log("MTR-00001", at(lastDay+1, 0), sdk.EventPowerFailed)
		log("MTR-00001", at(lastDay, 23), sdk.EventPowerRestored)
		log("TM-1", at(firstDay, 0), sdk.EventPowerFailed)
	})
	in.Location = zone
	const hour = 3600
	want := map[string][]sdk.Event{
		"UP-0004": {{Day: sdk.Date(firstDay + 10), Second: 10 * hour, Code: sdk.EventClockSet}, {Day: sdk.Date(firstDay + 11), Second: 23 * hour, Code: sdk.EventCoverClosed}},
		"UP-0008": {{Day: sdk.Date(firstDay + 9), Second: 7 * hour, Code: sdk.EventCoverOpened}, {Day: sdk.Date(firstDay + 12), Second: 7 * hour, Code: sdk.EventPowerFailed}},
		"UP-0001": {{Day: sdk.Date(lastDay), Second: 23 * hour, Code: sdk.EventPowerRestored}},
	}
	in.PseudonymKey = []byte("key")
	names := newPseudonyms(planned(t, in, 10).Seed)
	for _, scope := range []sdk.Scope{sdk.ScopeUsagePoint, sdk.ScopeFleet} {
		shown := 0
		for _, w := range record(t, in, sdk.Description{Scope: scope, Events: true}) {
			for i := range w.Subjects {
				s := &w.Subjects[i]
				for id := range want {
					if s.ID == names.of(sdk.UsagePoint, id) {
						shown++
						if !slices.Equal(s.Events, want[id]) {
							t.Errorf("%s: %v; want %v", id, s.Events, want[id])
						}
						if day := s.Number(sdk.AttrMeterExchangeDay); id == "UP-0008" && day != float64(firstDay+10) || id != "UP-0008" && day == day {
							t.Errorf("%s: meter exchanged on day %v", id, day)
						}
					}
				}
			}
		}
		if shown != 6 {
			t.Errorf("%s: %d of the subjects were shown", scope, shown)
		}
	}
	for _, w := range record(t, in, sdk.Description{Scope: sdk.ScopeTransformerArea, Events: true}) {
		if s := &w.Subjects[0]; s.ID == names.of(sdk.Transformer, "TX-EAST-1") && fmt.Sprint(s.Events) != fmt.Sprint([]sdk.Event{{Day: sdk.Date(firstDay), Code: sdk.EventPowerFailed}}) {
			t.Errorf("transformer's own meter: %v", s.Events)
		}
	}
	for _, w := range record(t, in, sdk.Description{Scope: sdk.ScopeUsagePoint, Events: true, LookbackDays: 8}) {
		for i := range w.Subjects {
			for _, e := range w.Subjects[i].Events {
				if e.Day < w.FirstDay {
					t.Errorf("an event of %s in a window from %s", e.Day, w.FirstDay)
				}
			}
		}
	}
	for _, w := range record(t, in, sdk.Description{Scope: sdk.ScopeUsagePoint}) {
		for i := range w.Subjects {
			if w.Subjects[i].Events != nil {
				t.Fatal("events for a detector that did not ask")
			}
		}
	}
	// Events are part of the data that a result is replayed over.
	plain := withRecords(in, func(r *grid.Records) { r.MeterEvents = nil })
	if a, b := mustRun(t, in), mustRun(t, plain); a.DataVersion == b.DataVersion {
		t.Error("the data version does not know of the events")
	}
}

// corroborator calls everybody guilty.
type corroborator struct{ corroborates bool }

func (c corroborator) Describe() sdk.Description {
	return sdk.Description{Name: "listing", Version: "1.0.0", Scope: sdk.ScopeUsagePoint, Corroborates: c.corroborates}
}

func (corroborator) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	for i := range w.Subjects {
		out.Add(sdk.Finding{Subject: w.Subjects[i].ID, Kind: sdk.UsagePoint, Reason: "listed", Probability: 0.9, ExcessKWhMonth: 5000,
			Evidence: []sdk.Evidence{{Code: "listed_entries", Text: "an office says so", Value: 1, LogOdds: 5}}})
	}
	return nil
}

func TestWhatCorroboratesLiftsNobodyByItself(t *testing.T) {
	in := district(t)
	alone := mustRun(t, in, Local(stepper{}))
	both := mustRun(t, in, Local(stepper{}), Local(corroborator{true}))
	lifting := mustRun(t, in, Local(corroborator{false}))
	before := make(map[string]Assessment)
	for _, a := range alone.UsagePoints {
		before[a.UsagePointID] = a
	}
	lifted := 0
	for _, a := range both.UsagePoints {
		b := before[a.UsagePointID]
		switch {
		case b.Risk <= in.Prior && a.Risk != b.Risk:
			t.Errorf("%s: nothing was found, yet the list moves the risk from %v to %v", a.UsagePointID, b.Risk, a.Risk)
		case b.Risk > in.Prior && a.Risk < b.Risk:
			t.Errorf("%s: support lowers the risk from %v to %v", a.UsagePointID, b.Risk, a.Risk)
		case b.Risk > in.Prior && a.Risk > b.Risk:
			lifted++
		}
		if a.ExcessKWhMonth != b.ExcessKWhMonth {
			t.Errorf("%s: excess of %v kWh from a list", a.UsagePointID, a.ExcessKWhMonth)
		}
		if last := a.Findings[len(a.Findings)-1]; !last.Corroborates || last.Stamp.Detector != "listing" {
			t.Errorf("%s: findings in the order %+v", a.UsagePointID, a.Findings)
		}
	}
	if lifted == 0 {
		t.Error("the list supports nobody; the test looks at nothing")
	}
	if lifting.UsagePoints[0].Risk < 0.8 {
		t.Error("the same detector lifts nobody when it does not corroborate; the test looks at nothing")
	}
}
