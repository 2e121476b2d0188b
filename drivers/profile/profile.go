package profile

import (
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Status says how far a profile has been proven.
type Status string

// Statuses, least proven first. Simulated profiles describe devices that
// exist only in the simulator.
const (
	Paper     Status = "paper" // from the manual only
	Bench     Status = "bench" // read from a device on a bench
	Field     Status = "field" // in service
	Simulated Status = "simulated"
)

// Protocol names a family of protocols that a profile describes.
type Protocol string

// Protocols.
const (
	ProtocolModbus Protocol = "modbus"
	ProtocolOPCUA  Protocol = "opcua"
)

// Profile is the map of one device model.
type Profile struct {
	Name         string   `yaml:"name"` // equals the file name without .yaml
	Manufacturer string   `yaml:"manufacturer"`
	Model        string   `yaml:"model"`
	Source       string   `yaml:"source"` // document, edition and pages the map was taken from
	Status       Status   `yaml:"status"`
	Protocol     Protocol `yaml:"protocol"`
	// Intervals of named groups of points, which are read at an interval of
	// their own; the device's configuration may replace them.
	Intervals map[string]time.Duration `yaml:"groups"`
	Modbus    *Modbus                  `yaml:"modbus"` // set for ProtocolModbus
	OPCUA     *OPCUA                   `yaml:"opcua"`  // set for ProtocolOPCUA

	groups []Group
	digest string
}

// Digest returns the SHA-256 of the profile's file, in hex: what tells an
// edited profile from the one in use. It is empty for a profile that was not
// parsed.
func (p *Profile) Digest() string { return p.digest }

// Rollover returns the value at which the cumulative register of q returns to
// zero, in q's unit and on the point's own side (see SideOf), or 0 where it is
// not known.
func (p *Profile) Rollover(q meter.Quantity) float64 {
	if pt := p.modbusPoint(q); pt != nil {
		return pt.Rollover
	}
	return 0
}

// SideOf tells on which side of the device's transformers q is reported.
func (p *Profile) SideOf(q meter.Quantity) Side {
	if pt := p.modbusPoint(q); pt != nil {
		return pt.Side
	}
	if p.OPCUA != nil {
		for i := range p.OPCUA.Points {
			if p.OPCUA.Points[i].Quantity == q {
				return p.OPCUA.Points[i].Side
			}
		}
	}
	return Primary
}

func (p *Profile) modbusPoint(q meter.Quantity) *ModbusPoint {
	if p.Modbus == nil {
		return nil
	}
	for i := range p.Modbus.Points {
		if p.Modbus.Points[i].Quantity == q {
			return &p.Modbus.Points[i]
		}
	}
	return nil
}

// Group is the points of a profile that are read together, at one interval.
type Group struct {
	Name     string        // "" for the points that name no group
	Interval time.Duration // 0: the device's
	Points   []int         // indexes into the profile's points, ascending
}

// Groups returns the groups of the profile: at least one, the points without
// a group first. A profile that was not parsed has one group of all points.
func (p *Profile) Groups() []Group {
	if p.groups == nil {
		return []Group{{Points: indexes(len(p.Quantities()))}}
	}
	return p.groups
}

func indexes(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// groupNames lists the group of every point, in the file's order.
func (p *Profile) groupNames() []string {
	var list []string
	if p.Modbus != nil {
		for i := range p.Modbus.Points {
			list = append(list, p.Modbus.Points[i].Group)
		}
	}
	if p.OPCUA != nil {
		for i := range p.OPCUA.Points {
			list = append(list, p.OPCUA.Points[i].Group)
		}
	}
	return list
}

// group sorts the points into groups.
func (p *Profile) group() {
	index := make(map[string]int)
	p.groups = nil
	names := p.groupNames()
	if slices.Contains(names, "") {
		p.groups, index[""] = append(p.groups, Group{}), 0
	}
	for i, name := range names {
		g, known := index[name]
		if !known {
			g = len(p.groups)
			index[name] = g
			p.groups = append(p.groups, Group{Name: name, Interval: p.Intervals[name]})
		}
		p.groups[g].Points = append(p.groups[g].Points, i)
	}
}

// Quantities lists what the profile's points measure, in the file's order:
// the order in which a session returns readings.
func (p *Profile) Quantities() []meter.Quantity {
	var list []meter.Quantity
	if p.Modbus != nil {
		for i := range p.Modbus.Points {
			list = append(list, p.Modbus.Points[i].Quantity)
		}
	}
	if p.OPCUA != nil {
		for i := range p.OPCUA.Points {
			list = append(list, p.OPCUA.Points[i].Quantity)
		}
	}
	return list
}

// Side tells whether a device already multiplies by its transformer ratios.
type Side string

// Sides.
const (
	Primary   Side = "primary"
	Secondary Side = "secondary"
)

// OPCUA is the node map of a device.
type OPCUA struct {
	Points []OPCUAPoint `yaml:"points"`
}

// OPCUAPoint is one quantity in the address space of an OPC UA server.
type OPCUAPoint struct {
	Quantity meter.Quantity `yaml:"quantity"`
	// Node is a node id such as "ns=1;s={node}.ActivePower" or
	// "nsu=urn:example:meters;i=17". {node} becomes the device's option
	// "node"; nsu= names the namespace by URI instead of by index.
	Node   string    `yaml:"node"`
	Scale  float64   `yaml:"scale"`
	Offset float64   `yaml:"offset"`
	Range  []float64 `yaml:"range"`
	Side   Side      `yaml:"side"`
	Group  string    `yaml:"group"`

	conv converter
}
