package detect

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// LaunchConfig says which detectors to run out of process, and how.
type LaunchConfig struct {
	// BuiltIn starts the one process that serves all built-in detectors: the
	// program itself, re-executed. An empty path launches none.
	BuiltIn Command
	// Configs holds the configuration of built-in detectors, JSON by name.
	Configs map[string][]byte
	// ThirdParty detectors run in a process each.
	ThirdParty []ThirdParty
	// Keep stores the program of the built-in detectors, so that its findings
	// can be judged again later; nil keeps nothing.
	Keep func(ctx context.Context, path string) error
	// CheckConfig checks a configuration (JSON, nil for none) against what the
	// detector says of itself before the detector is given it; nil checks nothing.
	CheckConfig func(d *sdk.Description, config []byte) sdk.FieldErrors
	// Where says where a field of a detector's configuration stands in a file,
	// for errors: FILE:LINE:COL; nil or "" where nobody knows.
	Where func(detector, field string) string

	Limits Limits   // of each third-party plugin; the built-in ones have generous limits of their own
	Shadow []string // names of detectors in shadow mode, for Status
	Memory *Memory  // of failures and quarantine beyond the host's end; nil remembers as long as Plugins lives
	Warden Command  // serves Ward; an empty path leaves the children of plugins to themselves where the host is killed

	Timeout         time.Duration // of one detector in one run; 0 is ten minutes
	StartTimeout    time.Duration // for a process to come up; 0 is 30 seconds
	QuarantineAfter int           // failures in a row; 0 is 3

	Logger  *slog.Logger          // nil discards
	Metrics prometheus.Registerer // nil counts nothing
	Now     func() time.Time      // nil is time.Now

	watcher *watcher
	ward    *ward
	family  string // marks all processes of this launch
}

// Command is a program with its arguments. It is started with a minimal
// environment, to which Env is added.
type Command struct {
	Path string
	Args []string
	Env  []string
	Dir  string // working folder; the host's where empty
	Name string // what the program is told that it is called; Path where empty

	// Check says before each start whether everything that the program runs
	// is still what was admitted; nil knows of nothing beside the program.
	Check func() error
	// Sum identifies all that runs, for the stamps of findings; the checksum
	// of the program where empty.
	Sum string
}

// ThirdParty is a detector from outside, pinned to the program's checksum.
type ThirdParty struct {
	Name    string // of the detector, which the program must serve
	Version string // that it must say it has; any where empty
	Path    string // of the program, or of the folder that it comes from
	SHA256  string // of the program, hexadecimal
	Config  []byte // JSON, nil for none

	// Run is the program that is started, where that is not the one at Path.
	Run Command
	// Refused says why it must not start; it is listed so. A stray one was
	// never admitted: it is listed, and no run misses it. Found says that it
	// lies in the plugins' folder; where its name is taken, it is stray too.
	Refused error
	Found   bool
	Stray   bool
}

// Plugins are the detectors that run out of process. Its methods are safe for
// concurrent use.
type Plugins struct {
	config LaunchConfig
	runs   *prometheus.CounterVec
	memory *prometheus.GaugeVec
	cpu    *prometheus.GaugeVec
	shared *program   // of the built-ins, nil without any
	list   []*remote  // by name
	wait   sync.Mutex // serialises Close
}

// Launch starts the plugins and asks what they are. A third-party plugin that
// is refused or does not start is listed by Status with the reason, and the
// others go on; an error means that nothing can run: built-ins that do not
// start, or a configuration that contradicts itself. Close must be called.
func Launch(ctx context.Context, c LaunchConfig) (*Plugins, error) {
	c = c.withDefaults()
	if c.Warden.Path != "" && len(c.ThirdParty) > 0 {
		var err error
		if c.ward, err = startWard(c.Warden, c.family); err != nil {
			return nil, err
		}
	}
	p := &Plugins{config: c}
	if err := p.register(); err != nil {
		return nil, errors.Join(err, c.ward.close())
	}
	if err := p.launch(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	slices.SortFunc(p.list, func(x, y *remote) int { return cmp.Compare(x.description.Name, y.description.Name) })
	return p, nil
}

func (c LaunchConfig) withDefaults() LaunchConfig {
	c.Timeout = cmp.Or(c.Timeout, 10*time.Minute)
	c.StartTimeout = cmp.Or(c.StartTimeout, 30*time.Second)
	c.QuarantineAfter = cmp.Or(c.QuarantineAfter, 3)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Memory == nil {
		c.Memory, _ = OpenMemory("") // nothing is read
	}
	c.watcher, c.family = newWatcher(), rand.Text()
	return c
}

func (p *Plugins) register() error {
	p.runs = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gridwarden_detector_runs_total",
		Help: "Runs of detectors by result: ok, failed, timeout, limited, refused, quarantined, cancelled.",
	}, []string{"detector", "result"})
	p.memory = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "gridwarden_detector_memory_peak_bytes",
		Help: "Most memory that a detector's process has held since it started; of the built-in detectors' process together as built_in.",
	}, []string{"process"})
	p.cpu = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "gridwarden_detector_cpu_seconds",
		Help: "Processor time that a detector's process has used since it started; of the built-in detectors' process together as built_in.",
	}, []string{"process"})
	if p.config.Metrics == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{p.runs, p.memory, p.cpu} {
		if err := p.config.Metrics.Register(c); err != nil {
			return fmt.Errorf("registering the detectors' metrics: %w", err)
		}
	}
	return nil
}

