package profile

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Defaults of a Modbus profile. The standard allows 125 registers in one
// request; a gap of 16 registers costs less time than a second request.
const (
	defaultMaxRegisters = 125
	defaultMaxGap       = 16
)

func (p *Profile) validate(m *mistakes) {
	for _, key := range []struct{ name, value, mend string }{
		{"name", p.Name, "name it as its file, without .yaml"},
		{"manufacturer", p.Manufacturer, "name the maker"},
		{"model", p.Model, "name the model or series"},
		{"source", p.Source, "name the document, edition and pages that the map was taken from"},
	} {
		if strings.TrimSpace(key.value) == "" {
			m.add([]any{key.name}, key.mend, "%s is missing", key.name)
		}
	}
	oneOf(m, []any{"status"}, p.Status, Paper, Bench, Field, Simulated)
	if !oneOf(m, []any{"protocol"}, p.Protocol, ProtocolModbus, ProtocolOPCUA) {
		return
	}
	if p.Protocol != ProtocolModbus && m.has("modbus") {
		m.add([]any{"modbus"}, "remove one of the two", "protocol is %s but there is a section modbus", p.Protocol)
	}
	if p.Protocol != ProtocolOPCUA && m.has("opcua") {
		m.add([]any{"opcua"}, "remove one of the two", "protocol is %s but there is a section opcua", p.Protocol)
	}
	p.validateGroups(m)
	switch {
	case p.Protocol == ProtocolModbus && p.Modbus != nil:
		p.Modbus.validate(m)
	case p.Protocol == ProtocolOPCUA && p.OPCUA != nil:
		p.OPCUA.validate(m)
	default:
		m.add([]any{string(p.Protocol)}, "list its points there", "the section %s is missing", p.Protocol)
	}
}

// Bounds of a group's interval, the same as a device's.
const (
	minInterval = 200 * time.Millisecond
	maxInterval = time.Hour
)

// validateGroups holds groups to an interval and at least one point.
func (p *Profile) validateGroups(m *mistakes) {
	used := make(map[string]bool)
	for i, name := range p.groupNames() {
		used[name] = true
		if _, known := p.Intervals[name]; name != "" && !known {
			m.add([]any{string(p.Protocol), "points", i, "group"}, "give its interval under groups, as in groups: {"+name+": 1m}", "the group %q is not known", name)
		}
	}
	for name, interval := range p.Intervals {
		if !used[name] {
			m.add([]any{"groups", name}, "name it at a point, or remove it", "no point is in the group %q", name)
		}
		if interval < minInterval || interval > maxInterval {
			m.add([]any{"groups", name}, fmt.Sprintf("give %v to %v", minInterval, maxInterval), "interval %v", interval)
		}
	}
}

func (mb *Modbus) validate(m *mistakes) {
	if mb.Order == "" {
		mb.Order = ABCD
	}
	oneOf(m, []any{"modbus", "order"}, mb.Order, ABCD, CDAB, BADC, DCBA)
	if !m.has("modbus", "max_registers") {
		mb.MaxRegisters = defaultMaxRegisters
	}
	if mb.MaxRegisters < 1 || mb.MaxRegisters > 125 {
		m.add([]any{"modbus", "max_registers"}, "from 1 to 125", "max_registers is %d", mb.MaxRegisters)
	}
	if !m.has("modbus", "max_gap") {
		mb.MaxGap = defaultMaxGap
	}
	if mb.MaxGap < 0 || mb.MaxGap > 124 {
		m.add([]any{"modbus", "max_gap"}, "from 0 to 124", "max_gap is %d", mb.MaxGap)
	}
	for i, f := range mb.Forbidden {
		at := []any{"modbus", "forbidden", i}
		oneOf(m, append(at, "table"), f.Table, Holding, Input)
		if f.From > f.To {
			m.add(append(at, "from"), "from is the first register, to the last", "from %d is after to %d", f.From, f.To)
		}
	}
	if len(mb.Points) == 0 {
		m.add([]any{"modbus", "points"}, "list what the device measures", "there are no points")
	}
	seen := make(map[meter.Quantity]int)
	for i := range mb.Points {
		pt := &mb.Points[i]
		at := []any{"modbus", "points", i}
		if pt.Order == "" {
			pt.Order = mb.Order
		}
		common(m, at, i, seen, pt.Quantity, &pt.Scale, pt.Offset, pt.Range, &pt.Side)
		oneOf(m, append(at, "table"), pt.Table, Holding, Input)
		oneOf(m, append(at, "order"), pt.Order, ABCD, CDAB, BADC, DCBA)
		if !m.has(append(at, "address")...) {
			m.add(at, "write address as on the wire, counted from 0", "address is missing")
		}
		if oneOf(m, append(at, "encoding"), pt.Encoding, Uint16, Int16, Uint32, Int32, Uint64, Int64, Float32, Float64, BCD16, BCD32) {
			mb.validateSpan(m, at, pt)
		}
	}
}

