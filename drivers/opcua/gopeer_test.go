package opcua

import (
	"context"
	"fmt"
	"math"
	"net"
	"testing"
	"time"

	"github.com/gopcua/opcua/server"
	"github.com/gopcua/opcua/ua"
)

// goServer is a server made with gopcua in the test's own process: quick to
// start, and its traffic can be broken on the way.
type goServer struct {
	addr  string
	space *server.MapNamespace
}

// value is what node "Vn" always has: recognisable, so that a wrong one shows.
func wholeValue(n int) float64 { return math.Round(1000*math.Sqrt(float64(n+2))) + 0.5 }

// goOPCUA serves nodes V0 to Vn-1 until the test ends.
func goOPCUA(t testing.TB, n int) *goServer {
	t.Helper()
	var srv *server.Server
	var g *goServer
	ctx, cancel := context.WithCancel(context.Background())
	for range 5 { // somebody may take the free port in between
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		srv = server.New(server.EndPoint("127.0.0.1", port), server.EnableSecurity("None", ua.MessageSecurityModeNone), server.EnableAuthMode(ua.UserTokenTypeAnonymous))
		g = &goServer{addr: fmt.Sprintf("127.0.0.1:%d", port), space: server.NewMapNamespace(srv, "urn:gridwarden:peer")}
		for i := range n {
			g.space.Data[fmt.Sprint("V", i)] = wholeValue(i)
		}
		srv.AddNamespace(g.space)
		if err = srv.Start(ctx); err == nil {
			break
		}
		srv = nil
	}
	if srv == nil {
		t.Fatal("no port for the gopcua server")
	}
	t.Cleanup(func() {
		if srv.SubscriptionService != nil {
			srv.SubscriptionService.Mu.Lock()
			ids := make([]uint32, 0, len(srv.SubscriptionService.Subs))
			for id := range srv.SubscriptionService.Subs {
				ids = append(ids, id)
			}
			srv.SubscriptionService.Mu.Unlock()
			for _, id := range ids {
				srv.SubscriptionService.DeleteSubscription(id)
			}
		}
		_ = srv.Close()
		cancel()
	})
	return g
}

const goPoints = `
    - {quantity: active_power, node: "nsu=urn:gridwarden:peer;s=V0"}
    - {quantity: voltage_a, node: "nsu=urn:gridwarden:peer;s=V1"}
    - {quantity: voltage_b, node: "nsu=urn:gridwarden:peer;s=V2"}
    - {quantity: active_energy_import, node: "nsu=urn:gridwarden:peer;s=V3"}`

func TestGoPeer(t *testing.T) {
	g := goOPCUA(t, 8)
	s := open(t, driver(t, Options{}), testDevice(t, "g", g.addr, testProfile(t, goPoints), none))
	for range 3 {
		readings, err := s.Read(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range readings {
			if r.Value != wholeValue(i) {
				t.Errorf("%+v", r)
			}
		}
	}
	if c := s.Condition(); c.Connections != 1 || !c.NextProbe.IsZero() {
		t.Errorf("%+v", c)
	}
	b := follow(t, s)
	b.wait(t, "first values", 5*time.Second, atLeast(1, "active_power", 2))
}
