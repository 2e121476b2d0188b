package opcua

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers/opcua/client"
)

// readAll reads values and units of the variables that were found, and sorts
// those that hold a number under their objects.
func (w *walk) readAll(ctx context.Context) error {
	if err := w.units(ctx); err != nil {
		return err
	}
	var ask []*ua.ReadValueID
	for _, f := range w.found {
		ask = append(ask, client.Value(f.node))
	}
	var units []int // index into found
	for i, f := range w.found {
		if f.unit != nil {
			units = append(units, i)
			ask = append(ask, client.Value(f.unit))
		}
	}
	values := make([]*ua.DataValue, len(ask))
	err := batches(len(ask), &w.conn.limits.read, func(from, to int) error {
		list, err := w.conn.client.Read(ctx, ask[from:to])
		if err != nil {
			return fmt.Errorf("read %d nodes: %w", to-from, err)
		}
		copy(values[from:], list)
		return nil
	})
	if err != nil {
		return err
	}
	unitOf := make(map[int]*ua.EUInformation)
	for k, i := range units {
		unitOf[i] = unitFrom(values[len(w.found)+k])
	}
	at := make(map[string]int) // index into objects by node
	for i, f := range w.found {
		v, ok := variableFrom(f.name, values[i])
		if !ok {
			continue
		}
		v.Node = w.name(f.node)
		if u := unitOf[i]; u != nil {
			v.UnitID = u.UnitID
			if u.DisplayName != nil {
				v.Unit = u.DisplayName.Text
			}
		}
		key := f.parent.node.String()
		k, known := at[key]
		if !known {
			k = len(w.space.Objects)
			at[key] = k
			w.space.Objects = append(w.space.Objects, Object{Path: f.parent.path, Node: w.name(f.parent.node)})
		}
		w.space.Objects[k].Variables = append(w.space.Objects[k].Variables, v)
	}
	return nil
}

// variableFrom makes a variable of what was read, where it is a number or a state.
func variableFrom(name string, dv *ua.DataValue) (Variable, bool) {
	v := Variable{Name: name, Value: math.NaN()}
	if dv == nil || dv.Value == nil {
		return v, false
	}
	switch dv.Value.Value().(type) {
	case nil: // there is no value now; the type is not known either
		return v, false
	case bool:
		v.Bool = true
	}
	n, err := number(dv.Value)
	if err != nil {
		return v, false
	}
	v.Value = n
	return v, true
}

// unitFrom takes the unit out of an EngineeringUnits property.
func unitFrom(dv *ua.DataValue) *ua.EUInformation {
	if dv == nil || dv.Value == nil {
		return nil
	}
	x, ok := dv.Value.Value().(*ua.ExtensionObject)
	if !ok || x == nil {
		return nil
	}
	u, _ := x.Value.(*ua.EUInformation)
	return u
}

// units finds the EngineeringUnits property of each variable.
func (w *walk) units(ctx context.Context) error {
	return batches(len(w.found), &w.conn.limits.browse, func(from, to int) error {
		ask := make([]*ua.BrowseDescription, to-from)
		for i := range ask {
			ask[i] = &ua.BrowseDescription{
				NodeID: w.found[from+i].node, BrowseDirection: ua.BrowseDirectionForward, ReferenceTypeID: ua.NewNumericNodeID(0, id.HasProperty),
				IncludeSubtypes: true, NodeClassMask: uint32(ua.NodeClassVariable), ResultMask: uint32(ua.BrowseResultMaskBrowseName),
			}
		}
		res, err := client.Call[ua.BrowseResponse](ctx, w.conn.client, &ua.BrowseRequest{View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}, NodesToBrowse: ask})
		if err != nil {
			return fmt.Errorf("list the properties of %d nodes: %w", len(ask), err)
		}
		if len(res.Results) != len(ask) {
			return fmt.Errorf("list the properties of %d nodes: %d answers came; the server breaks the protocol", len(ask), len(res.Results))
		}
		for i, r := range res.Results {
			at := slices.IndexFunc(r.References, func(ref *ua.ReferenceDescription) bool {
				return ref != nil && ref.NodeID != nil && ref.BrowseName != nil && ref.BrowseName.Name == "EngineeringUnits"
			})
			if at >= 0 {
				w.found[from+i].unit = w.local(r.References[at].NodeID)
			}
		}
		return nil
	})
}
