package detect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// program is an executable that serves detectors, with at most one process of
// it running. A process that is doomed takes no new session and is stopped
// when its last one ends.
type program struct {
	launch  LaunchConfig
	command Command
	pinned  string // expected checksum, "" for the built-ins

	mu      sync.Mutex
	current *process
	shown   atomic.Pointer[process] // current, or one that was
	closed  bool
}

func newProgram(launch LaunchConfig, command Command, pinned string) *program {
	return &program{launch: launch, command: command, pinned: strings.ToLower(pinned)}
}

// acquire returns the running process, started if need be, for one session.
func (p *program) acquire(ctx context.Context) (*process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	if c := p.current; c != nil {
		if !c.doomed && !c.exited() {
			c.sessions++
			c.busy.Add(1)
			return c, nil
		}
		if c.sessions == 0 {
			c.stop()
		}
		p.current = nil
	}
	c, err := startProcess(ctx, p.launch, p.command, p.pinned)
	if err != nil {
		return nil, err
	}
	c.sessions = 1
	c.busy.Add(1)
	p.current = c
	p.shown.Store(c)
	return c, nil
}

// release ends a session; doom says that the process is not to be used again.
func (p *program) release(c *process, doom bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.sessions--
	c.busy.Add(-1)
	c.doomed = c.doomed || doom
	if c.sessions == 0 && (c.doomed || p.closed || p.current != c) {
		c.stop()
		if p.current == c {
			p.current = nil
		}
	}
}

func (p *program) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.current != nil {
		p.current.stop()
		p.current = nil
	}
}

// running returns the running process, nil where there is none. It does not
// wait for one that is being started or stopped.
func (p *program) running() *process {
	c := p.shown.Load()
	if c == nil || c.ended.Load() || c.exited() {
		return nil
	}
	return c
}

// describe asks the program which detectors it serves.
func (p *program) describe(ctx context.Context) ([]sdk.Description, error) {
	c, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.launch.StartTimeout)
	defer cancel()
	answer, err := c.service.Describe(ctx, &detectorv1.DescribeRequest{})
	if err != nil {
		err = fmt.Errorf("it does not say what it serves: %w", c.explain(err))
		p.release(c, true)
		return nil, err
	}
	p.release(c, false)
	if len(answer.GetDetectors()) == 0 {
		return nil, errors.New("the program serves no detector")
	}
	var out []sdk.Description
	for _, packed := range answer.GetDetectors() {
		d, err := sdk.UnpackDescription(packed)
		if err != nil {
			return nil, fmt.Errorf("detector %q describes itself wrongly: %w", packed.GetName(), err)
		}
		out = append(out, d)
	}
	return out, nil
}

// errClosed says that the host is done with its plugins.
var errClosed = errors.New("the plugins are closed")

// configure gives a detector its configuration, once for each process.
func (c *process) configure(ctx context.Context, name string, config []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.configured[name] || len(config) == 0 {
		return nil
	}
	answer, err := c.service.Configure(ctx, &detectorv1.ConfigureRequest{Detector: name, Config: config})
	if err != nil {
		return fmt.Errorf("configuring it: %w", c.explain(err))
	}
	var fields sdk.FieldErrors
	for _, f := range answer.GetErrors() {
		fields = append(fields, sdk.FieldError{Field: f.GetField(), Message: f.GetMessage()})
	}
	if fields != nil {
		return c.launch.misconfigured(name, fields)
	}
	c.configured[name] = true
	return nil
}

// misconfigured words errors in fields of a detector's configuration, each
// with its place in a file, where that is known.
func (c LaunchConfig) misconfigured(name string, fields sdk.FieldErrors) error {
	if c.Where != nil {
		placed := make(sdk.FieldErrors, len(fields))
		for i, f := range fields {
			placed[i] = f
			if at := c.Where(name, f.Field); at != "" {
				placed[i].Field = strings.TrimSuffix(at+": "+f.Field, ": ")
			}
		}
		fields = placed
	}
	return fmt.Errorf("its configuration is refused: %w", fields)
}
