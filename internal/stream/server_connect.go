package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// connect starts the embedded server where none is named, and connects.
func (s *Stream) connect(ctx context.Context) error {
	if !s.cfg.embedded() {
		return s.connectExternal()
	}
	unlock, err := lockDir(s.cfg.Dir)
	if err != nil {
		return err
	}
	s.unlock = unlock
	if s.server, err = startServer(ctx, s.cfg); err != nil {
		return err
	}
	s.conn, err = nats.Connect("", nats.InProcessServer(s.server), s.server.login, nats.Name("gridwarden "+s.cfg.Source), nats.MaxReconnects(-1))
	if err != nil {
		return fmt.Errorf("stream: connect to the embedded server: %w", err)
	}
	return s.answerForAbsent(context.WithoutCancel(ctx))
}

func (s *Stream) connectExternal() error {
	opts, err := s.cfg.options()
	if err != nil {
		return err
	}
	s.conn, err = nats.Connect(s.cfg.URL, opts...)
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		return fmt.Errorf("stream: the NATS server does not let us in: %w; check stream.credentials and this host's user at the server", err)
	case err != nil:
		return fmt.Errorf("stream: connect to NATS: %w; check stream.url and stream.tls, and that the server runs", err)
	}
	return nil
}

// Recovery tells how long the embedded server took to read its files at the
// start, and the messages and bytes that they hold; zeros where it is external.
func (s *Stream) Recovery() (took time.Duration, messages, bytes uint64) {
	if s.server == nil {
		return 0, 0, 0
	}
	return s.server.recovery, s.server.messages, s.server.bytes
}

// Guarantee is what an acknowledged reading survives here.
func (s *Stream) Guarantee() Guarantee { return s.cfg.Guarantee }

// keepGuarantee refuses a server that cannot keep what the guarantee
// promises, and says in the log what is promised.
func (s *Stream) keepGuarantee(ctx context.Context) error {
	if s.cfg.Guarantee == SurvivesHost {
		if err := s.checkReplicas(ctx); err != nil {
			return err
		}
	}
	s.log.Info("stream guarantee: "+s.cfg.Guarantee.Words(), "guarantee", s.cfg.Guarantee)
	return nil
}

// checkReplicas looks whether the servers really spread messages: a stream
// that exists says how many it has, a cluster how many it can give.
func (s *Stream) checkReplicas(ctx context.Context) error {
	str, err := s.js.Stream(ctx, string(Readings))
	if err != nil {
		return fmt.Errorf("stream: look for replicas: %w", err)
	}
	info := str.CachedInfo()
	if info.Config.Replicas < hostReplicas || info.Cluster == nil || len(info.Cluster.Replicas)+1 < hostReplicas {
		return fmt.Errorf("stream: guarantee host needs three servers that keep %s, and %d do", Readings, info.Config.Replicas)
	}
	return nil
}

// createError says why a stream could not be made, with the mend.
func (s *Stream) createError(name string, err error) error {
	var api *jetstream.APIError
	if s.cfg.Guarantee == SurvivesHost && errors.As(err, &api) {
		switch api.ErrorCode {
		case errReplicasNotSupported, errNoSuitablePeers, errInsufficientResources:
			return fmt.Errorf("stream: create %s: %w; guarantee host needs a NATS cluster of at least three servers with JetStream and room: start more of them (each with a cluster block and jetstream), or set stream.guarantee to process", name, err)
		}
	}
	return fmt.Errorf("stream: create %s: %w; check that JetStream is enabled and has %d MB of room", name, err, s.cfg.MaxBytes>>20)
}

// JetStream's codes for what keeps it from making replicas.
const (
	errNotAvailable          jetstream.ErrorCode = 10008
	errNoSuitablePeers       jetstream.ErrorCode = 10005
	errInsufficientResources jetstream.ErrorCode = 10023
	errReplicasNotSupported  jetstream.ErrorCode = 10074
)
