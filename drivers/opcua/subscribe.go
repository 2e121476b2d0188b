package opcua

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// hub is the one subscription of an endpoint, for all its subscribed
// sessions. Guarded by endpoint.mu but for the channel.
type hub struct {
	subscribers []*subscriber
	running     bool
	changed     chan struct{}
}

// settle is how long the hub waits for further sessions to subscribe before
// it sets the subscription up (anew).
const settle = 50 * time.Millisecond

// subscriber is one session that is subscribed.
type subscriber struct {
	session *session
	ctx     context.Context
	fn      func([]meter.Reading)
}

// deliver hands readings on unless the session has left.
func (s *subscriber) deliver(list []meter.Reading) {
	if s.ctx.Err() == nil && len(list) > 0 {
		s.fn(list)
	}
}

// subscribe adds a subscriber until its context ends. It returns after the
// last delivery.
func (e *endpoint) subscribe(s *subscriber) {
	e.mu.Lock()
	e.hub.subscribers = append(e.hub.subscribers, s)
	if !e.hub.running {
		e.hub.running = true
		e.work.Go(e.runHub)
	}
	e.mu.Unlock()
	e.announce()
	select {
	case <-s.ctx.Done():
	case <-e.ctx.Done():
	}
	e.mu.Lock()
	e.hub.subscribers = slices.DeleteFunc(e.hub.subscribers, func(x *subscriber) bool { return x == s })
	e.mu.Unlock()
	e.announce()
}

func (e *endpoint) announce() {
	select {
	case e.hub.changed <- struct{}{}:
	default:
	}
}

// runHub keeps a subscription going while there are subscribers.
func (e *endpoint) runHub() {
	back := backoff{opts: e.opts}
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-time.After(settle):
		}
		select {
		case <-e.hub.changed: // the list that is taken next has it
		default:
		}
		e.mu.Lock()
		list := slices.Clone(e.hub.subscribers)
		if len(list) == 0 {
			e.hub.running = false
			e.mu.Unlock()
			return
		}
		e.mu.Unlock()
		err := e.runSubscription(list, back.succeeded)
		if e.ctx.Err() != nil {
			return
		}
		if errors.Is(err, errChanged) {
			continue
		}
		back.failed(err)
		now := time.Now().UTC()
		for _, s := range list {
			s.deliver(s.session.dev.AllFailed(now, meter.CommFailure, fmt.Sprintf("device %s: %v", s.session.dev.ID, err)))
		}
		select {
		case <-e.ctx.Done():
			return
		case <-time.After(max(0, back.remaining())):
		}
	}
}

// errChanged says that sessions have come or gone.
var errChanged = errors.New("subscribers changed")

// runSubscription connects, monitors every point of every subscriber and
// delivers until something fails, falls silent or changes.
func (e *endpoint) runSubscription(list []*subscriber, working func()) error {
	conn, err := e.dialer.dial(e.ctx, e.settings)
	if err != nil {
		return err
	}
	defer conn.close()
	interval := list[0].session.dev.Interval
	for _, s := range list {
		interval = min(interval, s.session.dev.Interval)
	}
	watchdog := max(e.opts.Watchdog, 4*interval)
	notes := make(chan *opcua.PublishNotificationData, 64)
	ctx, cancel := context.WithTimeout(e.ctx, e.opts.Connect)
	defer cancel()
	sub, err := conn.client.Subscribe(ctx, &opcua.SubscriptionParameters{
		Interval: interval, MaxKeepAliveCount: 3, LifetimeCount: uint32(max(30, time.Minute/interval)),
	}, notes)
	if err != nil {
		return fmt.Errorf("subscribe at %s: %w", e.settings.url, err)
	}
	m, err := conn.monitor(ctx, sub, list)
	if err != nil {
		return fmt.Errorf("subscribe at %s: %w", e.settings.url, err)
	}
	working()
	return e.pump(conn.lost, notes, m, watchdog)
}

