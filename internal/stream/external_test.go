package stream

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// external starts a NATS server of its own on a free loopback port.
func external(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
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

func TestExternalServerThatRestarts(t *testing.T) {
	dir := t.TempDir()
	srv := external(t, dir, server.RANDOM_PORT)
	url, port := srv.ClientURL(), srv.Addr().String()
	s := open(t, Config{URL: url, MessageBytes: 1, Source: "substation-7"})
	publish(t, s, sample(5))

	srv.Shutdown()
	srv.WaitForShutdown()
	external(t, dir, portOf(t, port))

	waitFor(t, "reconnected", func() bool { _, err := s.Backlog(t.Context(), "historian"); return err == nil })
	publish(t, s, sample(8)[5:])
	got := 0
	consume(t, s, "historian", func(rs []meter.Reading) (bool, error) { got += len(rs); return got >= 8, nil })
	if got != 8 {
		t.Errorf("%d readings of 8", got)
	}
}

func TestConsumerOutlivesItsServer(t *testing.T) {
	dir := t.TempDir()
	srv := external(t, dir, server.RANDOM_PORT)
	url, port := srv.ClientURL(), srv.Addr().String()
	s := open(t, Config{URL: url, MessageBytes: 1, MinBackoff: 20 * time.Millisecond})
	publish(t, s, sample(3))
	got := 0
	consume(t, s, "historian", func(rs []meter.Reading) (bool, error) {
		got += len(rs)
		if got == 3 {
			// The acknowledgements of these go to a server that is gone.
			srv.Shutdown()
			srv.WaitForShutdown()
			external(t, dir, portOf(t, port))
			go func() { _ = s.PublishReadings(t.Context(), sample(4)[3:]) }()
		}
		return rs[len(rs)-1].Value == sample(4)[3].Value, nil
	})
}
