package drivers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sort"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Device is one device to be read, as the configuration names it.
type Device struct {
	ID       string            // unique name in the configuration
	MeterID  string            // the utility's meter number; ID where empty
	URL      *url.URL          // modbus://host:port/unit, opc.tcp://host:port/path …
	Profile  *profile.Profile  // register or node map
	Mode     Mode              // Poll where empty
	Interval time.Duration     // between two reads of the points in no group; of publishing where subscribed
	Timeout  time.Duration     // of one request; a driver's default where zero
	Ratios   []Ratio           // of the usage point, by the time from which they hold
	Options  map[string]string // driver's own settings, documented in its README

	// Groups are intervals of the profile's groups that replace the profile's.
	Groups map[string]time.Duration
}

// Ratio brings secondary values to primary from a moment on.
type Ratio struct {
	From   time.Time // the zero time: since ever
	Factor float64   // of energies and powers; 1 where zero
	CT     float64   // of currents; 0 = not known
	PT     float64   // of voltages; 0 = not known
}

// GroupInterval returns how often the points of a group, an index into
// Profile.Groups, are read.
func (d *Device) GroupInterval(group int) time.Duration {
	g := d.Profile.Groups()[group]
	if own := d.Groups[g.Name]; own > 0 && g.Name != "" {
		return own
	}
	if g.Interval > 0 {
		return g.Interval
	}
	return d.Interval
}

// Mode says how a device delivers.
type Mode string

// Modes. Subscribe needs a session that is a Subscriber.
const (
	Poll      Mode = "poll"
	Subscribe Mode = "subscribe"
)

// Driver speaks one family of protocols.
type Driver interface {
	// Name is the driver's name in metrics and messages: modbus, opcua.
	Name() string
	// Schemes lists the URL schemes that it serves.
	Schemes() []string
	// Check validates a device's settings without touching the network.
	Check(d Device) error
	// Session makes a session to the device. It does not connect: the first
	// Read does, and every Read reconnects where the connection was lost.
	// Sessions of one Driver share connections where the protocol lets them
	// (units behind one gateway).
	Session(d Device) (Session, error)
	// Close releases what sessions share. Sessions must be closed before.
	Close() error
}

// Session reads one device. It is used by one goroutine at a time.
type Session interface {
	// Read returns one reading for every point of a group, an index into
	// Profile.Groups, in the group's order. Points that could not be read come
	// as readings of bad quality; err tells why where anything failed, and
	// names the device and the mend.
	Read(ctx context.Context, group int) ([]meter.Reading, error)
	Close() error
}

// Starter is implemented by sessions that read without holding a goroutine.
type Starter interface {
	// Start begins to read a group and returns at once. done is called exactly
	// once with what Read would have returned, on any goroutine, possibly
	// before Start returns; it must not block, and copies of the slice what it
	// keeps. One read of a session is under way at a time.
	Start(group int, done func([]meter.Reading, error))
}

// Condition is what a session knows of its device beside its readings.
type Condition struct {
	NextProbe   time.Time // a device that does not answer is left alone until then; zero where it is not
	Connections int       // open to the device or its gateway
	Parallel    int       // requests that may be under way there now, as learned
}

// Observer is implemented by sessions that tell their device's condition. It
// may be asked at any time, by any goroutine.
type Observer interface {
	Condition() Condition
}

// Backfiller is implemented by sessions of devices that keep a history.
type Backfiller interface {
	// Backfill delivers what the device recorded from one moment to another,
	// both included, oldest first, in one or more calls of fn. It may run beside
	// the session's other calls.
	Backfill(ctx context.Context, from, to time.Time, fn func([]meter.Reading)) error
}

// Subscriber is implemented by sessions that deliver changes unasked.
type Subscriber interface {
	// Subscribe delivers readings to fn until ctx is done. It reconnects by
	// itself, and delivers bad-quality readings when the source falls silent.
	Subscribe(ctx context.Context, fn func([]meter.Reading)) error
}

// Sharer is implemented by drivers whose devices share connections. Devices
// of a driver that is no Sharer are read independently of each other.
type Sharer interface {
	Share(d Device) Sharing
}

// Sharing says what d shares with others, for the poller's planning.
type Sharing struct {
	Connection string // devices of equal Connection share it
	Parallel   int    // reads that may be handed to the driver at once, at least 1; it may make some wait
	Together   bool   // reads at the same moment are joined into one request
}

// Gated is implemented by drivers that ask before every request. A process
// that was stopped and goes on learns by it at once that it may not go on.
type Gated interface {
	// Gate has the driver ask open before every request that it sends. Where
	// the answer is false it sends nothing, and drops what waits for its turn:
	// such reads end with ErrHeld. It is called before the first Session, and
	// open is cheap and may be called from any goroutine.
	Gate(open func() bool)
}

// ErrHeld ends a read of which a request was not sent because the gate was closed.
var ErrHeld = errors.New("not sent: this host may not read the device now")

// ErrClosed is what a session says that is read after its Close.
var ErrClosed = errors.New("the session was closed")

// Registry finds the driver for a URL. It is built once, explicitly.
type Registry struct {
	byScheme map[string]Driver
	drivers  []Driver
}

// NewRegistry returns a registry of the given drivers. Two drivers that claim
// the same scheme are a programming error.
func NewRegistry(list ...Driver) *Registry {
	r := &Registry{byScheme: make(map[string]Driver), drivers: list}
	for _, d := range list {
		for _, s := range d.Schemes() {
			if other := r.byScheme[s]; other != nil {
				panic(fmt.Sprintf("drivers %s and %s both claim %s://", other.Name(), d.Name(), s)) //nolint:forbidigo // a mistake in the program's own wiring
			}
			r.byScheme[s] = d
		}
	}
	return r
}

// For returns the driver for u.
func (r *Registry) For(u *url.URL) (Driver, error) {
	if d := r.byScheme[u.Scheme]; d != nil {
		return d, nil
	}
	schemes := make([]string, 0, len(r.byScheme))
	for s := range r.byScheme {
		schemes = append(schemes, s+"://")
	}
	sort.Strings(schemes)
	return nil, fmt.Errorf("no driver for %s://; use one of %s", u.Scheme, strings.Join(schemes, ", "))
}

// Gate sets the gate of every driver that asks.
func (r *Registry) Gate(open func() bool) {
	for _, d := range r.drivers {
		if g, ok := d.(Gated); ok {
			g.Gate(open)
		}
	}
}

// Drivers returns the drivers in the order of NewRegistry.
func (r *Registry) Drivers() []Driver { return r.drivers }

// Close closes every driver and returns the first error.
func (r *Registry) Close() error {
	var first error
	for _, d := range r.drivers {
		if err := d.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
