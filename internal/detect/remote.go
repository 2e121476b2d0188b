package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// Backoff before a plugin that failed is tried again: it doubles with each
// failure, give or take a quarter, so that plugins that failed together do not
// come back together.
const (
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = time.Minute
)

// mostRestarts is how often a plugin whose process ended is started again for
// the same run, before the run has failed.
const mostRestarts = 2

func backoff(failures int) time.Duration {
	most := min(firstBackoff<<min(failures-1, 10), maxBackoff)
	return most*3/4 + rand.N(most/2) //nolint:gosec // nobody gains from guessing it
}

// remote is a detector in a plugin process: the Evaluator over the wire, with
// the supervision that goes with it.
type remote struct {
	plugins     *Plugins
	program     *program
	command     Command
	from        string // where a third-party plugin comes from
	description sdk.Description
	builtIn     bool
	stray       bool // was never admitted
	config      []byte
	third       ThirdParty

	mu        sync.Mutex
	alone     *program // a process for this detector alone, after trouble in the shared one
	closed    bool
	sum       string
	state     PluginState
	refusal   error
	last      error
	failures  int
	runs      int
	notBefore time.Time
	began     time.Time
	lastRun   time.Time
	took      time.Duration
	restarts  int // in this run
	windows   int // judged in the last run
	used      usage
	words     string // the last of the process that failed
}

// errTimeout says that a run took longer than a detector is given.
var errTimeout = errors.New("no end in time")

// Describe implements Evaluator.
func (r *remote) Describe() sdk.Description {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.description
}

// prepare configures the detector in the process that launched.
func (r *remote) prepare(ctx context.Context) error {
	c, err := r.program.acquire(ctx)
	if err != nil {
		return err
	}
	defer r.program.release(c, false)
	ctx, cancel := context.WithTimeout(ctx, r.plugins.config.StartTimeout)
	defer cancel()
	r.mu.Lock()
	if r.sum, r.state = c.sum, PluginReady; r.failures > 0 {
		r.state = PluginFailed
	}
	r.mu.Unlock()
	if check := r.plugins.config.CheckConfig; check != nil {
		if wrong := check(&r.description, r.config); wrong != nil {
			return r.plugins.config.misconfigured(r.description.Name, wrong)
		}
	}
	return c.configure(ctx, r.description.Name, r.config)
}

func (r *remote) refuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state, r.refusal = PluginRefused, err
	r.program.close()
}

// Start implements Evaluator: it waits out the backoff, has the process
// started again if need be, and opens the stream.
func (r *remote) Start(ctx context.Context) (Session, error) {
	program, err := r.admitted(ctx)
	if err != nil {
		return nil, err
	}
	s, err := r.open(ctx, program)
	if err != nil {
		err = fmt.Errorf("plugin %s: %w", r.description.Name, err)
		r.finished(err, ctx.Err() != nil)
		return nil, err
	}
	return s, nil
}

// admitted returns the program to run once the plugin may.
func (r *remote) admitted(ctx context.Context) (*program, error) {
	rest, err := r.claim()
	if err != nil {
		return nil, err
	}
	if rest > 0 {
		timer := time.NewTimer(rest)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			r.finished(ctx.Err(), true)
			return nil, ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began = r.plugins.config.Now()
	if r.alone != nil {
		return r.alone, nil
	}
	return r.program, nil
}

// claim takes the plugin for a run and says how long it has to rest before.
func (r *remote) claim() (rest time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, errClosed
	}
	switch r.state {
	case PluginRefused:
		r.count("refused")
		return 0, fmt.Errorf("plugin %s is refused: %w", r.description.Name, r.refusal)
	case PluginQuarantined:
		r.count("quarantined")
		return 0, fmt.Errorf("plugin %s is in quarantine after %d failures in a row, the last: %w; mend it and release it or restart", r.description.Name, r.failures, r.last)
	case PluginRunning:
		return 0, fmt.Errorf("plugin %s is in a run already; wait for it to end", r.description.Name)
	}
	r.state, r.began = PluginRunning, r.plugins.config.Now()
	return r.notBefore.Sub(r.began), nil
}

