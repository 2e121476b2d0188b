package profile

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
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
			at := []any{string(p.Protocol), "points", i, "group"}
			if p.Modbus != nil && i < len(p.Modbus.Points) && p.Modbus.Points[i].Encoding == clockEncoding {
				at = []any{"modbus", "clock", "group"}
			}
			m.add(at, "give its interval under groups, as in groups: {"+name+": 1m}", "the group %q is not known", name)
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
