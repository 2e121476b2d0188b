package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/pluginstore"
)

// programs finds the programs behind findings and starts them.
type programs struct {
	launch  detect.LaunchConfig // of the present configuration
	store   *pluginstore.Store
	dir     string
	builtIn []string // names of the built-in detectors
	serve   []string // arguments that serve them
	self    string   // checksum of the program that serves them
}

func newPrograms(ctx context.Context, cfg *config.Config, builtIn, serve []string) (*programs, error) {
	launch, err := launchConfig(ctx, cfg, serve)
	if err != nil {
		return nil, err
	}
	p := &programs{launch: launch, dir: cfg.StoreDir(), builtIn: builtIn, serve: []string{"plugins", "serve"}}
	if len(serve) > 0 {
		p.serve = serve[1:]
	}
	if launch.BuiltIn.Path != "" {
		if p.self, err = sumOf(launch.BuiltIn.Path); err != nil {
			return nil, err
		}
	}
	p.store, err = storeOf(cfg)
	return p, err
}

// launched are detectors that run.
type launched struct {
	plugins    []*detect.Plugins
	evaluators []detect.Evaluator
}

func (l *launched) close() {
	for _, p := range l.plugins {
		_ = p.Close() // it waits until they are gone and has nothing to say
	}
}

// add starts detectors and takes those of the given names.
func (l *launched) add(ctx context.Context, c detect.LaunchConfig, names ...string) error {
	p, err := detect.Launch(ctx, c)
	if err != nil {
		return fmt.Errorf("detectors: %w", err)
	}
	l.plugins = append(l.plugins, p)
	for _, s := range p.Status() {
		if slices.Contains(names, s.Name) && s.State == detect.PluginRefused {
			return fmt.Errorf("detector %s is refused: %s", s.Name, s.Error)
		}
	}
	for _, e := range p.Evaluators() {
		if len(names) == 0 || slices.Contains(names, e.Describe().Name) {
			l.evaluators = append(l.evaluators, e)
		}
	}
	return nil
}