func (p *Plugins) launch(ctx context.Context) error {
	names := make(map[string]bool)
	if p.config.BuiltIn.Path != "" {
		p.shared = newProgram(p.config, p.config.BuiltIn, "")
		descriptions, err := p.shared.describe(ctx)
		if err != nil {
			return fmt.Errorf("starting the built-in detectors: %w", err)
		}
		for _, d := range descriptions {
			names[d.Name] = true
			r := &remote{plugins: p, program: p.shared, command: p.config.BuiltIn, description: d, builtIn: true, config: p.config.Configs[d.Name]}
			p.list = append(p.list, r)
			if err := r.prepare(ctx); err != nil {
				return fmt.Errorf("starting the built-in detector %s: %w", d.Name, err)
			}
			r.recall(r.sum)
		}
		for name := range p.config.Configs {
			if !names[name] {
				return fmt.Errorf("a configuration is given for %q, but no built-in detector is called so", name)
			}
		}
	}
	for _, t := range p.config.ThirdParty {
		if t.Found && names[t.Name] {
			t.Refused, t.Stray = fmt.Errorf("another detector is called %q; rename one of them", t.Name), true
		}
		if t.Stray {
			p.list = append(p.list, p.admit(ctx, t))
			continue
		}
		if names[t.Name] || !sdk.ValidCode(t.Name) {
			return fmt.Errorf("plugin %q: the name is taken or not lower-case letters, digits and \"_\"; give each plugin its own", t.Name)
		}
		names[t.Name] = true
		p.list = append(p.list, p.admit(ctx, t))
	}
	return nil
}

// admit starts a third-party plugin; where that fails it is refused.
func (p *Plugins) admit(ctx context.Context, t ThirdParty) *remote {
	command := t.Run
	if command.Path == "" {
		command.Path = t.Path
	}
	r := &remote{
		plugins: p, program: newProgram(p.config, command, t.SHA256), command: command, config: t.Config, from: t.Path, stray: t.Stray,
		description: sdk.Description{Name: t.Name, Version: t.Version}, third: t,
	}
	if t.Refused != nil || !r.recall(r.identity()) {
		r.enlist(ctx)
	}
	return r
}

// enlist starts a third-party plugin and asks what it is; where that fails it
// is refused.
func (r *remote) enlist(ctx context.Context) {
	t := &r.third
	descriptions, err := []sdk.Description(nil), t.Refused
	switch {
	case err != nil:
	case t.SHA256 == "":
		err = fmt.Errorf("%w: none is pinned; pin the one that sha256sum %s prints", ErrChecksum, t.Path)
	default:
		descriptions, err = r.program.describe(ctx)
	}
	if err == nil {
		at := slices.IndexFunc(descriptions, func(d sdk.Description) bool { return d.Name == t.Name })
		switch {
		case at < 0:
			err = fmt.Errorf("the program serves no detector %q; correct the name or the path", t.Name)
		case t.Version != "" && descriptions[at].Version != t.Version:
			err = fmt.Errorf("the program says that its version is %q, its manifest says %q; have its author put that right", descriptions[at].Version, t.Version)
		default:
			r.mu.Lock()
			r.description = descriptions[at]
			r.mu.Unlock()
			err = r.prepare(ctx)
		}
	}
	if err != nil {
		r.refuse(err)
		r.plugins.config.Logger.Error("plugin refused", "plugin", t.Name, "path", t.Path, "error", err)
	}
}

// Evaluators returns the detectors for Input.Evaluators, by name. Refused and
// quarantined ones are among them: a run lists them as failed, with the reason.
func (p *Plugins) Evaluators() []Evaluator {
	out := make([]Evaluator, 0, len(p.list))
	for _, r := range p.list {
		if !r.stray {
			out = append(out, r)
		}
	}
	return out
}

// Describe returns what the detector of that name says of itself; false where
// there is none or it has not said so.
func (p *Plugins) Describe(name string) (sdk.Description, bool) {
	for _, r := range p.list {
		if d := r.Describe(); d.Name == name && d.Scope != "" {
			return d, true
		}
	}
	return sdk.Description{}, false
}

// Status tells how each plugin is, by name.
func (p *Plugins) Status() []PluginStatus {
	out := make([]PluginStatus, len(p.list))
	for i, r := range p.list {
		out[i] = r.status()
	}
	return out
}

// Release lets a quarantined plugin run again. A plugin that was in quarantine
// when the host started is started now; where that fails, the error says why
// and Status too.
func (p *Plugins) Release(ctx context.Context, name string) error {
	for _, r := range p.list {
		if r.Describe().Name == name {
			return r.release(ctx)
		}
	}
	return fmt.Errorf("%w: there is no plugin %q; `gridwarden plugins list` names them", ErrNotQuarantined, name)
}

// ErrNotQuarantined is said of a plugin that cannot be released.
var ErrNotQuarantined = errors.New("not in quarantine")

// Close stops all plugins and waits until their processes are gone.
func (p *Plugins) Close() error {
	p.wait.Lock()
	defer p.wait.Unlock()
	var stopping sync.WaitGroup
	if p.shared != nil {
		stopping.Go(p.shared.close)
	}
	for _, r := range p.list {
		stopping.Go(r.close)
	}
	stopping.Wait()
	p.config.watcher.wait()
	if p.config.Metrics != nil {
		for _, c := range []prometheus.Collector{p.runs, p.memory, p.cpu} {
			p.config.Metrics.Unregister(c)
		}
	}
	return p.config.ward.close()
}
