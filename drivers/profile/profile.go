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

// Modbus is the register map of a device and the limits on reading it.
type Modbus struct {
	Order        Order         `yaml:"order"`         // default of the points; ABCD where absent
	MaxRegisters int           `yaml:"max_registers"` // of one request; 125 where absent
	MaxGap       int           `yaml:"max_gap"`       // unused registers that a block may span; 16 where absent
	Forbidden    []Forbidden   `yaml:"forbidden"`     // never read, not even within a block
	Points       []ModbusPoint `yaml:"points"`

	blocks [][]Block // by group
}

// Blocks returns the read plan of a group, an index into Profile.Groups: few
// requests that cover its points.
func (m *Modbus) Blocks(group int) []Block { return m.blocks[group] }

// Forbidden is a range of registers that must not be read.
type Forbidden struct {
	Table Table  `yaml:"table"`
	From  uint16 `yaml:"from"`
	To    uint16 `yaml:"to"` // inclusive
}

// Table is one of the two register tables of Modbus.
type Table string

// Tables: function code 3 and function code 4.
const (
	Holding Table = "holding"
	Input   Table = "input"
)

// ModbusPoint is one quantity in the registers of a device.
//
// Its value is code*Scale + Offset in Quantity's unit.
type ModbusPoint struct {
	Quantity meter.Quantity `yaml:"quantity"`
	Table    Table          `yaml:"table"`
	Address  uint16         `yaml:"address"` // as on the wire, counted from 0 (register 40001 of old manuals is 0)
	Encoding Encoding       `yaml:"encoding"`
	Order    Order          `yaml:"order"`
	Scale    float64        `yaml:"scale"`
	Offset   float64        `yaml:"offset"`
	Absent   []uint64       `yaml:"absent"` // codes, as unsigned integers in ABCD order, that mean "no value"
	Range    []float64      `yaml:"range"`  // [lowest, highest] believable value, after scaling
	Side     Side           `yaml:"side"`   // primary where absent
	Group    string         `yaml:"group"`  // read with the others of the group; with the ungrouped where absent

	conv converter
}

// Registers returns how many registers the point occupies.
func (p *ModbusPoint) Registers() int { return p.Encoding.Registers() }

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
