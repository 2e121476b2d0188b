package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// Defaults of Config.
const (
	DefaultMaxAge        = 7 * 24 * time.Hour
	DefaultMaxBytes      = 8 << 30
	DefaultMessageBytes  = 64 << 10
	DefaultFetchBytes    = 256 << 10
	DefaultFetchWait     = 2 * time.Second
	DefaultAckWait       = time.Minute
	DefaultMinBackoff    = 250 * time.Millisecond
	DefaultMaxBackoff    = 10 * time.Second
	startTimeout         = 5 * time.Minute // recovery takes about 1 s per GB
	maxUnacknowledged    = 4096
	defaultSource        = "local"
	publishAttempts      = 5
	publishTimeout       = 10 * time.Second
	maxOutstandingAtOnce = 256
)

// Config says where the stream lives and how much it keeps. Zero values mean
// the defaults named.
type Config struct {
	// Dir holds the files of the embedded server; one process at a time. It
	// is required where URL is empty.
	Dir string
	// URL of an external NATS server or cluster with JetStream; then nothing
	// is embedded. Several are joined by commas.
	URL string
	// Credentials names a NATS credentials file for URL; TLS its authorities
	// and our own certificate.
	Credentials string
	TLS         TLS
	// Options are passed to the connection to URL besides.
	Options []nats.Option

	// Guarantee is what an acknowledged reading survives; SurvivesProcess
	// where empty. It sets SyncAlways and Replicas.
	Guarantee Guarantee
	// Leaf joins the embedded server to a hub; Listen has it take
	// connections; both may be nil.
	Leaf   *Leaf
	Listen *Listen
	// Leaves are sources of leaf nodes whose readings this stream, the hub's,
	// takes over.
	Leaves []string

	// AsIs uses the streams as they are: they are neither made nor changed.
	AsIs bool

	// Source names this host in the subject: letters, digits, - and _.
	Source string
	// MaxAge and MaxBytes limit what the stream keeps.
	MaxAge   time.Duration
	MaxBytes int64
	// Replicas of the stream in an external cluster; 1 by default.
	Replicas int
	// SyncAlways makes the embedded server write through to the disk before
	// it acknowledges.
	SyncAlways bool

	// MessageBytes is the size at which a batch is cut into messages;
	// FetchBytes is about what one call of a consumer's function gets. Where
	// there is less, new messages are gathered for FetchWait.
	MessageBytes int
	FetchBytes   int
	FetchWait    time.Duration
	// AckWait is how long a consumer may be silent before others get its
	// messages; it is renewed while the function works.
	AckWait time.Duration
	// MinBackoff and MaxBackoff bound the wait after a failed delivery.
	MinBackoff, MaxBackoff time.Duration

	Logger  *slog.Logger          // slog.Default where nil
	Metrics prometheus.Registerer // none where nil
}

func (c Config) withDefaults() Config {
	if c.Source == "" {
		c.Source = defaultSource
	}
	c.MaxAge = positive(c.MaxAge, DefaultMaxAge)
	c.MaxBytes = positive(c.MaxBytes, DefaultMaxBytes)
	c.Replicas = positive(c.Replicas, 1)
	c.MessageBytes = positive(c.MessageBytes, DefaultMessageBytes)
	c.FetchBytes = positive(c.FetchBytes, DefaultFetchBytes)
	c.FetchWait = positive(c.FetchWait, DefaultFetchWait)
	c.AckWait = positive(c.AckWait, DefaultAckWait)
	c.MinBackoff = positive(c.MinBackoff, DefaultMinBackoff)
	c.MaxBackoff = positive(c.MaxBackoff, DefaultMaxBackoff)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c.withGuarantee()
}

func positive[T int | int64 | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

func (c Config) validate() error {
	if err := checkName("source", c.Source); err != nil {
		return err
	}
	if c.URL == "" && c.Dir == "" {
		return errors.New("stream: neither a folder nor a URL is given; set stream.dir, or stream.url for an external server")
	}
	if c.MessageBytes > maxMessage/2 {
		return fmt.Errorf("stream: messages of %d bytes; use %d at most", c.MessageBytes, maxMessage/2)
	}
	return c.validateDeployment()
}

// Stream is the connection to JetStream and, where it is embedded, the server
// itself. Its methods may be called by many goroutines.
type Stream struct {
	cfg    Config
	log    *slog.Logger
	server *embedded // nil where external
	health *health
	link   leafLink
	unlock func()

	reserve int64 // bytes that publishing leaves free on the disk
	conn    *nats.Conn
	js      jetstream.JetStream

	encoders sync.Pool // of *encoder, at rest

	mu       sync.Mutex
	durables map[consumerKey]bool // consumers to report the backlog of
	readers  map[*reading]bool    // positioned readers that run
	claims   map[int]*claim       // partitions that this process owns

	dropped *prometheus.CounterVec
	silence time.Duration // see silenceInterval

	stopWatch func()
	watch     sync.WaitGroup
	close     sync.Once
}

// Open starts the embedded server, or connects to an external one, and makes
// sure that the streams exist. Close must be called in the end.
func Open(ctx context.Context, cfg Config) (*Stream, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Stream{
		cfg: cfg, log: cfg.Logger,
		unlock: func() {}, stopWatch: func() {},
		durables: make(map[consumerKey]bool), readers: make(map[*reading]bool), claims: make(map[int]*claim),
		dropped: newDropped(), silence: silenceInterval,
		health: newHealth(), reserve: diskReserve,
	}
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Stream) open(ctx context.Context) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	js, err := jetstream.New(s.conn,
		jetstream.WithPublishAsyncMaxPending(maxUnacknowledged),
		jetstream.WithPublishAsyncTimeout(publishTimeout))
	if err != nil {
		return fmt.Errorf("stream: use JetStream: %w", err)
	}
	s.js = js
	if !s.cfg.AsIs {
		if err := s.createStreams(ctx); err != nil {
			return err
		}
	}
	if err := s.registerMetrics(); err != nil {
		return err
	}
	watchCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.stopWatch = cancel
	s.watch.Go(func() { s.watchRetention(watchCtx, s.cfg.watchInterval()) })
	if s.server != nil {
		s.watch.Go(func() { s.watchServer(watchCtx) })
	}
	if s.cfg.Leaf != nil {
		s.watch.Go(func() { s.watchLink(watchCtx, linkInterval) })
	}
	return nil
}

// Close disconnects and shuts the embedded server down. Consumers should have
// been stopped before through their contexts.
func (s *Stream) Close() {
	s.close.Do(func() {
		s.stopWatch()
		s.watch.Wait()
		s.unregisterMetrics()
		if s.conn != nil {
			s.conn.Close()
		}
		if s.server != nil {
			s.server.Shutdown()
			s.server.WaitForShutdown()
		}
		s.unlock()
	})
}
