package historian

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
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
	DefaultBatchBytes = 4 << 20
	DefaultTimeout    = 30 * time.Second
	DefaultAttempts   = 3
	DefaultMinBackoff = 200 * time.Millisecond
	DefaultMaxBackoff = 5 * time.Second
	DefaultWriters    = 2
	DefaultPatience   = 2 * time.Minute
	stateTimeout      = 2 * time.Second
	maxRetryAfter     = 5 * time.Minute // an engine that asks for more is asked again then
)

// Config says where the engine is. Zero values mean the defaults named.
type Config struct {
	URL    string // http://host:8086
	Org    string
	Bucket string // on 1.8: the database, or database/retention policy
	Token  string // on 1.8: user:password; never logged
	// QueryURL is where queries go, where that is another place than URL: at a
	// VictoriaMetrics cluster http://vmselect:8481/select/0/prometheus beside
	// http://vminsert:8480/insert/0/influx.
	QueryURL string

	// BatchBytes is the size at which a request is cut, Timeout the limit of
	// one attempt at it.
	BatchBytes int
	Timeout    time.Duration
	// Attempts of one request, with a wait between MinBackoff and MaxBackoff,
	// or what the engine asks for, up to five minutes.
	Attempts               int
	MinBackoff, MaxBackoff time.Duration
	// Writers is the number of requests that Feed keeps in flight.
	Writers int
	// Patience is how long a query may be without any row.
	Patience time.Duration
	// GZip compresses what is written: for thin links.
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
	c.Writers = positive(c.Writers, DefaultWriters)
	c.Patience = positive(c.Patience, DefaultPatience)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c *Config) queryURL() string {
	if c.QueryURL != "" {
		return c.QueryURL
	}
	return c.URL
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
	clues  *patterns
	texts  sync.Pool // of *text, at rest

	about  atomic.Pointer[about]
	asking sync.Mutex
	pause  pause

	mu      sync.Mutex
	failure error  // of the last write, nil after a success
	taken   string // the last line that the engine took
	late    bool   // the field for receive times is spoilt: they are left out
}

// Open prepares the client; it does not connect. Close must be called.
func Open(cfg Config) (*Historian, error) {
	cfg = cfg.withDefaults()
	if err := checkURL("historian.url", cfg.URL); err != nil {
		return nil, err
	}
	if err := checkURL("historian.query_url", cfg.queryURL()); err != nil {
		return nil, err
	}
	h := &Historian{cfg: cfg, log: cfg.Logger, clues: newPatterns()}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = maxHeader
	transport.MaxIdleConnsPerHost = cfg.Writers + 2
	h.http = &http.Client{ // writes are limited by post, queries by Patience and their callers
		Transport: &guard{next: transport, gzip: cfg.GZip, token: cfg.Token, timeout: cfg.Timeout, engine: h.known},
		// A redirected write is a mistake in the address, and would carry the
		// token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	h.client = influxdb2.NewClientWithOptions(cfg.URL, cfg.Token, h.options())
	h.write = h.client.WriteAPIBlocking(cfg.Org, cfg.Bucket)
	h.query = influxdb2.NewClientWithOptions(cfg.queryURL(), cfg.Token, h.options()).QueryAPI(cfg.Org)
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

func (h *Historian) options() *influxdb2.Options {
	return influxdb2.DefaultOptions().
		SetHTTPClient(h.http).
		SetPrecision(time.Nanosecond).
		SetApplicationName("gridwarden")
}

// known is the engine as far as it is known without asking.
func (h *Historian) known() Engine {
	if a := h.about.Load(); a != nil {
		return a.engine
	}
	return UnknownEngine
}

func checkURL(name, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("historian: URL %q is none; set %s, such as http://127.0.0.1:8086", withoutUser(address), name)
	}
	if u.User != nil {
		return fmt.Errorf("historian: the URL of %s has a user in it; put user:password into the file of historian.token_file", u.Host)
	}
	return nil
}

// withoutUser leaves out what may be a password.
func withoutUser(address string) string {
	if at := strings.LastIndex(address, "@"); at >= 0 {
		return "…" + address[at:]
	}
	return address
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