// validateSpan checks the registers of a point against the table's end, the
// request limit and the forbidden ranges, and its sentinels against its size.
func (mb *Modbus) validateSpan(m *mistakes, at []any, pt *ModbusPoint) {
	n := pt.Registers()
	last := int(pt.Address) + n - 1
	if last > math.MaxUint16 {
		m.add(append(at, "address"), "the last register is 65535", "%s at %d needs registers up to %d", pt.Encoding, pt.Address, last)
	}
	if mb.MaxRegisters > 0 && n > mb.MaxRegisters {
		m.add(append(at, "encoding"), "raise max_registers", "%s needs %d registers, a request may read %d", pt.Encoding, n, mb.MaxRegisters)
	}
	for _, f := range mb.Forbidden {
		if f.Table == pt.Table && int(pt.Address) <= int(f.To) && last >= int(f.From) {
			m.add(append(at, "address"), "remove the point or narrow the range", "registers %d to %d are forbidden", f.From, f.To)
		}
	}
	for i, c := range pt.Absent {
		if n < 4 && c >= 1<<(16*n) {
			m.add(append(at, "absent", i), fmt.Sprintf("%s has %d bits", pt.Encoding, 16*n), "the code %#x does not fit", c)
		}
	}
}

// Node ids in the notation of OPC 10000-6, 5.3.1.10; nsu names the namespace
// by URI. {node} is the only placeholder.
var nodePattern = regexp.MustCompile(`^(ns=\d{1,5};|nsu=[^;{}\s]+;)?(s=[^{}]*(\{node\}[^{}]*)*|i=(\d{1,10}|\{node\})|g=[0-9A-Fa-f-]{36}|b=[A-Za-z0-9+/=]+)$`)

func (o *OPCUA) validate(m *mistakes) {
	if len(o.Points) == 0 {
		m.add([]any{"opcua", "points"}, "list what the server measures", "there are no points")
	}
	seen := make(map[meter.Quantity]int)
	for i := range o.Points {
		pt := &o.Points[i]
		at := []any{"opcua", "points", i}
		common(m, at, i, seen, pt.Quantity, &pt.Scale, pt.Offset, pt.Range, &pt.Side)
		const mend = `write it as "ns=1;s={node}.ActivePower", "ns=2;i=17" or "nsu=urn:maker:ns;s=…"`
		if pt.Node == "" {
			m.add(append(at, "node"), mend, "node is missing")
		} else if !nodePattern.MatchString(pt.Node) {
			m.add(append(at, "node"), mend, "%q is not a node id", pt.Node)
		}
	}
}

// common validates what points of every protocol share.
func common(m *mistakes, at []any, i int, seen map[meter.Quantity]int, q meter.Quantity, scale *float64, offset float64, rng []float64, side *Side) {
	if !q.Valid() {
		m.add(append(at, "quantity"), "take one of "+quantityNames(), "the quantity %q is not known", q)
	} else if first, twice := seen[q]; twice {
		m.add(append(at, "quantity"), "a device has one reading per quantity; remove one", "%s is there already as point %d", q, first+1)
	} else {
		seen[q] = i
	}
	if !m.has(append(at, "scale")...) {
		*scale = 1
	}
	if *scale == 0 || math.IsNaN(*scale) || math.IsInf(*scale, 0) {
		m.add(append(at, "scale"), "a finite number other than 0", "scale is %v", *scale)
	}
	if math.IsNaN(offset) || math.IsInf(offset, 0) {
		m.add(append(at, "offset"), "a finite number", "offset is %v", offset)
	}
	// The comparison is written so that NaN fails it.
	if rng != nil && (len(rng) != 2 || !(rng[0] < rng[1])) {
		m.add(append(at, "range"), "write [lowest, highest]", "range is %v", rng)
	}
	if *side == "" {
		*side = Primary
	}
	oneOf(m, append(at, "side"), *side, Primary, Secondary)
}

func oneOf[T ~string](m *mistakes, path []any, value T, allowed ...T) bool {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		if value == a {
			return true
		}
		names[i] = string(a)
	}
	key, mend := path[len(path)-1], "write one of "+strings.Join(names, ", ")
	if value == "" {
		m.add(path, mend, "%v is missing", key)
	} else {
		m.add(path, mend, "%v is %q", key, string(value))
	}
	return false
}

func quantityNames() string {
	list := meter.Quantities()
	names := make([]string, len(list))
	for i, q := range list {
		names[i] = string(q)
	}
	return strings.Join(names, ", ")
}