// open starts the stream of one run.
func (r *remote) open(ctx context.Context, program *program) (*session, error) {
	c, err := program.acquire(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.plugins.config.Timeout, errTimeout)
	fail := func(err error) (*session, error) {
		cancel()
		program.release(c, true)
		return nil, err
	}
	if err := c.configure(ctx, r.description.Name, r.config); err != nil {
		return fail(err)
	}
	stream, err := c.service.Evaluate(ctx)
	if err != nil {
		return fail(c.explain(err))
	}
	if err := stream.Send(&detectorv1.EvaluateRequest{Message: &detectorv1.EvaluateRequest_Open{Open: &detectorv1.Open{Detector: r.description.Name}}}); err != nil {
		return fail(c.explain(err))
	}
	r.mu.Lock()
	r.sum = c.sum
	r.mu.Unlock()
	s := &session{remote: r, program: program, process: c, stream: stream, ctx: ctx, cancel: cancel, waiting: make(map[uint64]*awaited), before: c.launch.watcher.used(c).cpu}
	s.receiver.Go(s.receive)
	return s, nil
}

// finished keeps the outcome of a run. A run that the host gave up is nobody's
// failure, nor is one that is tried again.
func (r *remote) finished(err error, cancelled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.plugins.config.Now()
	r.state, r.lastRun, r.took = PluginReady, now, now.Sub(r.began)
	if errors.Is(err, ErrRetry) {
		r.restarts++
		r.isolate()
		if !r.builtIn {
			r.notBefore = now.Add(backoff(r.restarts))
			r.plugins.config.Logger.Warn("detector is started again", "detector", r.description.Name, "error", err)
		}
		return
	}
	r.runs++
	r.restarts = 0
	switch {
	case err == nil:
		if r.failures > 0 {
			r.remember(Record{})
		}
		r.failures, r.last, r.words, r.notBefore = 0, nil, "", time.Time{}
		r.count("ok")
		r.reunite()
		return
	case cancelled:
		r.count("cancelled")
		return
	case errors.Is(err, errTimeout):
		r.count("timeout")
		r.isolate()
	case errors.Is(err, errOverLimit):
		r.count("limited")
		r.isolate()
	default:
		r.count("failed")
	}
	r.failures++
	r.last, r.state = err, PluginFailed
	r.notBefore = now.Add(backoff(r.failures))
	if r.failures >= r.plugins.config.QuarantineAfter {
		r.state = PluginQuarantined
	}
	r.remember(Record{Failures: r.failures, LastError: err.Error(), LastFailure: now, Quarantined: r.state == PluginQuarantined})
	r.plugins.config.Logger.Error("detector failed", "detector", r.description.Name, "failures", r.failures, "state", r.state, "error", err)
}

// isolate gives a built-in a process of its own for its next runs, so that it
// cannot take the others with it, or they it.
func (r *remote) isolate() {
	if r.builtIn && r.alone == nil && !r.closed {
		r.alone = newProgram(r.plugins.config, r.command, "")
	}
}

// reunite puts a built-in that does well back among the others.
func (r *remote) reunite() {
	if r.alone != nil {
		r.alone.close()
		r.alone = nil
	}
}

func (r *remote) count(result string) {
	r.plugins.runs.WithLabelValues(r.description.Name, result).Inc()
}

func (r *remote) status() PluginStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := &r.description
	s := PluginStatus{
		Name: d.Name, Version: d.Version, Summary: d.Summary, Scope: d.Scope, BuiltIn: r.builtIn, Path: cmp.Or(r.from, r.command.Path), SHA256: r.sum,
		Runs: r.runs, State: r.state, Failures: r.failures, LastRun: r.lastRun, LastDuration: r.took,
		Shadow: slices.Contains(r.plugins.config.Shadow, d.Name), Limits: r.limits(), LimitedBy: LimitedByNothing,
		Windows: r.windows, MemoryPeak: r.used.peak, CPU: r.used.cpu, Held: r.used.held, LastWords: r.words,
	}
	if watchable {
		s.LimitedBy = LimitedByWatch
	}
	program := r.program
	if r.alone != nil {
		program = r.alone
	}
	if c := program.running(); c != nil {
		s.PID = c.pid
		s.MemoryPeak = max(s.MemoryPeak, c.launch.watcher.used(c).peak)
	}
	for _, err := range []error{r.last, r.refusal} {
		if err != nil {
			s.Error = err.Error()
		}
	}
	return s
}

func (r *remote) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.program.close()
	if r.alone != nil {
		r.alone.close()
	}
}
