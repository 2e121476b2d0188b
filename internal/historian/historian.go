package historian

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// States that State returns.
const (
	Works   = "works"
	Missing = "missing"
	Failing = "failing"
)

// Defaults of Config.
const (
	DefaultOrg        = "gridwarden"
	DefaultBucket     = "gridwarden"
	DefaultBatchBytes = 1 << 20
	DefaultTimeout    = 30 * time.Second
	DefaultAttempts   = 3
	DefaultMinBackoff = 200 * time.Millisecond
	DefaultMaxBackoff = 5 * time.Second
	stateTimeout      = 2 * time.Second
)

// Config says where the engine is. Zero values mean the defaults named.
type Config struct {
	URL    string // http://host:8086
	Org    string
	Bucket string // on 1.8: the database, or database/retention policy
	Token  string // on 1.8: user:password; never logged

	// BatchBytes is the size at which a request is cut, Timeout the limit of
	// one attempt at it.
	BatchBytes int
	Timeout    time.Duration
	// Attempts of one request, with a wait between MinBackoff and MaxBackoff.
	Attempts               int
	MinBackoff, MaxBackoff time.Duration
	// GZip compresses requests: for thin links, at half the speed.
	GZip bool

	// Rejected gets the readings that the engine will never take. When it
	// returns nil they are done with; its error is Write's. Where it is nil,
	// they are logged and dropped.
	Rejected func(ctx context.Context, readings []meter.Reading, reason error) error

	Logger  *slog.Logger          // slog.Default where nil
	Metrics prometheus.Registerer // none where nil
}

func (c Config) withDefaults() Config {
	c.Org = positive(c.Org, DefaultOrg)
	c.Bucket = positive(c.Bucket, DefaultBucket)
	c.BatchBytes = positive(c.BatchBytes, DefaultBatchBytes)
	c.Timeout = positive(c.Timeout, DefaultTimeout)
	c.Attempts = positive(c.Attempts, DefaultAttempts)
	c.MinBackoff = positive(c.MinBackoff, DefaultMinBackoff)
	c.MaxBackoff = positive(c.MaxBackoff, DefaultMaxBackoff)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func positive[T int | string | time.Duration](v, otherwise T) T {
	var zero T
	if v > zero {
		return v
	}
	return otherwise
}

// Historian writes to and reads from one bucket. Its methods may be called by
// many goroutines. A nil Historian is a missing one: State says so.
type Historian struct {
	cfg    Config
	log    *slog.Logger
	http   *http.Client
	client influxdb2.Client
	write  api.WriteAPIBlocking
	query  api.QueryAPI
	points *prometheus.CounterVec

	mu      sync.Mutex
	failure error // of the last write, nil after a success
}

// Open prepares the client; it does not connect. Close must be called.
func Open(cfg Config) (*Historian, error) {
	cfg = cfg.withDefaults()
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("historian: URL %q is none; set historian.url, such as http://127.0.0.1:8086", cfg.URL)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	client := &http.Client{Transport: transport} // writes are limited by post, queries by their callers
	opts := influxdb2.DefaultOptions().
		SetHTTPClient(client).
		SetPrecision(time.Nanosecond).
		SetUseGZip(cfg.GZip).
		SetApplicationName("gridwarden")
	h := &Historian{cfg: cfg, log: cfg.Logger, http: client}
	h.client = influxdb2.NewClientWithOptions(cfg.URL, cfg.Token, opts)
	h.write = h.client.WriteAPIBlocking(cfg.Org, cfg.Bucket)
	h.query = h.client.QueryAPI(cfg.Org)
	h.points = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gridwarden_historian_points_total",
		Help: "Points (one reading each) by what became of them: written, rejected for good, or failed and to be delivered again.",
	}, []string{"result"})
	if cfg.Metrics != nil {
		if err := cfg.Metrics.Register(h.points); err != nil {
			return nil, errors.Join(fmt.Errorf("historian: register metrics: %w", err), h.Close())
		}
	}
	return h, nil
}

// State says whether the engine is there: Works, Missing (a nil Historian),
// or Failing with the reason, which is that of the last write where that
// failed, or of a request made now.
func (h *Historian) State() (string, error) {
	if h == nil {
		return Missing, nil
	}
	h.mu.Lock()
	failure := h.failure
	h.mu.Unlock()
	if failure != nil {
		return Failing, failure
	}
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	ok, err := h.client.Ping(ctx)
	if err != nil {
		return Failing, fmt.Errorf("historian: %s: %w; check that the engine runs and historian.url", h.cfg.URL, err)
	}
	if !ok {
		return Failing, fmt.Errorf("historian: %s does not answer as InfluxDB does; check historian.url", h.cfg.URL)
	}
	return Works, nil
}

func (h *Historian) remember(failure error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failure = failure
}

// Close releases the connections.
func (h *Historian) Close() error {
	if h == nil {
		return nil
	}
	h.client.Close()
	h.http.CloseIdleConnections()
	if h.cfg.Metrics != nil {
		h.cfg.Metrics.Unregister(h.points)
	}
	return nil
}
