package opcua

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/opcua/client"
)

// BrowseLimits bound a walk through an address space. Zero fields take the
// defaults that are named.
type BrowseLimits struct {
	Root  string        // node id to begin at; the Objects folder where empty
	Depth int           // of objects within objects; 10
	Nodes int           // visited altogether; 20,000
	Time  time.Duration // of the whole walk; 1 minute
}

func (l *BrowseLimits) setDefaults() {
	if l.Root == "" {
		l.Root = "i=85"
	}
	if l.Depth == 0 {
		l.Depth = 10
	}
	if l.Nodes == 0 {
		l.Nodes = 20000
	}
	if l.Time == 0 {
		l.Time = time.Minute
	}
}

// Space is what a walk found.
type Space struct {
	Objects []Object // with their variables, in the order of the walk
	Visited int      // nodes
	Cut     string   // which limit ended the walk early; "" where none did
}

// Object is a node with variables below it.
type Object struct {
	Path      []string // browse names from the root, its own last
	Node      NodeName
	Variables []Variable
}

// Variable is a node that holds a scalar number or state.
type Variable struct {
	Name   string // browse name; below a folder of the object, with the folder's name
	Node   NodeName
	Unit   string // as the server calls it; "" where it does not say
	UnitID int32  // its code (OPC 10000-8, 5.6.3); 0 where none
	Bool   bool
	Value  float64 // read while walking
}

// NodeName is a node id in the form that survives renumbered namespaces.
type NodeName struct {
	Text  string // nsu=URI;s=… or i=…
	Index string // ns=1;s=…, as long as the server keeps its numbers
	ID    string // the identifier alone where it is a text, else ""
}

// errEnough ends a walk at one of its limits.
var errEnough = errors.New("the walk has reached a limit")

// Browse walks a server's address space. dev gives URL and options; its
// profile is not used.
func (d *Driver) Browse(ctx context.Context, dev drivers.Device, limits BrowseLimits) (*Space, error) {
	limits.setDefaults()
	s, err := settingsOf(dev)
	if err != nil {
		return nil, err
	}
	conn, err := d.dialer.dial(ctx, s)
	if err != nil {
		return nil, err
	}
	defer conn.close()
	ctx, cancel := context.WithTimeout(ctx, limits.Time)
	defer cancel()
	root, err := conn.node(limits.Root)
	if err != nil {
		return nil, err
	}
	w := &walk{conn: conn, limits: limits, space: new(Space), seen: map[string]bool{root.String(): true}}
	err = w.run(ctx, root)
	switch {
	case errors.Is(err, errEnough):
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		w.space.Cut = fmt.Sprintf("it took longer than %v; give it more time or begin deeper", limits.Time)
	case err != nil:
		return nil, fmt.Errorf("browse %s: %w", s.url, err)
	}
	// What was found before a limit is still read, briefly.
	rest, stop := context.WithTimeout(context.WithoutCancel(ctx), d.dialer.opts.Connect)
	defer stop()
	if ctx.Err() == nil {
		rest = ctx
	}
	if err := w.readAll(rest); err != nil {
		return nil, fmt.Errorf("browse %s: %w", s.url, err)
	}
	return w.space, nil
}

// walk is one walk, breadth first. Every node is visited once, by whatever
// way it is reached first, so that cycles end.
type walk struct {
	conn   *connection
	limits BrowseLimits
	space  *Space
	seen   map[string]bool
	found  []*found
}

// place is a node whose children are to be listed.
type place struct {
	node  *ua.NodeID
	path  []string
	depth int
}

// found is a variable, before it was read.
type found struct {
	node   *ua.NodeID
	parent place
	name   string
	unit   *ua.NodeID // its EngineeringUnits property
}

func (w *walk) run(ctx context.Context, root *ua.NodeID) error {
	level := []place{{node: root}}
	for len(level) > 0 {
		var next []place
		err := batches(len(level), &w.conn.limits.browse, func(from, to int) error {
			results, err := w.children(ctx, level[from:to])
			if err != nil {
				return err
			}
			for i, refs := range results {
				below, err := w.take(level[from+i], refs)
				if err != nil {
					return err
				}
				next = append(next, below...)
			}
			return nil
		})
		if err != nil {
			return err
		}
		level = next
	}
	return nil
}

