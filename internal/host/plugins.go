package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gridwarden/gridwarden/internal/console"
	"github.com/gridwarden/gridwarden/internal/control"
	"github.com/gridwarden/gridwarden/internal/detect"
)

// memoryFile is where it is remembered which plugins fail.
func memoryFile(dataDir string) string { return filepath.Join(dataDir, "plugins.json") }

// supervise has what plugins do remembered beyond the end of the host, and
// nothing of them left behind where it is killed.
func (h *Host) supervise(launch *detect.LaunchConfig) (err error) {
	if launch.Memory, err = detect.OpenMemory(memoryFile(h.cfg.DataDir)); err != nil {
		return fmt.Errorf("detectors: %w", err)
	}
	warden := h.opts.Warden
	if len(warden) == 0 && len(h.opts.BuiltIn) > 0 {
		return nil // another program serves the built-in detectors, and this one may know no such command
	}
	if len(warden) == 0 {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("detectors: %w", err)
		}
		warden = []string{self, "plugins", "ward"}
	}
	launch.Warden = detect.Command{Path: warden[0], Args: warden[1:]}
	return nil
}

// ReleasePlugin lets a quarantined plugin run again.
func (h *Host) ReleasePlugin(ctx context.Context, name, by string) error {
	if err := h.plugins.Release(ctx, name); err != nil {
		if errors.Is(err, detect.ErrNotQuarantined) {
			return notQuarantinedError{err}
		}
		return err
	}
	h.log.Info("a plugin was released from quarantine", "plugin", name, "by", by)
	return nil
}

// notQuarantinedError is control.ErrNotQuarantined in the words of detect.
type notQuarantinedError struct{ error }

// Is makes it control.ErrNotQuarantined and console.ErrNotFound.
func (notQuarantinedError) Is(target error) bool {
	return target == control.ErrNotQuarantined || target == console.ErrNotFound
}

// ReleaseStored lets a plugin run again while no program serves the data
// folder: what is remembered of it is forgotten.
func ReleaseStored(dataDir, name string) error {
	m, err := detect.OpenMemory(memoryFile(dataDir))
	if err != nil {
		return err
	}
	was, err := m.Forget(name)
	if err == nil && !was {
		return notQuarantinedError{fmt.Errorf("%w: nothing is remembered of a plugin %q", detect.ErrNotQuarantined, name)}
	}
	return err
}

// pluginDesk lets commands release plugins.
type pluginDesk struct{ h *Host }

// ReleasePlugin implements control.PluginService.
func (d pluginDesk) ReleasePlugin(ctx context.Context, name string) error {
	return d.h.ReleasePlugin(ctx, name, "command")
}

func (h *Host) pluginView() []console.Plugin {
	list := h.plugins.Status()
	out := make([]console.Plugin, len(list))
	for i, s := range list {
		out[i] = console.Plugin{
			Name: s.Name, Version: s.Version, Summary: s.Summary, BuiltIn: s.BuiltIn, SHA256: s.SHA256,
			PID: s.PID, Runs: int64(s.Runs), State: string(s.State), Error: s.Error,
			Shadow: s.Shadow, Failures: s.Failures, LastRun: s.LastRun, LastTook: s.LastDuration, Windows: s.Windows,
			MemoryPeak: s.MemoryPeak, MemoryLimit: s.Limits.MemoryBytes, CPU: s.CPU, CPULimit: s.Limits.CPUs, Held: s.Held,
			Watched: s.LimitedBy == detect.LimitedByWatch, LastWords: s.LastWords,
		}
	}
	return out
}
