package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// serve starts a NATS server of its own on a loopback port; 0 is a free one.
func serve(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
	if port == 0 {
		port = server.RANDOM_PORT
	}
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server did not start within 10 s")
	}
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	return srv
}

func connect(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// board is who holds what, as the members' callbacks say.
type board struct {
	mu     sync.Mutex
	holder map[int]string
	twice  []string
	refuse map[string]bool // hosts whose Acquire fails
	tokens uint64
	lost   int
	valid  map[string]func() bool
}

func newBoard() *board {
	return &board{holder: make(map[int]string), refuse: make(map[string]bool), valid: make(map[string]func() bool)}
}

func (b *board) config(t *testing.T, js jetstream.JetStream, host string) Config {
	return Config{
		JetStream: js, Host: host, Partitions: 12, Lease: time.Second, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Acquire: func(_ context.Context, p int) (uint64, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.refuse[host] {
				return 0, errors.New("it does not work here")
			}
			if other := b.holder[p]; other != "" && b.valid[other]() {
				b.twice = append(b.twice, fmt.Sprintf("%d: %s while %s", p, host, other))
			}
			b.holder[p] = host
			b.tokens++
			return b.tokens, nil
		},
		Release: func(_ context.Context, p int, lost bool) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.holder[p] == host {
				delete(b.holder, p)
			}
			if lost {
				b.lost++
			}
			return nil
		},
	}
}

// counts returns how many each host holds.
func (b *board) counts() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make(map[string]int)
	for _, h := range b.holder {
		out[h]++
	}
	return out
}

// member is a host that joins and runs until the test ends or leave is called.
func (b *board) member(t *testing.T, js jetstream.JetStream, host string) (m *Member, leave func() error) {
	t.Helper()
	m, err := Join(t.Context(), b.config(t, js, host))
	if err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	b.valid[host] = m.Valid
	b.mu.Unlock()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var once sync.Once
	var result error
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	leave = func() error {
		once.Do(func() { cancel(); result = <-ended })
		return result
	}
	t.Cleanup(func() { _ = leave() })
	return m, leave
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not within two minutes: %s", what)
}