// children lists what lies below some nodes, continuation points included.
func (w *walk) children(ctx context.Context, places []place) ([][]*ua.ReferenceDescription, error) {
	ask := make([]*ua.BrowseDescription, len(places))
	for i, p := range places {
		ask[i] = &ua.BrowseDescription{
			NodeID: p.node, BrowseDirection: ua.BrowseDirectionForward, ReferenceTypeID: ua.NewNumericNodeID(0, id.HierarchicalReferences), IncludeSubtypes: true,
			NodeClassMask: uint32(ua.NodeClassObject | ua.NodeClassVariable), ResultMask: uint32(ua.BrowseResultMaskAll),
		}
	}
	res, err := client.Call[ua.BrowseResponse](ctx, w.conn.client, &ua.BrowseRequest{
		View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}, RequestedMaxReferencesPerNode: 1000, NodesToBrowse: ask,
	})
	if err != nil {
		return nil, fmt.Errorf("list the children of %d nodes: %w", len(ask), err)
	}
	if len(res.Results) != len(ask) {
		return nil, fmt.Errorf("list the children of %d nodes: %d answers came; the server breaks the protocol", len(ask), len(res.Results))
	}
	out := make([][]*ua.ReferenceDescription, len(ask))
	for i, r := range res.Results {
		out[i] = r.References
		for point := r.ContinuationPoint; len(point) > 0; {
			if len(out[i]) > w.limits.Nodes {
				w.release(point)
				break
			}
			more, err := client.Call[ua.BrowseNextResponse](ctx, w.conn.client, &ua.BrowseNextRequest{ContinuationPoints: [][]byte{point}})
			if err != nil {
				return nil, fmt.Errorf("list more children of %v: %w", ask[i].NodeID, err)
			}
			if len(more.Results) != 1 || len(more.Results[0].References) == 0 {
				break
			}
			out[i] = append(out[i], more.Results[0].References...)
			point = more.Results[0].ContinuationPoint
		}
	}
	return out, nil
}

// release gives a continuation point back.
func (w *walk) release(point []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = client.Call[ua.BrowseNextResponse](ctx, w.conn.client, &ua.BrowseNextRequest{ReleaseContinuationPoints: true, ContinuationPoints: [][]byte{point}})
}

// take sorts children into variables and places to go on from.
func (w *walk) take(from place, refs []*ua.ReferenceDescription) ([]place, error) {
	var next []place
	for _, ref := range refs {
		if ref == nil || ref.NodeID == nil || ref.BrowseName == nil || ref.NodeID.ServerIndex != 0 {
			continue
		}
		node := w.local(ref.NodeID)
		if node == nil || w.seen[node.String()] {
			continue
		}
		// The server's own diagnostics are no measurements.
		if node.Namespace() == 0 && (node.IntID() == id.Server || node.IntID() == id.Aliases || node.IntID() == id.Locations) {
			continue
		}
		if w.space.Visited++; w.space.Visited > w.limits.Nodes {
			w.space.Cut = fmt.Sprintf("there are more than %d nodes; begin deeper, or allow more", w.limits.Nodes)
			return nil, errEnough
		}
		w.seen[node.String()] = true
		name := ref.BrowseName.Name
		if ref.NodeClass == ua.NodeClassVariable {
			w.found = append(w.found, &found{node: node, parent: from, name: name})
			continue
		}
		if from.depth >= w.limits.Depth {
			w.space.Cut = fmt.Sprintf("objects are nested more than %d deep; begin deeper, or allow more", w.limits.Depth)
			continue
		}
		path := append(append([]string{}, from.path...), name)
		next = append(next, place{node: node, path: path, depth: from.depth + 1})
	}
	return next, nil
}

// local turns an expanded node id of this server into a plain one.
func (w *walk) local(x *ua.ExpandedNodeID) *ua.NodeID {
	if x.NamespaceURI == "" {
		return ua.NewNodeIDFromExpandedNodeID(x)
	}
	for i, uri := range w.conn.client.Namespaces() {
		if uri == x.NamespaceURI {
			n := ua.NewNodeIDFromExpandedNodeID(x)
			if n.SetNamespace(uint16(i)) == nil {
				return n
			}
		}
	}
	return nil
}

// name writes a node id with its namespace's URI.
func (w *walk) name(n *ua.NodeID) NodeName {
	namespaces := w.conn.client.Namespaces()
	text := n.String()
	if at := strings.IndexByte(text, ';'); n.Namespace() != 0 && at >= 0 && int(n.Namespace()) < len(namespaces) {
		text = "nsu=" + namespaces[n.Namespace()] + text[at:]
	}
	out := NodeName{Text: text, Index: n.String()}
	if n.Type() == ua.NodeIDTypeString {
		out.ID = n.StringID()
	}
	return out
}
