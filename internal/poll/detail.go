package poll

import (
	"math"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Detail is all that is known of one device now.
type Detail struct {
	DeviceStatus
	Values []Value // of every point, in the profile's order
	Groups []GroupPlan
	Notes  []string // what an operator should know beside, as the driver tells it
}

// noter is implemented by sessions that have something to say of their device.
type noter interface{ Notes() []string }

// Value is the last reading of one quantity.
type Value struct {
	Quantity    meter.Quantity
	Number      float64 // in Quantity.Unit(); NaN where nothing was obtained
	Quality     meter.Quality
	Flags       meter.Flags
	Detail      string    // why it is not good; "" where it is
	Raw         []byte    // its native code, the first 15 bytes
	EventTime   time.Time // of the last usable value; zero where there was none
	ReceiveTime time.Time // zero where nothing has come yet
}

// GroupPlan is how the points of one group are read.
type GroupPlan struct {
	Name     string // "" for the points in no group
	Interval time.Duration
	NextTurn time.Time // zero where none is planned
	Blocks   []BlockPlan
}

// BlockPlan is one request.
type BlockPlan struct {
	Table      string // of a Modbus device; "nodes" of an OPC UA server
	Address    int    // the first register; 0 for nodes
	Count      int    // registers or nodes
	Quantities []meter.Quantity
	Nodes      []string // node ids of an OPC UA server
}

// Device returns the detail of one device; ok is false where there is none of
// that id.
func (p *Poller) Device(id string) (detail Detail, ok bool) {
	for _, d := range p.devices() {
		if d.dev.ID == id {
			return d.detail(), true
		}
	}
	return Detail{}, false
}

func (d *device) detail() Detail {
	out := Detail{DeviceStatus: d.status()}
	if n, ok := d.opened().(noter); ok {
		out.Notes = n.Notes()
	}
	for g, group := range d.dev.Profile.Groups() {
		plan := GroupPlan{Name: group.Name, Interval: d.dev.GroupInterval(g), Blocks: d.blocks(g)}
		if g < len(d.readers) {
			plan.NextTurn = d.readers[g].nextTurn()
		}
		out.Groups = append(out.Groups, plan)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.points {
		p := &d.points[i]
		v := Value{Quantity: d.quantities[i], Number: math.NaN()}
		if p.received != 0 {
			v.Number, v.Quality, v.Flags, v.Detail = p.shown, p.quality, p.flags, p.detail
			v.ReceiveTime = time.Unix(0, p.received).UTC()
			v.Raw = append([]byte(nil), p.raw[:p.rawLen]...)
		}
		if p.event != 0 {
			v.EventTime = time.Unix(0, p.event).UTC()
		}
		out.Values = append(out.Values, v)
	}
	return out
}

// blocks is the read plan of a group.
func (d *device) blocks(group int) []BlockPlan {
	pr, err := d.dev.Profile.Adapted(d.dev.Options)
	if err != nil { // the driver's Check has passed; the profile as it is says most
		pr = d.dev.Profile
	}
	points := d.groups[group]
	if pr.Modbus == nil {
		return []BlockPlan{{Table: "nodes", Count: len(points), Quantities: d.named(points), Nodes: d.nodes(points)}}
	}
	var list []BlockPlan
	for _, b := range pr.Modbus.Blocks(group) {
		list = append(list, BlockPlan{Table: string(b.Table), Address: int(b.Address), Count: int(b.Count), Quantities: d.named(b.Points)})
	}
	return list
}

// nodes are the ids of points, as the device's own node makes them.
func (d *device) nodes(points []int) []string {
	if d.dev.Profile.OPCUA == nil {
		return nil
	}
	list := make([]string, len(points))
	for i, n := range points {
		list[i] = strings.ReplaceAll(d.dev.Profile.OPCUA.Points[n].Node, "{node}", d.dev.Options["node"])
	}
	return list
}

func (d *device) named(points []int) []meter.Quantity {
	list := make([]meter.Quantity, len(points))
	for i, n := range points {
		list[i] = d.quantities[n]
	}
	return list
}