// then starts the programs that bear these stamps.
func (p *programs) then(ctx context.Context, stamps []detect.Stamp, withCurrent bool) (*launched, error) {
	configs := make([]detect.LaunchConfig, 0, len(stamps))
	for _, s := range stamps {
		c, err := p.of(s, withCurrent)
		if err != nil {
			return nil, err
		}
		configs = append(configs, c)
	}
	l := &launched{}
	for i, c := range configs {
		if err := l.add(ctx, c, stamps[i].Detector); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// of says how the program of a stamp is started, for its detector alone.
func (p *programs) of(s detect.Stamp, withCurrent bool) (detect.LaunchConfig, error) {
	kept, ok := p.store.Program(s.SHA256)
	configured := slices.IndexFunc(p.launch.ThirdParty, func(t detect.ThirdParty) bool { return t.Name == s.Detector && !t.Stray })
	builtIn := slices.Contains(p.builtIn, s.Detector) && configured < 0
	switch {
	case ok:
		return p.alone(s.Detector, builtIn, kept), nil
	case builtIn && (s.SHA256 == p.self || withCurrent):
		return p.present(s.Detector), nil
	case configured >= 0 && (p.launch.ThirdParty[configured].SHA256 == s.SHA256 || withCurrent):
		c := p.bare()
		c.ThirdParty = []detect.ThirdParty{p.launch.ThirdParty[configured]}
		return c, nil
	}
	return detect.LaunchConfig{}, fmt.Errorf("the program that served detector %s %s, SHA-256 %s, is neither this one nor in %s; put it there from a backup, or replay --with-current to see what the present program finds",
		s.Detector, s.Version, s.SHA256, p.dir)
}

// bare is the present configuration without detectors.
func (p *programs) bare() detect.LaunchConfig {
	c := p.launch
	c.BuiltIn, c.Configs, c.ThirdParty, c.Keep, c.Metrics = detect.Command{}, nil, nil, nil, nil
	return c
}

// present serves one built-in detector from the present program.
func (p *programs) present(detector string) detect.LaunchConfig {
	c := p.bare()
	c.BuiltIn = p.launch.BuiltIn
	c.BuiltIn.Args = append(slices.Clone(p.serve), detector)
	c.Configs = p.configOf(detector)
	return c
}

func (p *programs) configOf(detector string) map[string][]byte {
	if config, ok := p.launch.Configs[detector]; ok {
		return map[string][]byte{detector: config}
	}
	return nil
}

// alone serves one detector from a program of the store.
func (p *programs) alone(detector string, builtIn bool, program *pluginstore.Program) detect.LaunchConfig {
	c := p.bare()
	run := command(program)
	if builtIn {
		run.Args = append(slices.Clone(p.serve), detector)
		c.BuiltIn, c.Configs = run, p.configOf(detector)
		return c
	}
	t := detect.ThirdParty{Name: detector, Path: program.Path, SHA256: program.SHA256, Run: run}
	if at := slices.IndexFunc(p.launch.ThirdParty, func(t detect.ThirdParty) bool { return t.Name == detector }); at >= 0 {
		t.Config = p.launch.ThirdParty[at].Config
	}
	c.ThirdParty = []detect.ThirdParty{t}
	return c
}

// pair starts what runs now, and a candidate.
func (p *programs) pair(ctx context.Context, c Candidate) (present, candidate *launched, err error) {
	config, err := p.candidate(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	present, candidate = &launched{}, &launched{}
	now := p.launch
	now.Keep, now.Metrics = nil, nil
	if err = present.add(ctx, now); err == nil {
		err = candidate.add(ctx, config, c.Detector)
	}
	if err == nil && len(candidate.evaluators) == 0 {
		err = fmt.Errorf("the program serves no detector %q", c.Detector)
	}
	if err != nil {
		present.close()
		candidate.close()
		return nil, nil, err
	}
	return present, candidate, nil
}

// candidate says how a candidate is started.
func (p *programs) candidate(ctx context.Context, c Candidate) (detect.LaunchConfig, error) {
	configured := slices.IndexFunc(p.launch.ThirdParty, func(t detect.ThirdParty) bool { return t.Name == c.Detector && !t.Stray })
	builtIn := slices.Contains(p.builtIn, c.Detector) && configured < 0
	switch {
	case c.Plugin != "" && c.SHA256 == "":
		sum, err := sumOf(c.Plugin)
		if err != nil {
			return detect.LaunchConfig{}, err
		}
		return detect.LaunchConfig{}, fmt.Errorf("%s is not pinned: nothing runs unseen; where the program is the one that you mean, add --sha256 %s", c.Plugin, sum)
	case c.Plugin != "":
		program, err := p.store.Pin(ctx, pluginstore.Pinned{Path: c.Plugin, SHA256: c.SHA256})
		if err != nil {
			return detect.LaunchConfig{}, fmt.Errorf("%s: %w", c.Plugin, err)
		}
		return p.alone(c.Detector, builtIn, program), nil
	case c.SHA256 != "":
		program, ok := p.store.Program(c.SHA256)
		if !ok {
			return detect.LaunchConfig{}, fmt.Errorf("no program with the SHA-256 %s is in %s; give its path with --plugin", c.SHA256, p.dir)
		}
		return p.alone(c.Detector, builtIn, program), nil
	case configured >= 0 && slices.Contains(p.launch.Shadow, c.Detector):
		config := p.bare()
		config.ThirdParty = []detect.ThirdParty{p.launch.ThirdParty[configured]}
		return config, nil
	case builtIn && slices.Contains(p.launch.Shadow, c.Detector):
		return p.present(c.Detector), nil
	}
	return detect.LaunchConfig{}, errors.New("there is nothing to compare: the detector runs already as configured; give a candidate with --plugin PATH --sha256 SUM, or put the detector in shadow mode first")
}
