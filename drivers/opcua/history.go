package opcua

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers/opcua/client"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// pageSize is how many values of a node one HistoryRead asks for.
const pageSize = 1000

// mostPages bounds what one node may deliver for one gap: a server that gives
// continuation points without end must not hold us for ever.
const mostPages = 10000

// history is what a session knows of its server's history.
type history struct {
	mu      sync.Mutex
	refused map[int]bool // points that the server keeps no history of
}

// ErrNoHistory is what Backfill says, once, of a server that keeps no history
// of a device's nodes.
var ErrNoHistory = errors.New("the server keeps no history of this device's nodes")

// Backfill implements drivers.Backfiller by raw history reads (OPC 10000-11,
// 6.5.3). Readings carry the times and qualities that the server recorded.
// Nodes without a history are left out; that a device has none at all is said
// once.
func (s *session) Backfill(ctx context.Context, from, to time.Time, fn func([]meter.Reading)) error {
	var tracks []*track
	s.history.mu.Lock()
	known := len(s.history.refused)
	for i := range s.nodes {
		if !s.history.refused[i] && s.dev.Profile.OPCUA.Points[i].Quantity != meter.ClockOffset {
			tracks = append(tracks, &track{point: i})
		}
	}
	s.history.mu.Unlock()
	if len(tracks) == 0 || to.Before(from) {
		return nil
	}
	c, limit, err := s.endpoint.borrow(ctx, s.timeout)
	if err != nil {
		return fmt.Errorf("device %s: back-fill: %w", s.dev.ID, err)
	}
	h := reader{session: s, client: c, limit: limit, from: from, to: to, fn: fn}
	err = h.run(ctx, tracks)
	s.endpoint.learnHistory(h.limit)
	if err != nil {
		return fmt.Errorf("device %s: back-fill from %s to %s: %w", s.dev.ID, from.Format(time.RFC3339), to.Format(time.RFC3339), err)
	}
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	if len(s.history.refused) > known {
		s.notes.set("history", fmt.Sprintf("the server keeps no history of %d of %d nodes; gaps there stay gaps", len(s.history.refused), len(s.nodes)))
	}
	if known == 0 && len(s.history.refused) == len(tracks) {
		return fmt.Errorf("device %s: %w; switch historical access on at the server, or leave gaps as they are", s.dev.ID, ErrNoHistory)
	}
	return nil
}

// track is one node's way through its history.
type track struct {
	point int
	node  *ua.NodeID
	next  []byte // continuation point
	pages int
	done  bool
	held  []meter.Reading // read, not yet delivered
}

// last returns the time of the last value that was read.
func (t *track) last() time.Time {
	if len(t.held) == 0 {
		return time.Time{}
	}
	return t.held[len(t.held)-1].EventTime
}

// reader reads one gap of one device.
type reader struct {
	session  *session
	client   *client.Client
	limit    int
	from, to time.Time
	fn       func([]meter.Reading)
}

// run reads all nodes page by page, and delivers what no unread page can
// precede any more: the oldest first over all nodes.
func (h *reader) run(ctx context.Context, tracks []*track) (err error) {
	defer func() {
		if err != nil {
			h.release(tracks)
		}
	}()
	for _, t := range tracks {
		node, err := parseNode(h.session.nodes[t.point], h.client.Namespaces())
		if err != nil {
			t.done = true
			continue
		}
		t.node = node
	}
	for {
		// Those that lag furthest behind hold the others' values up.
		var ask []*track
		for _, t := range tracks {
			if !t.done && (len(t.held) == 0 || t.last().Equal(h.frontier(tracks))) {
				ask = append(ask, t)
			}
		}
		if len(ask) == 0 {
			h.deliver(tracks, h.to)
			return nil
		}
		err := batches(len(ask), &h.limit, func(from, to int) error { return h.page(ctx, ask[from:to]) })
		if err != nil {
			return err
		}
		h.deliver(tracks, h.frontier(tracks).Add(-1))
	}
}

// frontier returns the time before which every node has been read.
func (h *reader) frontier(tracks []*track) time.Time {
	frontier := h.to.Add(1)
	for _, t := range tracks {
		if !t.done && t.last().Before(frontier) {
			frontier = t.last()
		}
	}
	return frontier
}

// deliver hands on what is held up to a moment.
func (h *reader) deliver(tracks []*track, upTo time.Time) {
	var out []meter.Reading
	for _, t := range tracks {
		n := 0
		for n < len(t.held) && !t.held[n].EventTime.After(upTo) {
			n++
		}
		out = append(out, t.held[:n]...)
		t.held = t.held[n:]
	}
	if len(out) == 0 {
		return
	}
	slices.SortStableFunc(out, func(a, b meter.Reading) int { return a.EventTime.Compare(b.EventTime) })
	h.fn(out)
}

