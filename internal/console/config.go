package console

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// Config says what the console shows and where it reads it. Results, Network,
// Curves, Access and Site.Location are required; whatever else is nil is shown
// as not set up.
type Config struct {
	Site    Site
	Results ResultSource
	Network func() *grid.Network // the current snapshot; nil before the first import
	Curves  curve.Store
	Access  Access

	Cases    CaseSource
	Loading  func(context.Context) (map[string]Loading, error) // live loading by transformer id
	Devices  func() []Device
	Device   func(id string) (*DeviceDetail, bool) // all of one device; nil: devices have no page
	Reloaded func() *Reload                        // the last reload of the devices; returns nil before the first
	Plugins  func() []Plugin
	// Release lets a quarantined plugin run again; ErrNotFound where there is
	// none. nil: nobody can here.
	Release   func(ctx context.Context, name, by string) error
	Historian Historian                            // nil: none configured
	Backlog   func(context.Context) (int64, error) // readings waiting in the stream for the historian
	Ready     func(context.Context) error          // nil: always ready; else /readyz answers with it

	// Hub carries "a new result is there" to open pages; nil: pages notice
	// changes by themselves within LiveInterval.
	Hub *Hub
	// LiveInterval is how often an open page looks for changed live values; 10 s where zero.
	LiveInterval time.Duration

	// UseName names a declared use by its code, "" where it is not in the
	// catalogue; nil: codes are shown with spaces.
	UseName func(code string) string

	// Sessions keeps logins; nil keeps them in memory, for as long as the process lives.
	Sessions scs.Store
	// SecureCookies marks cookies as HTTPS only. Set it wherever TLS is served.
	SecureCookies bool

	Threshold float64 // risk at which a case opens; 0.5 where zero
	Limits    Limits
	Version   string           // of the program, for the login page
	Clock     func() time.Time // time.Now where nil
	Logger    *slog.Logger     // slog.Default where nil
}

// Site names the place that is watched.
type Site struct {
	Name     string // "Shiqiao 35/10 kV"
	Area     string // "Hill County grid"; may be empty
	Location *time.Location
}

// Limits are the limits of a transformer; zero values take the defaults of
// IEC 60076-7 for oil-immersed units.
type Limits struct {
	HotSpotC float64 // 120
	LoadPct  float64 // 150
}

// ResultSource gives the latest detection run; detect.ResultStore is one. The
// result must not be changed after it was returned.
type ResultSource interface {
	// LatestResult returns nil where there was no run yet.
	LatestResult(ctx context.Context) (*detect.Result, error)
}

// Historian tells whether telemetry is being stored: "writing", "waiting", …
// with the error that stands in the way.
type Historian interface {
	State() (string, error)
}

// Loading is the present state of one transformer. NaN is unknown.
type Loading struct {
	At            time.Time // event time of the oldest value in it
	KW, KVA       float64
	HotSpotC      float64 // measured or calculated
	HotSpotLimitC float64 // 0: Limits.HotSpotC
}

// Plugin is one detector plugin.
type Plugin struct {
	Name, Version, Summary string
	BuiltIn                bool
	SHA256                 string
	PID                    int
	Runs                   int64
	State                  string // ready, running, failed, quarantined, refused
	Error                  string
	Key                    string // that signed it; "" where it is pinned by its checksum alone

	Shadow   bool      // its findings are kept, and weigh nothing
	Failures int       // in a row
	LastRun  time.Time // zero: none yet
	LastTook time.Duration
	Windows  int // in the last run

	// What its process used, with all that it started, and may use; 0 is no limit.
	MemoryPeak, MemoryLimit int64 // bytes
	CPU                     time.Duration
	CPULimit                float64       // processors on average
	Held                    time.Duration // for which it was held up in the last run
	Watched                 bool          // limits are kept; false: this system cannot

	LastWords string // on stderr, of the process that failed last
}

// ErrNotFound is returned (wrapped or not) for what does not exist.
var ErrNotFound = errors.New("not found")

// CaseSource reads cases.
type CaseSource interface {
	// Cases returns all cases, newest first.
	Cases(ctx context.Context) ([]Case, error)
	// Case returns one case; ErrNotFound where there is none.
	Case(ctx context.Context, id string) (*Case, error)
	// Measures returns the measures of a case, mildest first, also those that
	// do not apply.
	Measures(ctx context.Context, id string) (*Measures, error)
}

// Case is one case as the console shows it.
type Case struct {
	ID            string
	UsagePointID  string
	CustomerID    string
	TransformerID string
	State         string // open, desk_review, closed …
	Risk          float64
	Reasons       []string
	Opened        time.Time
	Updated       time.Time
	Timeline      []CaseEvent // may be empty in lists
}

// CaseEvent is one entry of a case's timeline.
type CaseEvent struct {
	At    time.Time
	What  string // "Case opened by finding"
	Text  string // detail; may be empty
	Actor string // who; "" for the program
}

// Measures are the measures of one case under one policy.
type Measures struct {
	Policy     string // name and version of the policy pack
	PolicyHash string
	FactsAt    time.Time
	List       []Measure
}

// Measure is one measure with what stands in its way.
type Measure struct {
	Code  string // watch, desk_review, inspect, rectify, tariff_correction, refer, suspend, restore
	State string // open, blocked, running, done, not_applicable
	Text  string // what it means here; may be empty
	Unmet []Unmet
}

// Unmet is a condition that blocks a measure.
type Unmet struct {
	Missing  string // what is missing
	Supplier string // who or what can supply it
	Rule     string // the rule's name in the policy pack
}

// User is who is logged in.
type User struct {
	Name        string // login name
	DisplayName string
	Role        string // case_officer, control_room … (the first of Roles)
	Roles       []string
}

// ErrBadLogin is returned by Access for a wrong name or password; it does not
// tell which.
var ErrBadLogin = errors.New("wrong name or password")

// ThrottledError is returned by Access where too many logins failed.
type ThrottledError struct{ RetryAfter time.Duration }

// Error names the waiting time.
func (e *ThrottledError) Error() string {
	return "too many failed logins; try again in " + e.RetryAfter.Round(time.Second).String()
}

// Access checks who may come in.
type Access interface {
	// Authenticate returns ErrBadLogin or a *ThrottledError (wrapped or not)
	// where it refuses. remote is the address that the request came from.
	Authenticate(ctx context.Context, name, password, remote string) (User, error)
	// User returns a user who may still come in; ErrNotFound otherwise. It is
	// asked on every request, so that a removed user is out at once.
	User(ctx context.Context, name string) (User, error)
}

func (c *Config) setDefaults() {
	if c.Threshold == 0 {
		c.Threshold = 0.5
	}
	if c.Limits.HotSpotC == 0 {
		c.Limits.HotSpotC = 120
	}
	if c.Limits.LoadPct == 0 {
		c.Limits.LoadPct = 150
	}
	if c.LiveInterval == 0 {
		c.LiveInterval = 10 * time.Second
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

func (c *Config) check() error {
	switch {
	case c.Results == nil:
		return errors.New("console: Config.Results is missing; give it a result store")
	case c.Network == nil:
		return errors.New("console: Config.Network is missing; give it a function that returns the registry's network")
	case c.Curves == nil:
		return errors.New("console: Config.Curves is missing; give it a curve store")
	case c.Access == nil:
		return errors.New("console: Config.Access is missing; nobody could log in")
	case c.Site.Location == nil:
		return errors.New("console: Config.Site.Location is missing; load it with time.LoadLocation")
	}
	return nil
}
