package opcua

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers/opcua/client"
)

// maxNodes is how many nodes we name in one request where the server sets no
// lower limit.
const maxNodes = 1000

// limits are how many nodes one request may name, by service (OPC 10000-5,
// 6.3.11). They begin with what the server says of itself and fall where it
// refuses less.
type limits struct {
	read, history, monitor, browse int
}

func noLimits() limits {
	return limits{read: maxNodes, history: maxNodes, monitor: maxNodes, browse: maxNodes}
}

// lower takes a limit that the server stated. 0 means that there is none.
func lower(limit *int, stated any) {
	if n, ok := stated.(uint32); ok && n > 0 && uint64(n) < uint64(*limit) {
		*limit = int(n)
	}
}

// learn asks the server for its limits. One that does not say is held to ours
// until it refuses.
func (l *limits) learn(ctx context.Context, c *client.Client) {
	stated := []struct {
		node  uint32
		limit *int
	}{
		{id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead, &l.read},
		{id.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData, &l.history},
		{id.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall, &l.monitor},
		{id.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse, &l.browse},
	}
	// The limit on reading comes first: the others may have to be read singly.
	for from := 0; from < len(stated); {
		to := len(stated)
		if from == 0 {
			to = 1
		}
		to = min(to, from+l.read)
		var ask []*ua.ReadValueID
		for _, s := range stated[from:to] {
			ask = append(ask, client.Value(ua.NewNumericNodeID(0, s.node)))
		}
		values, err := c.Read(ctx, ask)
		if err != nil {
			return
		}
		for i, v := range values {
			lower(stated[from+i].limit, v.Value.Value())
		}
		from = to
	}
}

// tooMany tells whether a server refused a request for its size.
func tooMany(err error) bool {
	for _, code := range []ua.StatusCode{
		ua.StatusBadTooManyOperations, ua.StatusBadRequestTooLarge, ua.StatusBadResponseTooLarge, ua.StatusBadEncodingLimitsExceeded,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// batches splits n nodes into requests of at most limit. A request that the
// server finds too large is halved, and the limit is remembered.
func batches(n int, limit *int, do func(from, to int) error) error {
	for from := 0; from < n; {
		to := min(n, from+max(1, *limit))
		err := do(from, to)
		switch {
		case err == nil:
			from = to
		case tooMany(err) && to-from > 1:
			*limit = (to - from) / 2
		default:
			return err
		}
	}
	return nil
}

// connection is one open session with what was learned about the server. It
// is used by one goroutine at a time, but for what is said to be safe.
type connection struct {
	client *client.Client        // safe
	nodes  map[string]*ua.NodeID // by text, resolved against this server's namespaces
	limits limits
	work   sync.WaitGroup // what ends with the client
}

func newConnection(ctx context.Context, c *client.Client) *connection {
	conn := &connection{client: c, nodes: make(map[string]*ua.NodeID), limits: noLimits()}
	conn.limits.learn(ctx, c)
	return conn
}

// node resolves the text of a node id on this server.
func (c *connection) node(text string) (*ua.NodeID, error) {
	if n := c.nodes[text]; n != nil {
		return n, nil
	}
	n, err := parseNode(text, c.client.Namespaces())
	if err != nil {
		return nil, err
	}
	c.nodes[text] = n
	return n, nil
}

// parseNode reads a node id as profiles write it.
func parseNode(text string, namespaces []string) (*ua.NodeID, error) {
	x, err := ua.ParseExpandedNodeID(text, namespaces)
	if err != nil {
		return nil, fmt.Errorf("node %q: %w; the server's namespaces are %q", text, err, namespaces)
	}
	// The parser leaves the marks of an expanded id; a server takes a plain one.
	return ua.NewNodeIDFromExpandedNodeID(x), nil
}

// read reads the values of nodes in as few requests as the server allows. A
// node id that cannot be resolved fails alone.
func (c *connection) read(ctx context.Context, nodes []string) ([]*ua.DataValue, error) {
	out := make([]*ua.DataValue, len(nodes))
	ask := make([]*ua.ReadValueID, 0, len(nodes))
	index := make([]int, 0, len(nodes))
	for i, text := range nodes {
		node, err := c.node(text)
		if err != nil {
			out[i] = &ua.DataValue{Status: ua.StatusBadNodeIDUnknown}
			continue
		}
		ask, index = append(ask, client.Value(node)), append(index, i)
	}
	err := batches(len(ask), &c.limits.read, func(from, to int) error {
		values, err := c.client.Read(ctx, ask[from:to])
		if err != nil {
			return fmt.Errorf("read %d nodes: %w", to-from, err)
		}
		for i, v := range values {
			out[index[from+i]] = v
		}
		return nil
	})
	return out, err
}

func (c *connection) close() {
	c.client.Close()
	c.work.Wait()
}