// page asks for the next values of some nodes.
func (h *reader) page(ctx context.Context, tracks []*track) error {
	ask := make([]*ua.HistoryReadValueID, len(tracks))
	for i, t := range tracks {
		ask[i] = &ua.HistoryReadValueID{NodeID: t.node, DataEncoding: &ua.QualifiedName{}, ContinuationPoint: t.next}
	}
	ctx, cancel := context.WithTimeout(ctx, max(h.session.timeout, h.session.endpoint.opts.Connect))
	defer cancel()
	res, err := client.Call[ua.HistoryReadResponse](ctx, h.client, h.request(ask, false))
	if err != nil {
		return fmt.Errorf("read the history of %d nodes: %w", len(ask), err)
	}
	if len(res.Results) != len(ask) {
		return fmt.Errorf("read the history of %d nodes: %d answers came; the server breaks the protocol", len(ask), len(res.Results))
	}
	for i, t := range tracks {
		if err := h.take(t, res.Results[i]); err != nil {
			return err
		}
	}
	return nil
}

// request asks for one tick more than the end: servers leave the end itself out.
func (h *reader) request(ask []*ua.HistoryReadValueID, release bool) *ua.HistoryReadRequest {
	return &ua.HistoryReadRequest{
		HistoryReadDetails: &ua.ExtensionObject{
			TypeID: ua.NewFourByteExpandedNodeID(0, id.ReadRawModifiedDetails_Encoding_DefaultBinary), EncodingMask: ua.ExtensionObjectBinary,
			Value: &ua.ReadRawModifiedDetails{StartTime: h.from, EndTime: h.to.Add(time.Millisecond), NumValuesPerNode: pageSize},
		},
		TimestampsToReturn: ua.TimestampsToReturnBoth, ReleaseContinuationPoints: release, NodesToRead: ask,
	}
}

// take adds a page to a track.
func (h *reader) take(t *track, res *ua.HistoryReadResult) error {
	if t.pages++; t.pages > mostPages {
		return fmt.Errorf("node %s: the server's history does not end", h.session.nodes[t.point])
	}
	code := ua.StatusCode(uint32(res.StatusCode) & subCodeMask)
	if uint32(code)>>severityShift > 1 {
		if retriable(code) {
			return fmt.Errorf("node %s: %w", h.session.nodes[t.point], code)
		}
		t.done, t.next = true, nil
		if code != ua.StatusBadNoData {
			h.session.history.refuse(t.point)
		}
		return nil
	}
	t.next = res.ContinuationPoint
	t.done = len(t.next) == 0
	var data *ua.HistoryData
	if res.HistoryData != nil {
		data, _ = res.HistoryData.Value.(*ua.HistoryData)
	}
	if data == nil {
		return nil
	}
	got := receipt{at: time.Now().UTC()}
	for _, dv := range data.DataValues {
		if dv == nil {
			continue
		}
		at := dv.SourceTimestamp
		if at.IsZero() {
			at = dv.ServerTimestamp
		}
		// A value without a time has no place in the past, and bounds that
		// nobody asked for do not belong to the gap.
		if at.IsZero() || at.Before(h.from) || at.After(h.to) {
			continue
		}
		r := h.session.reading(t.point, dv, got)
		r.EventTime = at.UTC()
		t.held = append(t.held, r)
	}
	slices.SortStableFunc(t.held, func(a, b meter.Reading) int { return a.EventTime.Compare(b.EventTime) })
	return nil
}

// retriable tells codes that another attempt may cure.
func retriable(code ua.StatusCode) bool {
	switch code {
	case ua.StatusBadNoCommunication, ua.StatusBadTimeout, ua.StatusBadNoContinuationPoints, ua.StatusBadContinuationPointInvalid,
		ua.StatusBadTooManyOperations, ua.StatusBadOutOfMemory, ua.StatusBadResourceUnavailable, ua.StatusBadServerHalted, ua.StatusBadShutdown:
		return true
	}
	return false
}

func (h *history) refuse(point int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refused == nil {
		h.refused = make(map[int]bool)
	}
	h.refused[point] = true
}

// release gives continuation points back that will not be used.
func (h *reader) release(tracks []*track) {
	var ask []*ua.HistoryReadValueID
	for _, t := range tracks {
		if len(t.next) > 0 {
			ask = append(ask, &ua.HistoryReadValueID{NodeID: t.node, DataEncoding: &ua.QualifiedName{}, ContinuationPoint: t.next})
		}
	}
	if len(ask) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = client.Call[ua.HistoryReadResponse](ctx, h.client, h.request(ask, true))
}

// borrow returns the connection that is read through, made first where there
// is none, and how many nodes a history read may name. The client bears
// several users.
func (e *endpoint) borrow(ctx context.Context, timeout time.Duration) (*client.Client, int, error) {
	for {
		e.mu.Lock()
		c, limit := e.conn, e.history
		e.mu.Unlock()
		if c != nil && c.Err() == nil {
			return c, limit, nil
		}
		// Reading nothing connects.
		if _, _, err := e.read(ctx, nil, max(timeout, e.opts.Connect)); err != nil {
			return nil, 0, err
		}
	}
}

// learnHistory keeps a lower limit for the next one.
func (e *endpoint) learnHistory(limit int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.history = min(e.history, limit)
}
