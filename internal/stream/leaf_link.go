package stream

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	linkInterval = 5 * time.Second
	// quietLink is how long a leaf may be silent before its hub, which hears
	// from it every second, counts it as gone.
	quietLink = 15 * time.Second
	hubName   = "hub"
	// takeover is what the names of consumers begin with through which a hub
	// takes a stream over.
	takeover = "JS_SRC_"
)

// Link is the state of the connection between a leaf and its hub, as seen
// from this end.
type Link struct {
	Name      string // the leaf's source; at the leaf itself "hub"
	Connected bool
	// Waiting are messages that the hub has not taken over. It is Exact while
	// the link is up. Without it a hub knows the number of the last time that
	// it heard from the leaf; a leaf counts those as taken over that were on
	// their way when the link broke, and one that was started without a link
	// all that it holds.
	Waiting uint64
	Exact   bool
	Problem string // what is wrong, with the mend; "" where nothing is
}

// Links returns the states of all links: at a leaf the one to its hub, at a
// hub one for each of Config.Leaves.
func (s *Stream) Links(ctx context.Context) ([]Link, error) {
	var out []Link
	if s.cfg.Leaf != nil {
		link, err := s.linkToHub(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, link)
	}
	if len(s.cfg.Leaves) == 0 {
		return out, nil
	}
	info, err := s.info(ctx, Readings)
	if err != nil {
		return nil, err
	}
	for _, leaf := range s.cfg.Leaves {
		link := Link{Name: leaf, Problem: "not heard of since the start; look whether the leaf runs, names this hub in stream.leaf.hub and has " + leaf + " as its stream.source"}
		for _, from := range info.Sources {
			if from.External == nil || from.External.APIPrefix != domainAPI(leaf) || from.Active < 0 {
				continue
			}
			link.Waiting, link.Connected, link.Exact, link.Problem = from.Lag, from.Active < quietLink, from.Active < quietLink, ""
			if from.Error != nil {
				link.Problem = from.Error.Description
			} else if !link.Connected {
				link.Problem = fmt.Sprintf("silent for %s; it keeps its readings for as long as its retention allows, look at the link", from.Active.Round(time.Second))
			}
		}
		out = append(out, link)
	}
	return out, nil
}

// answerForAbsent answers the server's own requests to leaves that are not
// connected. Unanswered it would wait for half a minute and more, also after
// the leaf has come; with an answer it asks again once the leaf is there. A
// request that comes between a leaf's connection and its readiness is sent
// again.
func (s *Stream) answerForAbsent(ctx context.Context) error {
	for _, leaf := range s.cfg.Leaves {
		answer := []byte(fmt.Sprintf(`{"type":"io.nats.jetstream.api.v1.consumer_create_response","error":{"code":503,"err_code":%d,"description":%q}}`, errNotAvailable, leaf+" is not connected"))
		_, err := s.conn.Subscribe(domainAPI(leaf)+".CONSUMER.CREATE.>", func(m *nats.Msg) {
			connected, ready := s.connected(leaf)
			if ready {
				return // it answers itself
			}
			var err error
			if !connected {
				err = m.Respond(answer)
			} else if err = sleep(ctx, linkSettles); err == nil {
				err = s.conn.PublishMsg(m)
			}
			if err != nil {
				s.log.Debug("not answered for an absent leaf", "leaf", leaf, "error", err)
			}
		})
		if err != nil {
			return fmt.Errorf("stream: answer for absent leaves: %w", err)
		}
	}
	return nil
}

// linkSettles is how long a leaf's subscriptions may take after it connected.
const linkSettles = 200 * time.Millisecond

// connected tells whether a leaf is connected to this hub, and whether the
// hub can ask it.
func (s *Stream) connected(leaf string) (connected, ready bool) {
	if s.server == nil {
		return false, false
	}
	all, err := s.server.Leafz(&server.LeafzOptions{Subscriptions: true})
	if err != nil {
		return false, false
	}
	for _, l := range all.Leafs {
		if !l.IsSpoke && l.Name == serverName(leaf) {
			connected = true
			ready = ready || slices.Contains(l.Subs, domainAPI(leaf)+".CONSUMER.>")
		}
	}
	return connected, ready
}

