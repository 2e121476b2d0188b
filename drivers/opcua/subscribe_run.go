package opcua

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers/opcua/client"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Intervals of publishing. Publishing often costs nothing where nothing has
// changed, and finds a dead subscription soon.
const (
	fastestPublishing = 50 * time.Millisecond
	slowestPublishing = time.Second
	keepAlive         = time.Second // between two messages of a subscription without news
	window            = 3           // publish requests that wait at the server
	lifetime          = time.Minute // after which the server gives a subscription up
)

// subscription is one that runs. It belongs to one goroutine.
type subscription struct {
	endpoint   *endpoint
	conn       *connection
	id         uint32
	publishing time.Duration // as revised by the server
	watchdog   time.Duration // of messages
	items      items
	expected   uint32    // next sequence number
	heard      time.Time // the last message
	data       time.Time // the last message with news
	beats      int       // changes of the server's clock
	beatDog    time.Duration
	answers    chan published
}

// published is one answer to a publish request, or why there are no more.
type published struct {
	res *ua.PublishResponse
	at  time.Time
	err error
}

// runSubscription connects, monitors every point of every subscriber and
// delivers until something fails or falls silent.
func (e *endpoint) runSubscription(list []*subscriber, working func()) error {
	conn, err := e.dialer.dial(e.ctx, e.settings)
	if err != nil {
		return err
	}
	defer conn.close()
	e.hubCondition(condition{open: true})
	s := &subscription{endpoint: e, conn: conn, expected: 1, answers: make(chan published, 16)}
	if err := s.create(list); err != nil {
		return fmt.Errorf("subscribe at %s: %w", e.settings.url, err)
	}
	ctx, cancel := context.WithCancel(e.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.publish(ctx)
	}()
	defer func() {
		cancel()
		<-done
	}()
	if err := s.follow(list); err != nil {
		return err
	}
	working()
	return s.pump()
}

// wanted returns how often the fastest of the subscribers wants to hear.
func wanted(list []*subscriber) time.Duration {
	fastest := slowestPublishing
	for _, s := range list {
		for group := range s.session.groups {
			fastest = min(fastest, s.session.sampling(group))
		}
	}
	return max(fastest, fastestPublishing)
}

// sampling returns how often the server is to look at the nodes of a group.
func (s *session) sampling(group int) time.Duration {
	if s.opts.sampling > 0 {
		return s.opts.sampling
	}
	return s.dev.GroupInterval(group)
}

// create makes the subscription at the server.
func (s *subscription) create(list []*subscriber) error {
	interval := wanted(list)
	ctx, cancel := context.WithTimeout(s.endpoint.ctx, s.endpoint.opts.Connect)
	defer cancel()
	res, err := client.Call[ua.CreateSubscriptionResponse](ctx, s.conn.client, &ua.CreateSubscriptionRequest{
		RequestedPublishingInterval: float64(interval.Milliseconds()), RequestedMaxKeepAliveCount: uint32(max(1, keepAlive/interval)),
		RequestedLifetimeCount: uint32(max(30, lifetime/interval)), PublishingEnabled: true,
	})
	if err != nil {
		return err
	}
	s.id, s.heard = res.SubscriptionID, time.Now()
	return s.revised(list, res.RevisedPublishingInterval, res.RevisedMaxKeepAliveCount)
}

// hurry makes the subscription publish more often, where somebody came who
// wants that.
func (s *subscription) hurry(list []*subscriber) error {
	interval := wanted(list)
	if interval >= s.publishing || interval >= s.items.asked {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.endpoint.ctx, s.endpoint.opts.Connect)
	defer cancel()
	res, err := client.Call[ua.ModifySubscriptionResponse](ctx, s.conn.client, &ua.ModifySubscriptionRequest{
		SubscriptionID: s.id, RequestedPublishingInterval: float64(interval.Milliseconds()), RequestedMaxKeepAliveCount: uint32(max(1, keepAlive/interval)),
		RequestedLifetimeCount: uint32(max(30, lifetime/interval)),
	})
	if err != nil {
		return fmt.Errorf("publish more often: %w", err)
	}
	return s.revised(list, res.RevisedPublishingInterval, res.RevisedMaxKeepAliveCount)
}

