package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// identity is what a third-party plugin is remembered by: the checksum of all
// that it runs.
func (r *remote) identity() string {
	return cmp.Or(r.command.Sum, strings.ToLower(r.third.SHA256))
}

// recall takes over what is remembered of the plugin with this checksum, and
// reports whether it is in quarantine: then it is not even started.
func (r *remote) recall(sum string) (quarantined bool) {
	record, ok := r.plugins.config.Memory.Get(r.Describe().Name, sum)
	if !ok {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures, r.last = record.Failures, errors.New(record.LastError)
	r.sum, r.lastRun = sum, record.LastFailure
	r.state = PluginFailed
	if record.Quarantined {
		r.state = PluginQuarantined
	}
	return record.Quarantined
}

// remember keeps how the plugin fares beyond the end of the host; a record
// without failures is forgotten. r.mu is held.
func (r *remote) remember(record Record) {
	var err error
	if record.Failures == 0 {
		_, err = r.plugins.config.Memory.Forget(r.description.Name)
	} else {
		if record.SHA256 = r.identity(); r.builtIn {
			record.SHA256 = r.sum
		}
		err = r.plugins.config.Memory.Put(r.description.Name, record)
	}
	if err != nil {
		r.plugins.config.Logger.Error("how plugins fare cannot be kept; after a restart they start afresh", "detector", r.description.Name, "error", err)
	}
}

// release ends the quarantine. A plugin that was not started because of it is
// started now.
func (r *remote) release(ctx context.Context) error {
	r.mu.Lock()
	name, unknown := r.description.Name, r.description.Scope == ""
	if r.state != PluginQuarantined {
		state := r.state
		r.mu.Unlock()
		return fmt.Errorf("%w: plugin %s is %s", ErrNotQuarantined, name, state)
	}
	r.state, r.failures, r.notBefore = PluginFailed, 0, time.Time{}
	r.remember(Record{})
	r.mu.Unlock()
	if unknown {
		r.enlist(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == PluginRefused {
		return fmt.Errorf("plugin %s was released, and is refused: %w", name, r.refusal)
	}
	r.plugins.config.Logger.Info("plugin released from quarantine", "plugin", name)
	return nil
}

// mayRestart reports whether the process is worth starting again in this run.
func (r *remote) mayRestart() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.restarts < mostRestarts
}

// limits are those that hold for the plugin's process.
func (r *remote) limits() Limits {
	if r.builtIn {
		return builtInLimits()
	}
	return r.plugins.config.Limits
}

// note keeps what a session used, before its process may go.
func (s *session) note(err error) {
	used := s.process.launch.watcher.measure(s.process)
	r := s.remote
	name := r.Describe().Name
	if s.program == r.program && r.builtIn {
		name = "built_in"
	}
	r.plugins.memory.WithLabelValues(name).Set(float64(used.peak))
	r.plugins.cpu.WithLabelValues(name).Set(used.cpu.Seconds())
	used.cpu -= s.before
	s.mu.Lock()
	judged := s.judged
	s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used, r.windows = used, judged
	if err != nil {
		r.words = s.process.words.String()
	}
}
