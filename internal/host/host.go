package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/internal/access"
	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/console"
	"github.com/gridwarden/gridwarden/internal/control"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/historian"
	"github.com/gridwarden/gridwarden/internal/poll"
	"github.com/gridwarden/gridwarden/internal/registry"
	"github.com/gridwarden/gridwarden/internal/sqlstore"
	"github.com/gridwarden/gridwarden/internal/stream"
)

// Options are what the configuration file does not say: what is linked into
// the program and where its parts are.
type Options struct {
	Logger   *slog.Logger
	Version  string
	Drivers  *drivers.Registry // linked drivers; the host closes them
	BuiltIn  []string          // command line that serves the built-in detectors
	Warden   []string          // command line of the plugins' warden (detect.Ward)
	Profiles []fs.FS           // further device profiles
	InfluxDB string            // influxd to run as a child process where no historian is configured; "" none
	Now      func() time.Time  // time.Now where nil
	Roles    []Role            // what this process does; all where empty

	Collectors []prometheus.Collector // further metrics, of what is linked

	// ConfigFile is what Reload reads; "" where the configuration comes from no file.
	ConfigFile string
	// Hangups are the SIGHUPs that the process receives: a Reload each. May be nil.
	Hangups <-chan os.Signal
}

// Host is the running program. Make it with New, let it work with Run, and
// Close it in the end.
type Host struct {
	cfg     *config.Config
	opts    Options
	log     *slog.Logger
	metrics *prometheus.Registry

	reference *Reference
	network   atomic.Pointer[grid.Network]
	secret    []byte

	db        *sqlstore.DB
	stream    *stream.Stream
	influx    *historian.Child
	historian *historian.Historian
	latest    *latest
	fleet     atomic.Pointer[fleet]
	poller    *poll.Poller
	tenancy   *tenancy // nil where this host is alone
	plugins   *detect.Plugins
	worker    *detect.Worker // does parts of the cluster's detection runs
	cases     *cases.Service
	access    *access.Service
	hub       *console.Hub
	web       *web
	control   *control.Socket
	reloads   reloads

	changed   chan struct{} // a token when days came that are to be judged soon
	detecting chan struct{} // holds one token: one detection run at a time
}

// New opens everything that the configuration names. What cannot be opened is
// an error that says what to do; nothing is left open then.
func New(ctx context.Context, cfg *config.Config, opts Options) (*Host, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	h := &Host{
		cfg: cfg, opts: opts, log: opts.Logger, metrics: prometheus.NewRegistry(),
		hub: console.NewHub(), latest: newLatest(), detecting: make(chan struct{}, 1), changed: make(chan struct{}, 1),
		reloads: reloads{token: make(chan struct{}, 1)},
	}
	h.worker = detect.NewWorker(h.detectInput)
	h.detecting <- struct{}{}
	h.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, c := range opts.Collectors {
		if err := h.metrics.Register(c); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	for _, open := range []func(context.Context) error{
		h.openControl, h.openStore, h.openRecords, h.openStream, h.openHistorian,
		h.openPolling, h.openDetectors, h.openCases, h.openCluster, h.openWeb,
	} {
		if err := open(ctx); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return h, nil
}

// openControl makes the data folder and takes it for this process alone.
func (h *Host) openControl(context.Context) (err error) {
	if err := os.MkdirAll(h.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("data_dir: %w; name a folder that can be written", err)
	}
	h.control, err = control.Listen(h.cfg.DataDir)
	return err
}

func (h *Host) openStore(ctx context.Context) (err error) {
	if h.secret, err = pseudonymKey(filepath.Join(h.cfg.DataDir, "pseudonym.key")); err != nil {
		return err
	}
	where, opts := Database(h.cfg, h.log)
	h.db, err = sqlstore.Open(ctx, where, opts...)
	return err
}

// openRecords loads the reference data and the registry: from its files where
// the configuration names them, otherwise as they were stored last.
func (h *Host) openRecords(ctx context.Context) (err error) {
	if h.reference, err = LoadReference(); err != nil {
		return err
	}
	var network *grid.Network
	if h.cfg.Registry != "" {
		var report *registry.Report
		if network, report, err = h.reference.LoadRegistry(h.cfg.Registry, h.cfg.Location()); err != nil {
			return err
		}
		for _, warning := range report.Warnings {
			h.log.Warn("registry", "warning", warning)
		}
		if err := h.db.Registry().SaveNetwork(ctx, network); err != nil {
			return fmt.Errorf("registry: %w", err)
		}
	} else if network, err = h.db.Registry().LoadNetwork(ctx); err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	if network == nil {
		network = grid.NewNetwork(grid.Records{})
	}
	h.network.Store(network)
	return nil
}

// Network is the current snapshot of the records.
func (h *Host) Network() *grid.Network { return h.network.Load() }

// Close stops and closes everything, last opened first.
func (h *Host) Close() error {
	var problems []error
	closing := func(what string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("close %s: %w", what, err))
		}
	}
	h.hub.Close()
	if h.web != nil {
		closing("console", h.web.close())
	}
	if h.plugins != nil {
		closing("detectors", h.plugins.Close())
	}
	if h.opts.Drivers != nil {
		closing("drivers", h.opts.Drivers.Close())
	}
	if h.stream != nil {
		h.stream.Close()
	}
	if h.historian != nil {
		closing("historian", h.historian.Close())
	}
	if h.influx != nil {
		closing("InfluxDB", h.influx.Close())
	}
	if h.db != nil {
		closing("database", h.db.Close())
	}
	if h.control != nil {
		closing("control socket", h.control.Close())
	}
	return errors.Join(problems...)
}
