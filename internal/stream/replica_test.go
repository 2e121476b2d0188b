package stream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// serveCluster is the child: a NATS server with JetStream, in a cluster where
// it has routes, until it is killed.
func serveCluster(args []string) error {
	name, client, route, dir, routes := args[0], args[1], args[2], args[3], args[4:]
	port, err := strconv.Atoi(client)
	if err != nil {
		return err
	}
	opts := &server.Options{
		ServerName: name, Host: "127.0.0.1", Port: port, NoLog: true,
		JetStream: true, StoreDir: dir, JetStreamMaxStore: 64 << 30,
	}
	if len(routes) > 0 {
		if opts.Cluster.Port, err = strconv.Atoi(route); err != nil {
			return err
		}
		opts.Cluster.Name, opts.Cluster.Host = "three", "127.0.0.1"
		for _, at := range routes {
			opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats-route", Host: "127.0.0.1:" + at})
		}
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	srv.Start()
	if !srv.ReadyForConnections(30 * time.Second) {
		return errors.New("the NATS server did not start within 30 s")
	}
	srv.WaitForShutdown()
	return nil
}

// hosts are NATS servers, each a process with a disk of its own.
type hosts struct {
	t       *testing.T
	clients []string
	routes  []string
	dirs    []string
	cmds    []*exec.Cmd
}

func startHosts(t *testing.T, n int) *hosts {
	t.Helper()
	h := &hosts{t: t, cmds: make([]*exec.Cmd, n)}
	for range n {
		h.clients = append(h.clients, strconv.Itoa(portOf(t, freePort(t))))
		h.routes = append(h.routes, strconv.Itoa(portOf(t, freePort(t))))
		h.dirs = append(h.dirs, t.TempDir())
	}
	for i := range n {
		h.start(i)
	}
	t.Cleanup(func() {
		for i := range h.cmds {
			h.kill(i)
		}
	})
	return h
}

func (h *hosts) start(i int) {
	role := []string{"nats", fmt.Sprint("n", i), h.clients[i], h.routes[i], h.dirs[i]}
	if len(h.cmds) > 1 {
		role = append(role, h.routes...)
	}
	cmd := child(h.t, nil, role...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.cmds[i] = cmd
}

// kill ends a server as the loss of its host does.
func (h *hosts) kill(i int) {
	if cmd := h.cmds[i]; cmd != nil {
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
		h.cmds[i] = nil
	}
}

func (h *hosts) url() string {
	var out []string
	for _, port := range h.clients {
		out = append(out, "nats://127.0.0.1:"+port)
	}
	return strings.Join(out, ",")
}

// openWhenUp opens a stream, again while the servers are still starting.
func (h *hosts) openWhenUp(cfg Config) *Stream {
	h.t.Helper()
	cfg.URL = h.url()
	var s *Stream
	waitFor(h.t, "the cluster takes a stream", func() bool {
		ctx, cancel := context.WithTimeout(h.t.Context(), 10*time.Second)
		defer cancel()
		var err error
		if s, err = Open(ctx, cfg); err != nil {
			h.t.Logf("not yet: %v", err)
			time.Sleep(300 * time.Millisecond)
		}
		return err == nil
	})
	h.t.Cleanup(s.Close)
	return s
}

// leader is the server that leads the stream of readings.
func (h *hosts) leader(s *Stream) int {
	h.t.Helper()
	str, err := s.js.Stream(h.t.Context(), string(Readings))
	if err != nil {
		h.t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(str.CachedInfo().Cluster.Leader, "n"))
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// TestHostLoss takes hosts from a cluster while readings are published: the
// leader with its disk, and after that disk was made anew another one.
func TestHostLoss(t *testing.T) {
	t.Parallel()
	h := startHosts(t, 3)
	s := h.openWhenUp(Config{Guarantee: SurvivesHost, MessageBytes: 4 << 10, FetchWait: 20 * time.Millisecond})

	ctx, cancel := context.WithCancel(t.Context())
	var (
		wg           sync.WaitGroup
		mu           sync.Mutex
		acknowledged int
		failures     int
		longest      time.Duration
	)
	wg.Go(func() {
		for first := 0; ctx.Err() == nil; first += 200 {
			for begin := time.Now(); ; {
				err := s.PublishReadings(ctx, numbered(first, 200))
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				if err == nil {
					acknowledged, longest = first+200, max(longest, time.Since(begin))
				} else {
					failures++ // the poller keeps them and tries again, as here
				}
				mu.Unlock()
				if err == nil {
					break
				}
			}
			time.Sleep(time.Millisecond)
		}
	})
	goesOn := func(what string) {
		t.Helper()
		mu.Lock()
		from := acknowledged
		mu.Unlock()
		begin := time.Now()
		waitFor(t, what, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return acknowledged >= from+10_000
		})
		t.Logf("%s: 10,000 readings acknowledged after %v", what, time.Since(begin).Round(time.Millisecond))
	}
	goesOn("three hosts")
	lost := h.leader(s)
	h.kill(lost)
	if err := os.RemoveAll(filepath.Join(h.dirs[lost], "jetstream")); err != nil {
		t.Fatal(err)
	}
	goesOn("the leader gone with its disk")
	h.start(lost)
	waitFor(t, "the empty disk has been filled", func() bool {
		str, err := s.js.Stream(t.Context(), string(Readings))
		if err != nil || str.CachedInfo().Cluster == nil || len(str.CachedInfo().Cluster.Replicas) != 2 {
			return false
		}
		for _, r := range str.CachedInfo().Cluster.Replicas {
			if r.Offline || !r.Current {
				return false
			}
		}
		return true
	})
	goesOn("three hosts again")
	next := h.leader(s)
	if next == lost {
		next = (lost + 1) % 3
	}
	h.kill(next)
	if err := os.RemoveAll(filepath.Join(h.dirs[next], "jetstream")); err != nil {
		t.Fatal(err)
	}
	goesOn("another one gone")
	cancel()
	wg.Wait()

	seen, err := valuesOf(s)
	if err != nil {
		t.Fatal(err)
	}
	missing, twice := 0, 0
	for n := range acknowledged {
		switch {
		case seen[n] == 0:
			missing++
		case seen[n] > 1:
			twice++
		}
	}
	if missing > 0 || twice > 0 {
		t.Errorf("of %d acknowledged readings %d are lost and %d stored twice", acknowledged, missing, twice)
	}
	t.Logf("%d readings acknowledged, 0 lost; %d publishing calls failed and were repeated, the longest wait for an acknowledgement was %v", acknowledged, failures, longest.Round(time.Millisecond))
}

// TestTooFewServers refuses the guarantee host where a server stands alone.
func TestTooFewServers(t *testing.T) {
	srv := external(t, t.TempDir(), server.RANDOM_PORT)
	_, err := Open(t.Context(), Config{URL: srv.ClientURL(), Guarantee: SurvivesHost})
	if err == nil || !strings.Contains(err.Error(), "guarantee host needs a NATS cluster of at least three servers with JetStream") {
		t.Errorf("error %v", err)
	}
}