// point is the place of a monitored item: its client handle is an index into
// a list of them. Handle 0 is the heartbeat.
type point struct {
	subscriber *subscriber
	index      int // into the profile's points
}

// monitor creates the monitored items: first the server's clock as a
// heartbeat, since gopcua keeps keep-alive messages to itself, then every
// point. Points that the server refuses are delivered as bad at once.
func (c *connection) monitor(ctx context.Context, sub *opcua.Subscription, list []*subscriber) ([]point, error) {
	points := []point{{}}
	items := []*ua.MonitoredItemCreateRequest{item(ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime), 0, time.Second)}
	for _, s := range list {
		var refused []meter.Reading
		for i, text := range s.session.nodes {
			node, err := c.node(text)
			if err != nil {
				refused = append(refused, s.session.failedPoint(i, err.Error()))
				continue
			}
			items = append(items, item(node, uint32(len(points)), s.session.dev.Interval))
			points = append(points, point{s, i})
		}
		s.deliver(refused)
	}
	for from := 0; from < len(items); from += maxNodes {
		part := items[from:min(from+maxNodes, len(items))]
		res, err := sub.Monitor(ctx, ua.TimestampsToReturnBoth, part...)
		if err != nil {
			return nil, fmt.Errorf("monitor %d nodes: %w", len(part), err)
		}
		for i, r := range res.Results {
			if r.StatusCode == ua.StatusOK || from+i >= len(items) {
				continue
			}
			if from+i == 0 {
				return nil, fmt.Errorf("the server does not let its clock be monitored: %w", r.StatusCode)
			}
			p := points[from+i]
			p.subscriber.deliver([]meter.Reading{p.subscriber.session.failedPoint(p.index, r.StatusCode.Error())})
		}
	}
	return points, nil
}

func item(node *ua.NodeID, handle uint32, sampling time.Duration) *ua.MonitoredItemCreateRequest {
	it := opcua.NewMonitoredItemCreateRequestWithDefaults(node, ua.AttributeIDValue, handle)
	it.RequestedParameters.SamplingInterval = float64(sampling.Milliseconds())
	return it
}

// pump delivers notifications until the connection is lost or the
// subscription fails or is silent.
func (e *endpoint) pump(lost <-chan struct{}, notes <-chan *opcua.PublishNotificationData, points []point, watchdog time.Duration) error {
	timer := time.NewTimer(watchdog)
	defer timer.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return e.ctx.Err()
		case <-e.hub.changed:
			return errChanged
		case <-lost:
			return fmt.Errorf("the connection to %s was lost", e.settings.url)
		case <-timer.C:
			return fmt.Errorf("the subscription at %s has been silent for %v; connecting anew", e.settings.url, watchdog)
		case n := <-notes:
			if n.Error != nil {
				return fmt.Errorf("subscription at %s: %w", e.settings.url, n.Error)
			}
			change, ok := n.Value.(*ua.DataChangeNotification)
			if !ok {
				return fmt.Errorf("subscription at %s: the server sent a %T instead of data", e.settings.url, n.Value)
			}
			dispatch(change.MonitoredItems, points)
			timer.Reset(watchdog)
		}
	}
}

// dispatch hands the changed values to their subscribers, one call for each.
func dispatch(items []*ua.MonitoredItemNotification, points []point) {
	received := time.Now().UTC()
	byDevice := make(map[*subscriber][]meter.Reading)
	var order []*subscriber
	for _, it := range items {
		if it == nil || it.ClientHandle == 0 || int(it.ClientHandle) >= len(points) {
			continue
		}
		p := points[it.ClientHandle]
		if byDevice[p.subscriber] == nil {
			order = append(order, p.subscriber)
		}
		s := p.subscriber.session
		byDevice[p.subscriber] = append(byDevice[p.subscriber], reading(&s.dev, &s.dev.Profile.OPCUA.Points[p.index], it.Value, received))
	}
	for _, s := range order {
		s.deliver(byDevice[s])
	}
}
