package poll

import (
	"sync"
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
)

// DeviceStatus is what is known of a device now.
type DeviceStatus struct {
	ID       string
	MeterID  string
	Driver   string
	URL      string // without a password
	Profile  string
	Mode     drivers.Mode
	Interval time.Duration

	State               State
	Since               time.Time // of State
	LastOK              time.Time // zero where never
	LastError           string    // the last failure, kept after recovery; "" where none
	LastErrorAt         time.Time
	ConsecutiveFailures int
	Latency             time.Duration // of the last successful read
	Reads, Failures     uint64
	Missed              uint64 // turns not taken since the device was still being read
}

// Totals counts turns. Due is the sum of the others: a turn counts once its
// outcome is known.
type Totals struct {
	Due, OK, Failed, Missed uint64
	Readings                uint64 // of polls and subscriptions, whatever their quality
}

func (t Totals) minus(u Totals) Totals {
	return Totals{t.Due - u.Due, t.OK - u.OK, t.Failed - u.Failed, t.Missed - u.Missed, t.Readings - u.Readings}
}

// Mark is a moment from which Since counts.
type Mark struct {
	at     time.Time
	totals map[string]Totals
}

// tally keeps totals by driver.
type tally struct {
	mu       sync.Mutex
	byDriver map[string]*Totals
}

func (t *tally) change(driver string, f func(*Totals)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t.byDriver[driver])
}

func (t *tally) snapshot() map[string]Totals {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]Totals, len(t.byDriver))
	for name, totals := range t.byDriver {
		out[name] = *totals
	}
	return out
}

// Totals returns the counts by driver since Run began.
func (p *Poller) Totals() map[string]Totals { return p.tally.snapshot() }

// Mark remembers the counts of now.
func (p *Poller) Mark() Mark { return Mark{at: p.cfg.Now(), totals: p.Totals()} }

// Since returns the counts by driver since m and how long ago that was.
func (p *Poller) Since(m Mark) (map[string]Totals, time.Duration) {
	out := p.Totals()
	for name, totals := range out {
		out[name] = totals.minus(m.totals[name])
	}
	return out, p.cfg.Now().Sub(m.at)
}

// Status returns the status of every device, in the order of Config.Devices.
func (p *Poller) Status() []DeviceStatus {
	out := make([]DeviceStatus, len(p.devices))
	for i, d := range p.devices {
		d.mu.Lock()
		out[i] = d.status
		d.mu.Unlock()
	}
	return out
}

// record accounts for a turn that was taken.
func (p *Poller) record(d *device, began, ended time.Time, err error) {
	p.tally.change(d.driver, func(t *Totals) {
		t.Due++
		if err == nil {
			t.OK++
		} else {
			t.Failed++
		}
	})
	p.metrics.polled(d.driver, err == nil)
	d.mu.Lock()
	d.status.Reads++
	if err == nil {
		d.status.Latency = ended.Sub(began)
	}
	d.mu.Unlock()
	p.condition(d, ended, err)
}

// condition moves a device's state and logs a change of it, not every failure.
func (p *Poller) condition(d *device, now time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	st := &d.status
	before := st.State
	if err == nil {
		st.State, st.LastOK = OK, now
		if before == Failing {
			p.cfg.Logger.Info("device answers again", "device", st.ID, "failures", st.ConsecutiveFailures)
		}
		st.ConsecutiveFailures = 0
	} else {
		st.State, st.LastError, st.LastErrorAt = Failing, err.Error(), now
		st.ConsecutiveFailures++
		st.Failures++
		if before != Failing {
			p.cfg.Logger.Warn("device fails", "device", st.ID, "error", err)
		}
	}
	if st.State != before {
		st.Since = now
	}
}

// miss accounts for n turns that were not taken.
func (p *Poller) miss(d *device, n int) {
	p.tally.change(d.driver, func(t *Totals) {
		t.Due += uint64(n)
		t.Missed += uint64(n)
	})
	p.metrics.missed(d.driver, n)
	d.mu.Lock()
	d.status.Missed += uint64(n)
	d.mu.Unlock()
}
