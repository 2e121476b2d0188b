package grid

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Network is one consistent snapshot of the records: what is connected where,
// who holds which contract, and the reference data around them. Build it with
// NewNetwork; it must not be changed afterwards and is safe for concurrent use.
type Network struct {
	Transformers []PowerTransformer
	Customers    []Customer
	UsagePoints  []UsagePoint

	Watchlist     []WatchlistEntry
	IPAssignments []IPAssignment
	Weather       []WeatherPoint // ordered by time
	Calendar      []CalendarDay
	Unmetered     []UnmeteredLoad
	MeterEvents   []MeterEvent // by meter, then time

	transformers map[string]*PowerTransformer
	customers    map[string]*Customer
	byID         map[string][]*UsagePoint
	byMeter      map[string][]*UsagePoint
	behind       map[string][]*UsagePoint
	areaMeter    map[string]*PowerTransformer
}

// Records are the parts of a Network as they were read.
type Records struct {
	Transformers  []PowerTransformer
	Customers     []Customer
	UsagePoints   []UsagePoint
	Watchlist     []WatchlistEntry
	IPAssignments []IPAssignment
	Weather       []WeatherPoint
	Calendar      []CalendarDay
	Unmetered     []UnmeteredLoad
	MeterEvents   []MeterEvent // by meter, then time
}

// NewNetwork indexes records that have been validated by registry.
func NewNetwork(r Records) *Network {
	n := &Network{
		Transformers: r.Transformers, Customers: r.Customers, UsagePoints: r.UsagePoints,
		Watchlist: r.Watchlist, IPAssignments: r.IPAssignments, Weather: r.Weather,
		Calendar: r.Calendar, Unmetered: r.Unmetered, MeterEvents: r.MeterEvents,
		transformers: make(map[string]*PowerTransformer, len(r.Transformers)),
		customers:    make(map[string]*Customer, len(r.Customers)),
		byID:         make(map[string][]*UsagePoint, len(r.UsagePoints)),
		byMeter:      make(map[string][]*UsagePoint, len(r.UsagePoints)),
		behind:       make(map[string][]*UsagePoint, len(r.Transformers)),
		areaMeter:    make(map[string]*PowerTransformer, len(r.Transformers)),
	}
	if !slices.IsSortedFunc(n.MeterEvents, byMeterAndTime) {
		n.MeterEvents = slices.Clone(n.MeterEvents)
		slices.SortStableFunc(n.MeterEvents, byMeterAndTime)
	}
	for i := range n.Transformers {
		t := &n.Transformers[i]
		n.transformers[t.ID] = t
		if t.MeterID != "" {
			n.areaMeter[t.MeterID] = t
		}
	}
	for i := range n.Customers {
		n.customers[n.Customers[i].ID] = &n.Customers[i]
	}
	for i := range n.UsagePoints {
		u := &n.UsagePoints[i]
		n.byID[u.ID] = append(n.byID[u.ID], u)
		n.byMeter[u.MeterID] = append(n.byMeter[u.MeterID], u)
		n.behind[u.TransformerID] = append(n.behind[u.TransformerID], u)
	}
	return n
}

// Transformer returns the transformer with this id, nil where there is none.
func (n *Network) Transformer(id string) *PowerTransformer { return n.transformers[id] }

// Customer returns the customer with this id, nil where there is none.
func (n *Network) Customer(id string) *Customer { return n.customers[id] }

// UsagePoint returns the assignment of usage point id that holds at t, nil where none does.
func (n *Network) UsagePoint(id string, t time.Time) *UsagePoint { return validAt(n.byID[id], t) }

// UsagePointOfMeter returns the usage point that the meter served at t, nil where none.
func (n *Network) UsagePointOfMeter(meterID string, t time.Time) *UsagePoint {
	return validAt(n.byMeter[meterID], t)
}

// UsagePointsOfMeter returns every usage point that the meter has served, at
// whatever time, in record order.
func (n *Network) UsagePointsOfMeter(meterID string) []*UsagePoint { return n.byMeter[meterID] }

// TransformerOfMeter returns the transformer whose own meter this is, nil where none.
func (n *Network) TransformerOfMeter(meterID string) *PowerTransformer { return n.areaMeter[meterID] }

// UsagePointsBehind returns the usage points assigned to the transformer at t, in record order.
func (n *Network) UsagePointsBehind(transformerID string, t time.Time) []*UsagePoint {
	return allValidAt(n.behind[transformerID], t)
}

// Assignments returns every assignment of the usage point, at whatever time,
// in record order.
func (n *Network) Assignments(usagePointID string) []*UsagePoint { return n.byID[usagePointID] }

// AssignmentsBehind returns every assignment to the transformer, at whatever
// time, in record order.
func (n *Network) AssignmentsBehind(transformerID string) []*UsagePoint {
	return n.behind[transformerID]
}

func byMeterAndTime(x, y MeterEvent) int {
	return cmp.Or(strings.Compare(x.MeterID, y.MeterID), x.Time.Compare(y.Time))
}

// EventsOfMeter returns what the meter logged from a time (inclusive) to
// another (exclusive), in order of time.
func (n *Network) EventsOfMeter(meterID string, from, to time.Time) []MeterEvent {
	first, _ := slices.BinarySearchFunc(n.MeterEvents, MeterEvent{MeterID: meterID, Time: from}, byMeterAndTime)
	end, _ := slices.BinarySearchFunc(n.MeterEvents, MeterEvent{MeterID: meterID, Time: to}, byMeterAndTime)
	if first >= end {
		return nil
	}
	return n.MeterEvents[first:end]
}

// UsagePointsAt returns every usage point assignment that holds at t, in record order.
func (n *Network) UsagePointsAt(t time.Time) []*UsagePoint {
	var out []*UsagePoint
	for i := range n.UsagePoints {
		if n.UsagePoints[i].ValidAt(t) {
			out = append(out, &n.UsagePoints[i])
		}
	}
	return out
}

func validAt(candidates []*UsagePoint, t time.Time) *UsagePoint {
	for _, u := range candidates {
		if u.ValidAt(t) {
			return u
		}
	}
	return nil
}

func allValidAt(candidates []*UsagePoint, t time.Time) []*UsagePoint {
	var out []*UsagePoint
	for _, u := range candidates {
		if u.ValidAt(t) {
			out = append(out, u)
		}
	}
	return out
}
