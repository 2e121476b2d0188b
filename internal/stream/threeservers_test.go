package stream

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// natsCluster is a cluster of three NATS servers in this process.
type natsCluster struct {
	t       testing.TB
	options [3]*server.Options
	servers [3]*server.Server
}

// threeServers starts a cluster on free loopback ports and waits for its
// leader.
func threeServers(t testing.TB) *natsCluster {
	t.Helper()
	c := &natsCluster{t: t}
	var routes []*url.URL
	for i := range c.options {
		at := freePort(t)
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: at})
		c.options[i] = &server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 64 << 30,
			Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: portOf(t, at)},
		}
	}
	for i := range c.options {
		c.options[i].Routes = routes
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range c.servers {
			c.stop(i)
		}
	})
	waitFor(t, "a leader of the cluster", func() bool {
		for _, s := range c.servers {
			if s.JetStreamIsLeader() && len(s.JetStreamClusterPeers()) == 3 {
				return true
			}
		}
		return false
	})
	return c
}

// start starts server i, on the port that it had before.
func (c *natsCluster) start(i int) {
	c.t.Helper()
	srv, err := server.NewServer(c.options[i])
	if err != nil {
		c.t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(20 * time.Second) {
		c.t.Fatalf("NATS server %d did not start within 20 s", i)
	}
	c.servers[i] = srv
	c.options[i].Port = portOf(c.t, srv.Addr().String())
}

func (c *natsCluster) stop(i int) {
	if srv := c.servers[i]; srv != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		c.servers[i] = nil
	}
}

// URL joins the addresses of all servers.
func (c *natsCluster) URL() string {
	var urls []string
	for _, o := range c.options {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", o.Port))
	}
	return strings.Join(urls, ",")
}

// streamLeader is the server that leads the stream of readings.
func (c *natsCluster) streamLeader() int {
	c.t.Helper()
	leader := -1
	waitFor(c.t, "a leader of "+string(Readings), func() bool {
		for i, s := range c.servers {
			if s != nil && s.JetStreamIsStreamLeader("$G", string(Readings)) {
				leader = i
				return true
			}
		}
		return false
	})
	return leader
}
