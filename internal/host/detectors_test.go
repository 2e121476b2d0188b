package host

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/pluginstore"
)

// plugged makes a configuration with a signed plugin in its folder: the test
// binary itself, which serves detectors.
func plugged(t *testing.T, name string, more ...string) (cfg *config.Config, admit func()) {
	t.Helper()
	dir := t.TempDir()
	plugin := filepath.Join(dir, "plugins", name)
	if err := os.MkdirAll(plugin, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(self, filepath.Join(plugin, "program")); err != nil {
		data, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(plugin, "program"), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	key, err := pluginstore.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	m, err := pluginstore.Compose(t.Context(), plugin, "program", []string{"serve-detectors"})
	if err != nil {
		t.Fatal(err)
	}
	m.Name, m.Version = name, "9.9.9"
	sign := func(name string, data []byte) ([]byte, error) { return key.Sign(name, data, time.Now()) }
	if _, err := pluginstore.SignFolder(t.Context(), plugin, m, sign); err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(dir, "utility.pub")
	file := filepath.Join(dir, "gridwarden.yaml")
	text := "data_dir: data\nplugins:\n  folder: plugins\n  keys: [utility.pub]\n" + strings.Join(more, "\n") + "\n"
	if err := errors.Join(os.WriteFile(public, key.Public().Text(), 0o600), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	cfg, err = config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, func() {
		plugins, err := pluginstore.ReadFolder(cfg.Plugins.Folder, []*pluginstore.PublicKey{key.Public()})
		if err != nil {
			t.Fatal(err)
		}
		if err := pluginstore.Admit(cfg.Plugins.LockFile(), plugins, "alice", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
}

func startedFrom(t *testing.T, cfg *config.Config) *detect.Plugins {
	t.Helper()
	plugins, err := LaunchDetectors(t.Context(), cfg, options(t).BuiltIn, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plugins.Close(); err != nil {
			t.Error(err)
		}
	})
	return plugins
}

func named(p *detect.Plugins, name string) (found []detect.PluginStatus, runs bool) {
	for _, s := range p.Status() {
		if s.Name == name && !s.BuiltIn {
			found = append(found, s)
		}
	}
	for _, e := range p.Evaluators() {
		runs = runs || e.Describe().Name == name
	}
	return found, runs
}

// A plugin that nobody admitted is listed, and runs go on without it; one that
// was admitted and is refused is missed by each run.
func TestPluginsOfTheFolder(t *testing.T) {
	cfg, admit := plugged(t, "nightowl", "  built_in: []")
	found, runs := named(startedFrom(t, cfg), "nightowl")
	if len(found) != 1 || found[0].State != detect.PluginRefused || runs || !strings.Contains(found[0].Error, "gridwarden plugins lock -c "+cfg.File()+" nightowl") {
		t.Errorf("not admitted: %+v, runs %v", found, runs)
	}
	admit()
	found, runs = named(startedFrom(t, cfg), "nightowl")
	if len(found) != 1 || found[0].State != detect.PluginRefused || !runs || !strings.Contains(found[0].Error, `serves no detector "nightowl"`) {
		t.Errorf("a liar: %+v, runs %v", found, runs)
	}
	if err := os.RemoveAll(filepath.Join(cfg.Plugins.Folder, "nightowl")); err != nil {
		t.Fatal(err)
	}
	found, runs = named(startedFrom(t, cfg), "nightowl")
	if len(found) != 1 || !runs || !strings.Contains(found[0].Error, "--remove nightowl") {
		t.Errorf("gone: %+v, runs %v", found, runs)
	}
}

// A folder cannot take the place of a built-in detector.
func TestAPluginCalledLikeABuiltIn(t *testing.T) {
	cfg, admit := plugged(t, "undersized")
	admit()
	plugins := startedFrom(t, cfg)
	found, _ := named(plugins, "undersized")
	if len(found) != 1 || found[0].State != detect.PluginRefused || !strings.Contains(found[0].Error, "rename one") {
		t.Errorf("%+v", found)
	}
	n := 0
	for _, e := range plugins.Evaluators() {
		if e.Describe().Name == "undersized" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d detectors of that name would run", n)
	}
}

func TestConfigurationsOfBuiltIns(t *testing.T) {
	for more, want := range map[string]string{
		"  configs: {undersized: {dyas: 30}}": "gridwarden.yaml:5:32: dyas: no such field",
		"  configs: {undersized: {days: 0}}":  "gridwarden.yaml:5:32: days: 0; give at least 1",
		"  configs: {nobody: {days: 0}}":      "no built-in detector is called so",
		"  shadow: [undersized, nobody]":      `gridwarden.yaml:5:24: plugins.shadow: there is no detector "nobody"`,
	} {
		cfg, _ := plugged(t, "nightowl", more)
		plugins, err := LaunchDetectors(t.Context(), cfg, options(t).BuiltIn, slog.New(slog.DiscardHandler), nil)
		if err == nil {
			err = errors.Join(errors.New("launched"), plugins.Close())
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", more, err, want)
		}
	}
	cfg, _ := plugged(t, "nightowl", "  configs: {undersized: {days: 20}}", "  shadow: [undersized]")
	startedFrom(t, cfg)
}

// What made a finding is kept: the stamp of a detector leads to its program.
func TestTheProgramOfBuiltInsIsKept(t *testing.T) {
	cfg := testConfig(t)
	h, err := New(t.Context(), cfg, options(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	store, err := pluginstore.Open(cfg.StoreDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range h.Plugins() {
		if program, ok := store.Program(s.SHA256); !ok || program.SHA256 != s.SHA256 {
			t.Errorf("the program %s of %s is not kept", s.SHA256, s.Name)
		}
	}
}
