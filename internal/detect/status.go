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

	Shadow    bool   `json:"shadow"`               // its findings are kept, and weigh nothing
	Windows   int    `json:"windows"`              // judged in the last run
	LastWords string `json:"last_words,omitempty"` // on stderr, of the process that failed last

	// What its process has used, with all that it started; the built-in
	// detectors share one.
	MemoryPeak int64         `json:"memory_peak"` // bytes, the most at a time
	CPU        time.Duration `json:"cpu"`         // processor time in the last run
	Held       time.Duration `json:"held"`        // for which it was held up, since it used too many processors
	Limits     Limits        `json:"limits"`
	LimitedBy  LimitedBy     `json:"limited_by"`
}

// LimitedBy says what keeps plugins within their limits.
type LimitedBy string

// What keeps plugins within their limits.
const (
	LimitedByWatch   LimitedBy = "watch"   // the host, which looks at /proc several times a second
	LimitedByNothing LimitedBy = "nothing" // this system does not tell what processes use
)
