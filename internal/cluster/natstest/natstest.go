package natstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// asServer holds, in the environment of a process that is to be a server, what
// it needs.
const asServer = "GRIDWARDEN_TEST_NATS"

// node is one server.
type node struct {
	Name          string
	Dir           string
	Client, Route int // ports
	Routes        []int
	Parent        int
}

// Serve is called first in a TestMain. Where the process is to be a server it
// serves until it is killed and returns true.
func Serve() bool {
	text := os.Getenv(asServer)
	if text == "" {
		return false
	}
	var n node
	err := json.Unmarshal([]byte(text), &n)
	if err == nil {
		err = n.serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return true
}

func (n *node) serve() error {
	opts := &server.Options{
		ServerName: n.Name, Host: "127.0.0.1", Port: n.Client, StoreDir: n.Dir, JetStream: true, JetStreamMaxStore: 64 << 30, NoSigs: true, NoLog: true,
		Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: n.Route},
	}
	for _, port := range n.Routes {
		opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats-route", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("NATS server %s: %w", n.Name, err)
	}
	srv.Start()
	for os.Getppid() == n.Parent { // the test ended otherwise
		time.Sleep(time.Second)
	}
	return nil
}

// Cluster is a few NATS servers that replicate to each other.
type Cluster struct {
	nodes   []node
	running []*exec.Cmd
}

// Start starts a cluster of n servers below dir and waits until it has a leader.
func Start(ctx context.Context, dir string, n int) (*Cluster, error) {
	c := &Cluster{running: make([]*exec.Cmd, n)}
	ports, err := free(ctx, 2*n)
	if err != nil {
		return nil, err
	}
	for i := range n {
		c.nodes = append(c.nodes, node{
			Name: fmt.Sprintf("n%d", i), Dir: filepath.Join(dir, fmt.Sprintf("nats-%d", i)),
			Client: ports[i], Route: ports[n+i], Routes: ports[n:], Parent: os.Getpid(),
		})
	}
	for i := range n {
		if err := c.Run(ctx, i); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	if err := c.await(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// free returns n free loopback ports.
func free(ctx context.Context, n int) (ports []int, err error) {
	for range n {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("free port: %w", err)
		}
		defer func() { _ = l.Close() }()
		if addr, ok := l.Addr().(*net.TCPAddr); ok {
			ports = append(ports, addr.Port)
		}
	}
	return ports, nil
}

// Run starts server i, again where it was killed.
func (c *Cluster) Run(ctx context.Context, i int) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("NATS server: %w", err)
	}
	text, err := json.Marshal(c.nodes[i])
	if err != nil {
		return fmt.Errorf("NATS server: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self) //nolint:gosec // this very binary
	cmd.Env = append(os.Environ(), asServer+"="+string(text))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("NATS server %d: %w", i, err)
	}
	c.running[i] = cmd
	return nil
}

// Kill kills server i at once.
func (c *Cluster) Kill(i int) error {
	cmd := c.running[i]
	if cmd == nil {
		return nil
	}
	c.running[i] = nil
	if err := cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill NATS server %d: %w", i, err)
	}
	_ = cmd.Wait() // it was killed
	return nil
}

// Close ends all servers.
func (c *Cluster) Close() error {
	var errs []error
	for i := range c.running {
		errs = append(errs, c.Kill(i))
	}
	return errors.Join(errs...)
}

// URL joins the addresses of all servers.
func (c *Cluster) URL() string {
	var urls []string
	for _, n := range c.nodes {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", n.Client))
	}
	return strings.Join(urls, ",")
}

// await waits until JetStream answers.
func (c *Cluster) await(ctx context.Context) error {
	conn, js, err := c.connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "READY", Subjects: []string{"ready"}, Replicas: len(c.nodes)})
		if err == nil {
			err = js.DeleteStream(ctx, "READY")
		}
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("the NATS cluster does not come up: %w", err)
		}
	}
}

func (c *Cluster) connect() (*nats.Conn, jetstream.JetStream, error) {
	conn, err := nats.Connect(c.URL(), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the NATS cluster: %w", err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("JetStream: %w", err)
	}
	return conn, js, nil
}

// Leader returns which server leads a stream.
func (c *Cluster) Leader(ctx context.Context, stream string) (int, error) {
	conn, js, err := c.connect()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return 0, fmt.Errorf("stream %s: %w", stream, err)
	}
	for i := range c.nodes {
		if info := s.CachedInfo().Cluster; info != nil && info.Leader == c.nodes[i].Name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("stream %s has no leader", stream)
}