// revised takes what the server makes of our wishes, and says it.
func (s *subscription) revised(list []*subscriber, publishing float64, keepAlives uint32) error {
	s.publishing = milliseconds(publishing)
	if s.publishing <= 0 || s.publishing > time.Hour {
		return fmt.Errorf("the server would publish every %v ms", publishing)
	}
	interval := wanted(list)
	silence := s.publishing * time.Duration(min(max(1, keepAlives), 1000))
	s.watchdog = max(s.endpoint.opts.Watchdog, 2*silence)
	note := ""
	if s.publishing > 2*interval {
		note = fmt.Sprintf("the server publishes every %v instead of every %v", s.publishing, interval)
	}
	if s.watchdog > s.endpoint.opts.Watchdog {
		note = join(note, fmt.Sprintf("with the keep-alives that the server grants, a silent subscription is found after %v", s.watchdog))
	}
	for _, sub := range list {
		sub.session.notes.set("publishing", note)
	}
	return nil
}

// milliseconds turns the protocol's durations into ours; nonsense becomes 0.
func milliseconds(ms float64) time.Duration {
	if !(ms > 0) || ms > 1e12 {
		return 0
	}
	return time.Duration(ms * float64(time.Millisecond))
}

// publish keeps publish requests waiting at the server and hands its answers
// on in the order of the requests, until the first failure.
func (s *subscription) publish(ctx context.Context) {
	var waiting []*client.Pending
	var acks []*ua.SubscriptionAcknowledgement
	most := window
	for {
		for len(waiting) < most {
			if acks == nil {
				acks = []*ua.SubscriptionAcknowledgement{}
			}
			p, err := s.conn.client.Send(&ua.PublishRequest{SubscriptionAcknowledgements: acks}, 0)
			if err != nil {
				s.hand(ctx, published{err: err})
				return
			}
			waiting, acks = append(waiting, p), nil
		}
		res, err := client.Wait[ua.PublishResponse](ctx, waiting[0])
		waiting = waiting[1:]
		switch {
		case errors.Is(err, ua.StatusBadTooManyPublishRequests) && most > 1:
			most--
			continue
		case errors.Is(err, ua.StatusBadTimeout) && s.conn.client.Err() == nil:
			continue // the server gave the request back; the watchdog has an eye on it
		case err != nil:
			s.hand(ctx, published{err: err})
			return
		}
		if len(res.NotificationMessage.NotificationData) > 0 {
			acks = append(acks, &ua.SubscriptionAcknowledgement{SubscriptionID: res.SubscriptionID, SequenceNumber: res.NotificationMessage.SequenceNumber})
		}
		if !s.hand(ctx, published{res: res, at: time.Now()}) {
			return
		}
	}
}

func (s *subscription) hand(ctx context.Context, p published) bool {
	select {
	case s.answers <- p:
		return true
	case <-ctx.Done():
		return false
	}
}

// leastBeats is how often the server's clock must have been heard before its
// silence means anything: not every server publishes its changes.
const leastBeats = 3

// errSilentSubscription is what a subscription is that sends nothing.
var errSilentSubscription = errors.New("the subscription has been silent")

// pump delivers notifications until the connection is lost or the
// subscription fails or is silent.
func (s *subscription) pump() error {
	e := s.endpoint
	tick := time.NewTicker(min(s.watchdog/4, time.Second))
	defer tick.Stop()
	var settled <-chan time.Time
	for {
		select {
		case <-e.ctx.Done():
			return e.ctx.Err()
		case <-e.hub.changed:
			if settled == nil { // who comes or goes together is served together
				settled = time.After(settle)
			}
		case <-settled:
			settled = nil
			list := e.subscribers()
			if len(list) == 0 {
				return errNobody
			}
			if err := s.hurry(list); err != nil {
				return fmt.Errorf("subscription at %s: %w", e.settings.url, err)
			}
			if err := s.follow(list); err != nil {
				return fmt.Errorf("subscription at %s: %w", e.settings.url, err)
			}
		case <-s.conn.client.Done():
			return fmt.Errorf("the connection to %s was lost: %w", e.settings.url, s.conn.client.Err())
		case p := <-s.answers:
			if err := s.handle(p); err != nil {
				return fmt.Errorf("subscription at %s: %w", e.settings.url, err)
			}
		case <-tick.C:
			// What came while somebody was slow to take it is no silence.
			if err := s.drain(); err != nil {
				return fmt.Errorf("subscription at %s: %w", e.settings.url, err)
			}
			now := time.Now()
			if silence := now.Sub(s.heard); silence > s.watchdog {
				return fmt.Errorf("%w at %s for %v; connecting anew", errSilentSubscription, e.settings.url, silence.Round(100*time.Millisecond))
			}
			if silence := now.Sub(s.data); s.beats >= leastBeats && silence > s.beatDog {
				return fmt.Errorf("%w at %s but for keep-alives for %v; connecting anew", errSilentSubscription, e.settings.url, silence.Round(100*time.Millisecond))
			}
			ctx, cancel := context.WithTimeout(e.ctx, e.opts.Timeout)
			e.checkClock(ctx, s.conn.client)
			cancel()
		}
	}
}

