package sim

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/server"
	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers/profile"
)

// uaServer is the substation's OPC UA server. Values change each second.
type uaServer struct {
	srv    *server.Server
	space  *uaSpace
	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
	err    error
}

// startUA serves the substation and the monitors of the transformers.
func (s *Server) startUA(ctx context.Context, areas []int, port int, profiles map[string]*profile.Profile) error {
	space := &uaSpace{server: s, nodes: make(map[string]*uaNode)}
	var devices []Device
	add := func(node, meterID, name, mode string, at func(time.Time) values) {
		dev := Device{
			ID: meterID, MeterID: meterID, Profile: name, Driver: "opcua", Mode: mode,
			Options: map[string]string{"node": node, "security": "none"},
		}
		space.add(dev, profiles[name].OPCUA, at)
		devices = append(devices, dev)
	}
	add(substationID, "MON-"+substationID, profileSubstation, "poll", s.live.atSubstation)
	for _, i := range areas {
		id := s.live.d.areas[i].id
		add(id, "MON-"+id, profileMonitor, "subscribe", func(t time.Time) values { return s.live.atTransformer(i, t) })
	}

	// The library's server must be told its port: it advertises what it was
	// told. A free one is looked for; somebody may take it in between.
	tries := 1
	if port == 0 {
		tries = 5
	}
	// The server outlives ctx until close has ended its channels in order:
	// its goroutines wait for each other.
	uaCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	for {
		tries--
		at, err := freePort(ctx, s.opt.Host, port)
		if err != nil {
			cancel()
			return fmt.Errorf("sim: OPC UA server: %w; choose another base port or 0", err)
		}
		srv := server.New(
			server.EndPoint(s.opt.Host, at),
			server.EnableSecurity("None", ua.MessageSecurityModeNone),
			server.EnableAuthMode(ua.UserTokenTypeAnonymous),
			server.ServerName("Gridwarden simulated substation"),
			server.ManufacturerName("Gridwarden"), server.ProductName("gridsim"),
		)
		srv.AddNamespace(space)
		if ns0, err := srv.Namespace(0); err == nil {
			ns0.Objects().AddRef(space.Objects(), id.HasComponent, true)
		}
		if err := srv.Start(uaCtx); err != nil {
			if tries > 0 {
				continue
			}
			cancel()
			return fmt.Errorf("sim: OPC UA server: %w; choose another base port or 0", err)
		}
		for i := range devices {
			devices[i].URL = fmt.Sprintf("opc.tcp://%s:%d", s.opt.Host, at)
		}
		s.devices = append(s.devices, devices...)
		s.ua = &uaServer{srv: srv, space: space, cancel: cancel}
		s.ua.wg.Add(1)
		go s.ua.tick(uaCtx)
		return nil
	}
}

func freePort(ctx context.Context, host string, port int) (int, error) {
	if port != 0 {
		return port, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, fmt.Errorf("no free port: %w", err)
	}
	at := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return 0, fmt.Errorf("free port: %w", err)
	}
	return at, nil
}

// tick tells subscribers of each second's values.
func (u *uaServer) tick(ctx context.Context) {
	defer u.wg.Done()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			u.notify(ctx)
		}
	}
}

// notify sends the present values to all monitored items. The library's own
// ChangeNotification holds a lock while it waits for a subscriber, and a dead
// one then stops everybody; here nobody waits under a lock, nor for long.
func (u *uaServer) notify(ctx context.Context) {
	type item struct {
		node   *ua.NodeID
		attr   ua.AttributeID
		handle uint32
		sub    *server.Subscription
	}
	var items []item
	m := u.srv.MonitoredItemService
	m.Mu.Lock()
	for _, it := range m.Items {
		if it == nil || it.Sub == nil || it.Req.ItemToMonitor.NodeID.Namespace() != u.space.ID() {
			continue
		}
		items = append(items, item{
			it.Req.ItemToMonitor.NodeID, it.Req.ItemToMonitor.AttributeID, it.Req.RequestedParameters.ClientHandle, it.Sub,
		})
	}
	m.Mu.Unlock()
	late := time.NewTimer(500 * time.Millisecond)
	defer late.Stop()
	for _, it := range items {
		n := &ua.MonitoredItemNotification{ClientHandle: it.handle, Value: u.space.Attribute(it.node, it.attr)}
		select {
		case it.sub.NotifyChannel <- n:
		case <-late.C:
			return // the next second brings newer values
		case <-ctx.Done():
			return
		}
	}
}

// close stops the server: first subscriptions and channels, then what served them.
func (u *uaServer) close() error {
	u.once.Do(func() {
		subs := u.srv.SubscriptionService
		if subs != nil {
			subs.Mu.Lock()
			ids := make([]uint32, 0, len(subs.Subs))
			for id := range subs.Subs {
				ids = append(ids, id)
			}
			subs.Mu.Unlock()
			for _, id := range ids {
				subs.DeleteSubscription(id)
			}
		}
		u.err = u.srv.Close()
		u.cancel()
		u.wg.Wait()
	})
	return u.err
}
