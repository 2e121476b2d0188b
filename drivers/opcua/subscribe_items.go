package opcua

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers/opcua/client"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// heartbeat is the client handle of the server's clock. It is monitored beside
// the points: what publishes changes of it publishes changes of others too.
const heartbeat = 0

// point is the place of a monitored item.
type point struct {
	subscriber *subscriber
	index      int // into the profile's points
}

// items are the monitored items of a subscription, by the handles that we
// gave them. No handle is used twice.
type items struct {
	asked  time.Duration // publishing interval that the subscribers want
	next   uint32
	beats  bool // the heartbeat was tried
	points map[uint32]point
	server map[uint32]uint32 // the server's ids
	of     map[*subscriber][]uint32
	fresh  []uint32 // not yet created
}

// add gives the points of a subscriber their handles.
func (it *items) add(s *subscriber) {
	if it.points == nil {
		it.points, it.server, it.of = make(map[uint32]point), make(map[uint32]uint32), make(map[*subscriber][]uint32)
	}
	it.of[s] = nil
	for i := range s.session.nodes {
		it.next++
		it.points[it.next] = point{s, i}
		it.of[s] = append(it.of[s], it.next)
		it.fresh = append(it.fresh, it.next)
	}
}

// drop forgets a subscriber and returns the server's ids of its items.
func (it *items) drop(s *subscriber) []uint32 {
	var ids []uint32
	for _, handle := range it.of[s] {
		if id, known := it.server[handle]; known {
			ids = append(ids, id)
		}
		delete(it.points, handle)
		delete(it.server, handle)
	}
	delete(it.of, s)
	it.fresh = slices.DeleteFunc(it.fresh, func(h uint32) bool { _, known := it.points[h]; return !known })
	return ids
}

// monitorBeat monitors the server's clock, once. A server that refuses is
// watched by its keep-alives alone.
func (s *subscription) monitorBeat() error {
	if s.items.beats {
		return nil
	}
	s.items.beats = true
	it := request(ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime), heartbeat, time.Second, &dataOptions{queue: 1})
	results, err := s.create1([]*ua.MonitoredItemCreateRequest{it})
	if err != nil {
		return err
	}
	if uint32(results[0].StatusCode)>>severityShift == 0 {
		s.beatDog = max(s.endpoint.opts.Watchdog, 4*max(s.publishing, milliseconds(results[0].RevisedSamplingInterval)))
	}
	return nil
}

func (s *subscription) create1(ask []*ua.MonitoredItemCreateRequest) ([]*ua.MonitoredItemCreateResult, error) {
	ctx, cancel := context.WithTimeout(s.endpoint.ctx, s.endpoint.opts.Connect)
	defer cancel()
	res, err := client.Call[ua.CreateMonitoredItemsResponse](ctx, s.conn.client, &ua.CreateMonitoredItemsRequest{
		SubscriptionID: s.id, TimestampsToReturn: ua.TimestampsToReturnBoth, ItemsToCreate: ask,
	})
	if err != nil {
		return nil, fmt.Errorf("monitor %d nodes: %w", len(ask), err)
	}
	if len(res.Results) != len(ask) {
		return nil, fmt.Errorf("monitor %d nodes: %d answers came; the server breaks the protocol", len(ask), len(res.Results))
	}
	return res.Results, nil
}

// request asks for one monitored item.
func request(node *ua.NodeID, handle uint32, sampling time.Duration, o *dataOptions) *ua.MonitoredItemCreateRequest {
	return &ua.MonitoredItemCreateRequest{
		ItemToMonitor: client.Value(node), MonitoringMode: ua.MonitoringModeReporting,
		RequestedParameters: &ua.MonitoringParameters{
			ClientHandle: handle, SamplingInterval: float64(sampling.Milliseconds()), Filter: o.filter(), QueueSize: o.queue, DiscardOldest: !o.discardNewest,
		},
	}
}

// revision counts what the server revised of a session's items.
type revision struct {
	slower, shorter, unfiltered int
	sampling                    time.Duration // the slowest granted
	queue                       uint32        // the shortest granted
}