// errNobody ends a subscription that nobody listens to.
var errNobody = errors.New("nobody is subscribed")

// handle takes one answer of the server.
func (s *subscription) handle(p published) error {
	if p.err != nil {
		return p.err
	}
	if p.res.SubscriptionID != s.id {
		return fmt.Errorf("the server published for subscription %d, which is not ours", p.res.SubscriptionID)
	}
	s.heard = p.at
	m := p.res.NotificationMessage
	if len(m.NotificationData) == 0 { // a keep-alive names the next number
		if m.SequenceNumber != s.expected {
			return s.missed(m.SequenceNumber)
		}
		return nil
	}
	if m.SequenceNumber != s.expected {
		if err := s.republish(m.SequenceNumber); err != nil {
			return err
		}
	}
	s.expected, s.data = following(m.SequenceNumber), p.at
	return s.notify(m, p.at)
}

// following returns the number after n; 0 is left out (OPC 10000-4, 7.26).
func following(n uint32) uint32 {
	if n++; n == 0 {
		n = 1
	}
	return n
}

// mostRepublished is how many lost messages are asked for again.
const mostRepublished = 100

func (s *subscription) missed(next uint32) error {
	return fmt.Errorf("messages from %d to before %d were lost", s.expected, next)
}

// republish asks again for the messages before next. What the server no
// longer has is a gap: the subscription is set up anew, which says so.
func (s *subscription) republish(next uint32) error {
	if next-s.expected > mostRepublished {
		return s.missed(next)
	}
	for s.expected != next {
		ctx, cancel := context.WithTimeout(s.endpoint.ctx, s.endpoint.opts.Timeout)
		res, err := client.Call[ua.RepublishResponse](ctx, s.conn.client, &ua.RepublishRequest{SubscriptionID: s.id, RetransmitSequenceNumber: s.expected})
		cancel()
		if err != nil {
			return fmt.Errorf("%w: %w", s.missed(next), err)
		}
		if res.NotificationMessage.SequenceNumber != s.expected {
			return s.missed(next)
		}
		if err := s.notify(res.NotificationMessage, time.Now()); err != nil {
			return err
		}
		s.expected = following(s.expected)
	}
	return nil
}

// notify delivers what one message tells.
func (s *subscription) notify(m *ua.NotificationMessage, at time.Time) error {
	for _, data := range m.NotificationData {
		if data == nil {
			continue
		}
		switch n := data.Value.(type) {
		case *ua.DataChangeNotification:
			s.dispatch(n.MonitoredItems, at)
		case *ua.StatusChangeNotification:
			return fmt.Errorf("the server ended the subscription: %w", n.Status)
		}
	}
	return nil
}

// dispatch hands the changed values to their subscribers, one call for each.
func (s *subscription) dispatch(list []*ua.MonitoredItemNotification, at time.Time) {
	got := receipt{at: at.UTC()}
	byDevice := make(map[*subscriber][]meter.Reading)
	var order []*subscriber
	for _, it := range list {
		if it == nil {
			continue
		}
		if it.ClientHandle == heartbeat {
			s.beats++
			continue
		}
		p, known := s.items.points[it.ClientHandle]
		if !known {
			continue // of a session that has left
		}
		if byDevice[p.subscriber] == nil {
			order = append(order, p.subscriber)
		}
		byDevice[p.subscriber] = append(byDevice[p.subscriber], p.subscriber.session.reading(p.index, it.Value, got))
	}
	for _, sub := range order {
		sub.deliver(byDevice[sub])
	}
}

// drain handles what has come, without waiting.
func (s *subscription) drain() error {
	for {
		select {
		case p := <-s.answers:
			if err := s.handle(p); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// follow brings the monitored items in line with the subscribers.
func (s *subscription) follow(list []*subscriber) error {
	if err := s.monitorBeat(); err != nil {
		return err
	}
	s.items.asked = wanted(list)
	var gone []uint32
	for sub := range s.items.of {
		if !slices.Contains(list, sub) {
			gone = append(gone, s.items.drop(sub)...)
		}
	}
	if err := s.unmonitor(gone); err != nil {
		return err
	}
	for _, sub := range list {
		if _, known := s.items.of[sub]; !known {
			s.items.add(sub)
		}
	}
	return s.monitor()
}
