package poll

import (
	"time"

	"github.com/gridwarden/gridwarden/drivers"
)

// State is a device's condition in one word.
type State string

// States.
const (
	Waiting State = "waiting" // not read yet
	OK      State = "ok"      // the last read obtained every point
	Failing State = "failing" // the last read failed, wholly or in part
	Silent  State = "silent"  // it does not answer and is left alone until its next probe
)

// DeviceStatus is what is known of a device now.
type DeviceStatus struct {
	ID       string
	MeterID  string
	Driver   string
	URL      string // without a password
	Profile  string
	Mode     drivers.Mode
	Interval time.Duration // of the points in no group

	State               State
	Since               time.Time // of State
	LastOK              time.Time // zero where never
	LastError           string    // the last failure, kept after recovery; "" where none
	LastErrorAt         time.Time
	ConsecutiveFailures int
	Reads, Failures     uint64
	Missed              uint64 // turns not taken since the device was still being read, or the sink was behind

	Latency  time.Duration // of the last successful read
	P50, P99 time.Duration // of successful reads, the newer ones weighing more; 0 where none

	NextTurn    time.Time // the earliest of its groups; zero where none is planned
	NextProbe   time.Time // zero unless the device does not answer and is left alone until then
	Connections int       // open to the device or its gateway, where the driver tells
	Parallel    int       // requests that may be under way there at once, as learned; 0 where the driver does not tell

	ClockKnown  bool          // the device shows its clock
	ClockOffset time.Duration // how far that is ahead of the receiver's
}

// Status returns the status of every device, in the order of the configuration.
func (p *Poller) Status() []DeviceStatus {
	fleet := p.devices()
	out := make([]DeviceStatus, len(fleet))
	for i, d := range fleet {
		out[i] = d.status()
	}
	return out
}

func (d *device) status() DeviceStatus {
	c := d.condition()
	offset, known := d.clockOf()
	d.mu.Lock()
	defer d.mu.Unlock()
	h := &d.health
	s := DeviceStatus{
		ID: d.dev.ID, MeterID: d.dev.Meter(), Driver: d.driver.name, URL: d.dev.URL.Redacted(), Profile: d.dev.Profile.Name,
		Mode: d.dev.Mode, Interval: d.dev.Interval,
		State: h.state, Since: h.since, LastOK: h.lastOK, LastError: h.lastError, LastErrorAt: h.lastErrorAt,
		ConsecutiveFailures: h.consecutive, Reads: h.reads, Failures: h.failures, Missed: h.missed,
		Latency: h.latency, P50: h.trips.quantile(.5), P99: h.trips.quantile(.99),
		NextProbe: c.NextProbe, Connections: c.Connections, Parallel: c.Parallel,
	}
	if s.ClockOffset, s.ClockKnown = offset, known; d.clock >= 0 && d.points[d.clock].reads > 0 {
		s.ClockKnown = true
		s.ClockOffset = time.Duration(d.points[d.clock].value * float64(time.Second))
	}
	for i := range d.readers {
		if next := d.readers[i].nextTurn(); !next.IsZero() && (s.NextTurn.IsZero() || next.Before(s.NextTurn)) {
			s.NextTurn = next
		}
	}
	return s
}

func (r *reader) nextTurn() time.Time {
	if ns := r.next.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// condition asks the session, where it tells.
func (d *device) condition() drivers.Condition {
	if o, ok := d.opened().(drivers.Observer); ok {
		return o.Condition()
	}
	return drivers.Condition{}
}

// clocked is implemented by sessions whose protocol tells the clock of what
// they talk to.
type clocked interface{ ClockOffset() (time.Duration, bool) }

func (d *device) clockOf() (offset time.Duration, known bool) {
	if c, ok := d.opened().(clocked); ok {
		return c.ClockOffset()
	}
	return 0, false
}

// opened returns the device's session.
func (d *device) opened() drivers.Session {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.session
}