func (s *Stream) linkToHub(ctx context.Context) (Link, error) {
	link := Link{Name: hubName}
	all, err := s.server.Leafz(nil)
	if err != nil {
		return Link{}, fmt.Errorf("stream: link to the hub: %w", err)
	}
	for _, l := range all.Leafs {
		link.Connected = link.Connected || l.IsSpoke
	}
	info, err := s.info(ctx, Readings)
	if err != nil {
		return Link{}, err
	}
	taken, asking := s.link.takenBy(s.server)
	first, last := info.State.FirstSeq, info.State.LastSeq
	link.Waiting, link.Exact = last-min(last, max(taken, first-min(first, 1))), taken > 0 && link.Connected
	if info.State.Msgs == 0 {
		link.Waiting = 0
	}
	switch why := s.server.log.lastLeafError(); {
	case strings.Contains(why, server.DuplicateRemoteLeafnodeConnection.String()):
		// The two take turns: stay with it, whoever is connected just now.
		link.Problem = "another program calls itself " + s.cfg.Source + " at the hub, and both lose the link to each other again and again; give each a stream.source of its own, and start this one again"
	case !link.Connected:
		link.Problem = "no connection; readings wait here"
		if why != "" {
			link.Problem += ": " + why
		}
		link.Problem += "; check stream.leaf, this leaf's name and password at the hub, and the network"
	case !asking:
		link.Problem = "connected, and the hub has not asked for readings yet: it does within three minutes; if it does not, name " + s.cfg.Source + " in the hub's stream.leaves"
	}
	return link, nil
}

// leafLink remembers how far the hub has taken readings over.
type leafLink struct {
	mu    sync.Mutex
	taken uint64 // position of the last message that was sent to it; 0 is unknown
}

// takenBy looks how far the hub is and whether it is asking just now.
func (l *leafLink) takenBy(e *embedded) (taken uint64, asking bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all, err := e.Jsz(&server.JSzOptions{Accounts: true, Streams: true, Consumer: true, DirectConsumer: true})
	if err != nil {
		return l.taken, false
	}
	for _, account := range all.AccountDetails {
		for _, stream := range account.Streams {
			if stream.Name != string(Readings) {
				continue
			}
			for _, c := range append(stream.Consumer, stream.DirectConsumer...) {
				if strings.HasPrefix(c.Name, takeover) {
					l.taken, asking = max(l.taken, c.Delivered.Stream), true
				}
			}
		}
	}
	return l.taken, asking
}

// watchLink logs when the link to the hub comes and goes, and warns of
// readings that will be dropped before the hub has them, until ctx is done.
func (s *Stream) watchLink(ctx context.Context, interval time.Duration) {
	t := time.NewTicker(interval)
	defer t.Stop()
	var was Link
	told, warned := false, time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			link, err := s.linkToHub(ctx)
			if err != nil {
				if ctx.Err() == nil {
					s.log.Warn("link to the hub not looked at", "error", err)
				}
				continue
			}
			switch {
			case link.Connected && (!was.Connected || !told):
				s.log.Info("connected to the hub", "waiting", link.Waiting)
			case !link.Connected && (was.Connected || !told):
				s.log.Warn("the hub is out of reach: "+link.Problem, "waiting", link.Waiting)
			}
			was, told = link, true
			info, err := s.info(ctx, Readings)
			if err != nil || link.Waiting == 0 || now.Sub(warned) < retentionInterval {
				continue
			}
			unread := info.State.LastSeq - link.Waiting + 1
			if danger := dangerIn(info, progress{int64(link.Waiting), unread}, now); danger != "" {
				warned = now
				s.log.Warn("readings will be dropped before the hub has them: "+danger+"; mend the link, or raise stream.retention", "waiting", link.Waiting)
			}
		}
	}
}
