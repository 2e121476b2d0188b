package sim

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/server"
	"github.com/gopcua/opcua/server/attrs"
	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// uaSpace is the namespace of the simulated measurements. It can only be read.
// The library's own map namespace reads without its lock and gives no source
// times, so this is one of our own.
type uaSpace struct {
	server *Server
	index  uint16
	nodes  map[string]*uaNode // by string id; fixed once built
}

// uaNode is one variable.
type uaNode struct {
	point *profile.OPCUAPoint
	dev   *uaDevice
}

// uaDevice computes its values once a second.
type uaDevice struct {
	Device
	at   func(time.Time) values
	mu   sync.Mutex
	when time.Time
	last values
}

func (d *uaDevice) values(now time.Time) values {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.when.Equal(now) {
		d.when, d.last = now, d.at(now)
	}
	return d.last
}

// add makes the nodes of a device.
func (s *uaSpace) add(dev Device, p *profile.OPCUA, at func(time.Time) values) {
	d := &uaDevice{Device: dev, at: at}
	for i := range p.Points {
		_, name, _ := strings.Cut(p.Points[i].Node, ";s=")
		s.nodes[strings.ReplaceAll(name, "{node}", dev.Options["node"])] = &uaNode{&p.Points[i], d}
	}
}

// dataValue reads a variable and reports what it says.
func (s *uaSpace) dataValue(n *uaNode) *ua.DataValue {
	now := s.server.second()
	v := n.dev.values(now)
	number := n.point.Number(v.get(n.point.Quantity))
	s.server.served(Served{
		DeviceID: n.dev.ID, MeterID: n.dev.MeterID, At: now,
		Values: map[meter.Quantity]float64{n.point.Quantity: n.point.Value(number).Number},
	})
	return &ua.DataValue{
		EncodingMask:    ua.DataValueValue | ua.DataValueStatusCode | ua.DataValueSourceTimestamp | ua.DataValueServerTimestamp,
		Value:           ua.MustVariant(number),
		Status:          ua.StatusOK,
		SourceTimestamp: now,
		ServerTimestamp: s.server.opt.Now().UTC(),
	}
}

func (s *uaSpace) constant(v any) *ua.DataValue {
	return &ua.DataValue{
		EncodingMask: ua.DataValueValue | ua.DataValueStatusCode | ua.DataValueServerTimestamp,
		Value:        ua.MustVariant(v), Status: ua.StatusOK, ServerTimestamp: s.server.opt.Now().UTC(),
	}
}

func (s *uaSpace) bad(code ua.StatusCode) *ua.DataValue {
	return &ua.DataValue{
		EncodingMask: ua.DataValueStatusCode | ua.DataValueServerTimestamp,
		Status:       code, ServerTimestamp: s.server.opt.Now().UTC(),
	}
}

// Attribute implements server.NameSpace.
func (s *uaSpace) Attribute(nodeID *ua.NodeID, a ua.AttributeID) *ua.DataValue {
	if nodeID.Type() != ua.NodeIDTypeString {
		if nodeID.IntID() != id.ObjectsFolder {
			return s.bad(ua.StatusBadNodeIDUnknown)
		}
		v, err := s.Objects().Attribute(a)
		if err != nil {
			return s.bad(ua.StatusBadAttributeIDInvalid)
		}
		return v.Value
	}
	name := nodeID.StringID()
	n := s.nodes[name]
	if n == nil {
		return s.bad(ua.StatusBadNodeIDUnknown)
	}
	switch a {
	case ua.AttributeIDValue:
		return s.dataValue(n)
	case ua.AttributeIDNodeID:
		return s.constant(nodeID)
	case ua.AttributeIDNodeClass:
		return s.constant(int32(ua.NodeClassVariable))
	case ua.AttributeIDBrowseName:
		return s.constant(&ua.QualifiedName{NamespaceIndex: s.index, Name: name})
	case ua.AttributeIDDisplayName:
		return s.constant(attrs.DisplayName(name, ""))
	case ua.AttributeIDDescription:
		return s.constant(attrs.DisplayName(string(n.point.Quantity), ""))
	case ua.AttributeIDDataType:
		return s.constant(ua.NewNumericNodeID(0, id.Double))
	case ua.AttributeIDValueRank:
		return s.constant(int32(-1))
	case ua.AttributeIDAccessLevel, ua.AttributeIDUserAccessLevel:
		return s.constant(byte(ua.AccessLevelTypeCurrentRead))
	}
	return s.bad(ua.StatusBadAttributeIDInvalid)
}

// SetAttribute implements server.NameSpace: nothing can be written.
func (s *uaSpace) SetAttribute(*ua.NodeID, ua.AttributeID, *ua.DataValue) ua.StatusCode {
	return ua.StatusBadNotWritable
}

// Browse implements server.NameSpace: all variables lie flat in the folder.
func (s *uaSpace) Browse(b *ua.BrowseDescription) *ua.BrowseResult {
	r := &ua.BrowseResult{StatusCode: ua.StatusGood}
	if b.NodeID.Type() == ua.NodeIDTypeString {
		return r
	}
	for _, name := range slices.Sorted(maps.Keys(s.nodes)) {
		r.References = append(r.References, &ua.ReferenceDescription{
			ReferenceTypeID: ua.NewNumericNodeID(0, id.HasComponent),
			IsForward:       true,
			NodeID:          ua.NewStringExpandedNodeID(s.index, name),
			BrowseName:      &ua.QualifiedName{NamespaceIndex: s.index, Name: name},
			DisplayName:     attrs.DisplayName(name, ""),
			NodeClass:       ua.NodeClassVariable,
			TypeDefinition:  ua.NewNumericExpandedNodeID(0, id.BaseDataVariableType),
		})
	}
	return r
}

// Objects implements server.NameSpace.
func (s *uaSpace) Objects() *server.Node {
	return server.NewNode(
		ua.NewNumericNodeID(s.index, id.ObjectsFolder),
		map[ua.AttributeID]*ua.DataValue{
			ua.AttributeIDNodeClass:     server.DataValueFromValue(int32(ua.NodeClassObject)),
			ua.AttributeIDBrowseName:    server.DataValueFromValue(attrs.BrowseName(s.Name())),
			ua.AttributeIDDisplayName:   server.DataValueFromValue(attrs.DisplayName(s.Name(), "")),
			ua.AttributeIDDescription:   server.DataValueFromValue(attrs.DisplayName("simulated measurements", "")),
			ua.AttributeIDDataType:      server.DataValueFromValue(ua.NewNumericExpandedNodeID(0, id.ObjectsFolder)),
			ua.AttributeIDEventNotifier: server.DataValueFromValue(byte(0)),
		},
		nil, nil,
	)
}

// Root implements server.NameSpace.
func (s *uaSpace) Root() *server.Node { return s.Objects() }

// Node implements server.NameSpace.
func (s *uaSpace) Node(nodeID *ua.NodeID) *server.Node {
	if nodeID != nil && nodeID.Type() != ua.NodeIDTypeString && nodeID.IntID() == id.ObjectsFolder {
		return s.Objects()
	}
	return nil
}

// AddNode implements server.NameSpace; nodes come from profiles only.
func (s *uaSpace) AddNode(n *server.Node) *server.Node { return n }

// Name implements server.NameSpace.
func (s *uaSpace) Name() string { return "urn:gridwarden:simulator" }

// ID implements server.NameSpace.
func (s *uaSpace) ID() uint16 { return s.index }

// SetID implements server.NameSpace.
func (s *uaSpace) SetID(index uint16) { s.index = index }