// monitor creates the items that are not yet there. Points that the server
// refuses are delivered as bad at once. What is published meanwhile is
// delivered meanwhile.
func (s *subscription) monitor() error {
	fresh := s.items.fresh
	s.items.fresh = nil
	revised := make(map[*session]*revision)
	refused := make(map[*subscriber][]meter.Reading)
	refuse := func(p point, why string) {
		refused[p.subscriber] = append(refused[p.subscriber], p.subscriber.session.failedPoint(p.index, why))
	}
	var ask []*ua.MonitoredItemCreateRequest
	for _, handle := range fresh {
		p := s.items.points[handle]
		sess := p.subscriber.session
		if revised[sess] == nil {
			revised[sess] = new(revision)
		}
		node, err := s.conn.node(sess.nodes[p.index])
		if err != nil {
			refuse(p, err.Error())
			continue
		}
		sampling := sess.sampling(sess.inGroup[p.index])
		if sess.opts.everyChange {
			sampling = 0
		}
		ask = append(ask, request(node, handle, sampling, &sess.opts))
	}
	if err := s.createAll(ask, revised, refuse); err != nil {
		return err
	}
	for sub, list := range refused {
		sub.deliver(list)
	}
	for sess, r := range revised {
		sess.noteRevision(r)
	}
	return nil
}

// createAll creates items in as many requests as the server wants. Those that
// it refuses for their deadband are asked for once more without it.
func (s *subscription) createAll(ask []*ua.MonitoredItemCreateRequest, revised map[*session]*revision, refuse func(point, string)) error {
	var again []*ua.MonitoredItemCreateRequest
	err := batches(len(ask), &s.conn.limits.monitor, func(from, to int) error {
		results, err := s.create1(ask[from:to])
		if err != nil {
			return err
		}
		for i, r := range results {
			it := ask[from+i].RequestedParameters
			p := s.items.points[it.ClientHandle]
			switch code := ua.StatusCode(uint32(r.StatusCode) & subCodeMask); {
			case uint32(code)>>severityShift == 0:
				s.items.server[it.ClientHandle] = r.MonitoredItemID
				revised[p.subscriber.session].take(it, r)
			case it.Filter != nil && filterRefused(code):
				it.Filter = nil
				again = append(again, ask[from+i])
				revised[p.subscriber.session].unfiltered++
			default:
				refuse(p, plain(r.StatusCode))
			}
		}
		return s.drain()
	})
	if err != nil {
		return err
	}
	if len(again) > 0 {
		return s.createAll(again, revised, refuse)
	}
	return nil
}

// filterRefused tells the codes of a deadband that a node does not bear, for
// one because it has no EURange.
func filterRefused(code ua.StatusCode) bool {
	return errors.Is(code, ua.StatusBadDeadbandFilterInvalid) || errors.Is(code, ua.StatusBadMonitoredItemFilterUnsupported) ||
		errors.Is(code, ua.StatusBadFilterNotAllowed) || errors.Is(code, ua.StatusBadMonitoredItemFilterInvalid)
}

// take compares what was granted with what was asked.
func (r *revision) take(asked *ua.MonitoringParameters, got *ua.MonitoredItemCreateResult) {
	if sampling := milliseconds(got.RevisedSamplingInterval); asked.SamplingInterval > 0 && sampling > milliseconds(asked.SamplingInterval*1.5) {
		r.slower++
		r.sampling = max(r.sampling, sampling)
	}
	if got.RevisedQueueSize < asked.QueueSize {
		if r.shorter == 0 || got.RevisedQueueSize < r.queue {
			r.queue = got.RevisedQueueSize
		}
		r.shorter++
	}
}

// noteRevision says what the server revised.
func (s *session) noteRevision(r *revision) {
	text := func(n int, format string, args ...any) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprintf(format, args...) + fmt.Sprintf(" (%d of %d nodes)", n, len(s.nodes))
	}
	s.notes.set("sampling", text(r.slower, "the server looks only every %v", r.sampling))
	s.notes.set("queue", text(r.shorter, "the server keeps only %d values between two publishings", r.queue))
	s.notes.set("deadband", text(r.unfiltered, "the server does not take the deadband; every change is sent"))
}

// unmonitor deletes items of sessions that have left.
func (s *subscription) unmonitor(ids []uint32) error {
	return batches(len(ids), &s.conn.limits.monitor, func(from, to int) error {
		ctx, cancel := context.WithTimeout(s.endpoint.ctx, s.endpoint.opts.Connect)
		defer cancel()
		_, err := client.Call[ua.DeleteMonitoredItemsResponse](ctx, s.conn.client, &ua.DeleteMonitoredItemsRequest{SubscriptionID: s.id, MonitoredItemIDs: ids[from:to]})
		if err != nil {
			return fmt.Errorf("give up %d nodes: %w", to-from, err)
		}
		return s.drain()
	})
}
