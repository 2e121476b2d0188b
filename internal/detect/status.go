package detect

import (
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// PluginState is how a plugin is.
type PluginState string

// States of a plugin.
const (
	PluginReady       PluginState = "ready"       // waits for a run
	PluginRunning     PluginState = "running"     // judges
	PluginFailed      PluginState = "failed"      // its last run failed; it is tried again
	PluginQuarantined PluginState = "quarantined" // failed too often in a row; needs Release
	PluginRefused     PluginState = "refused"     // wrong checksum, configuration or program
)

// PluginStatus is what is known of a plugin.
type PluginStatus struct {
	Name    string      `json:"name"`
	Version string      `json:"version"`
	Summary string      `json:"summary"`
	Scope   sdk.Scope   `json:"scope"`
	BuiltIn bool        `json:"built_in"`
	Path    string      `json:"path"`
	SHA256  string      `json:"sha256"` // of the executable that runs it
	PID     int         `json:"pid"`    // 0 where no process runs
	Runs    int         `json:"runs"`   // finished, well or not
	State   PluginState `json:"state"`
	Error   string      `json:"error"` // of the last failure or refusal, with the mend

	Failures     int           `json:"failures"` // in a row
	LastRun      time.Time     `json:"last_run"`
	LastDuration time.Duration `json:"last_duration"`
}
