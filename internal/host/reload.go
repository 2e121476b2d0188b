package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/console"
	"github.com/gridwarden/gridwarden/internal/poll"
)

// ErrNoConfigFile is returned by Reload where the program was started without one.
var ErrNoConfigFile = errors.New("this program was started without a configuration file, so there is none to read again")

// Reload is what became of reading the configured devices again.
type Reload struct {
	At   time.Time
	By   string // who asked: a signal, a command
	File string
	Took time.Duration

	poll.Change          // of the devices; zero where refused
	Restart     []string // keys of the file that changed too and take effect at the next start
	Warnings    []string

	// Problems are the lines of what is wrong. Where there are any, nothing
	// has changed: the devices before are read on.
	Problems []string
}

// Refused reports whether the devices before are read on.
func (r *Reload) Refused() bool { return len(r.Problems) > 0 }

// reloads holds one token, so that files are read by one Reload at a time and
// an older state never replaces a newer one.
type reloads struct {
	token    chan struct{}
	profiles map[string]*profile.Profile // that devices use; of who has the token
	last     atomic.Pointer[Reload]
}

// inUse are the profiles that devices use.
func inUse(devices []drivers.Device, all map[string]*profile.Profile) map[string]*profile.Profile {
	used := make(map[string]*profile.Profile)
	for i := range devices {
		if p := devices[i].Profile; all[p.Name] == p {
			used[p.Name] = p
		}
	}
	return used
}

// Reload reads the devices, device files and profiles of the configuration
// file again and replaces what differs while everything else is read on.
// Everything is checked before: where anything is wrong the result is refused
// and nothing has changed. The error is ErrNoConfigFile or that of ctx.
func (h *Host) Reload(ctx context.Context, by string) (*Reload, error) {
	if h.opts.ConfigFile == "" {
		return nil, ErrNoConfigFile
	}
	select {
	case h.reloads.token <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("reload: %w", context.Cause(ctx))
	}
	defer func() { <-h.reloads.token }()
	began := h.opts.Now()
	result := &Reload{At: began, By: by, File: h.opts.ConfigFile}
	if err := h.reload(result); err != nil {
		result.Problems = problemLines(err)
	}
	result.Took = h.opts.Now().Sub(began)
	h.reloads.last.Store(result)
	h.tell(result)
	h.hub.Publish(console.Update{Kind: "live"})
	return result, nil
}

func (h *Host) reload(result *Reload) error {
	cfg, err := config.Load(h.opts.ConfigFile)
	if err != nil {
		return err
	}
	network := h.Network()
	devices, profiles, err := loadDevices(cfg, h.opts.Drivers, network, h.reloads.profiles, h.opts.Profiles...)
	if err != nil {
		return err
	}
	result.Restart = config.Changed(h.cfg, cfg)
	result.Warnings = strangers(devices, network)
	if result.Change, err = h.applyDevices(devices); err != nil {
		return err
	}
	h.reloads.profiles = inUse(devices, profiles)
	return nil
}

// tell logs a result.
func (h *Host) tell(r *Reload) {
	if r.Refused() {
		for _, line := range r.Problems {
			h.log.Error("devices were not reloaded; those before are read on", "by", r.By, "problem", line)
		}
		return
	}
	h.log.Info("devices reloaded", "by", r.By, "file", r.File, "added", r.Added, "removed", r.Removed, "changed", r.Changed, "kept", r.Kept)
	if len(r.Restart) > 0 {
		h.log.Warn("the configuration file changed in more than its devices; restart to apply", "keys", strings.Join(r.Restart, ", "))
	}
	for _, warning := range r.Warnings {
		h.log.Warn("devices", "warning", warning)
	}
}

// problemLines are the lines of an error, none twice.
func problemLines(err error) []string {
	var out []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return out
}

// reloadOnSignal reloads with each SIGHUP until ctx ends.
func (h *Host) reloadOnSignal(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.opts.Hangups:
			if _, err := h.Reload(ctx, "SIGHUP"); err != nil && ctx.Err() == nil {
				h.log.Error("devices were not reloaded", "error", err)
			}
		}
	}
}
