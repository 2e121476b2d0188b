package poll

import (
	"fmt"
	"math"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Quality sets when a value that a device vouches for is doubted. A doubt
// makes a good reading uncertain, adds a flag where there is one, and says why
// in the reading's detail; it never changes a value, and never makes a reading
// better. Zero takes the default, a negative value switches the rule off.
//
// Jumps and implausible curves are judged where days are known (validation
// and estimation), not here.
type Quality struct {
	// FrozenAfter flags a voltage, current, power or frequency that has not
	// changed in a single bit for so long, over at least FrozenReads reads, as
	// frozen. Zero, and values of fewer than four significant digits, may well
	// repeat and are never flagged. 1 h and 20 where zero.
	FrozenAfter time.Duration
	FrozenReads int

	// StaleTurns flags a measured value, other than zero, as stale when its
	// event time is older than so many intervals, and than StaleAtLeast, and
	// does not move on. Registers and states are dated at their last change and
	// may be old. Where event times are as old but move on, the source's clock
	// is behind, which is said instead. 10 and 30 s where zero.
	StaleTurns   int
	StaleAtLeast time.Duration

	// ClockAhead is how far an event time may lie after the time of receipt.
	// 5 s where zero.
	ClockAhead time.Duration

	// ClockOffset is how wrong a device's clock, where it shows one, may be
	// before the event times that it gives are doubted. 1 min where zero.
	ClockOffset time.Duration
}

func (q *Quality) setDefaults() {
	for _, d := range []struct {
		to *time.Duration
		by time.Duration
	}{{&q.FrozenAfter, time.Hour}, {&q.StaleAtLeast, 30 * time.Second}, {&q.ClockAhead, 5 * time.Second}, {&q.ClockOffset, time.Minute}} {
		switch {
		case *d.to == 0:
			*d.to = d.by
		case *d.to < 0:
			*d.to = math.MaxInt64
		}
	}
	if q.FrozenReads == 0 {
		q.FrozenReads = 20
	}
	if q.StaleTurns == 0 {
		q.StaleTurns = 10
	}
}

// A cumulative register that falls has rolled over where it stood within
// nearRollover of its rollover point and now stands within it of zero. A fall
// of less than a millionth is rounding.
const (
	nearRollover = 0.05
	rounding     = 1e-6
)

// nature is what may be expected of a quantity.
type nature uint8

const (
	other    nature = iota
	varying         // never twice the same for long: voltage, current, power, frequency
	measured        // varies, but slowly or coarsely: temperatures, shares
	register        // cumulative: only rises
)

func natureOf(q meter.Quantity) nature {
	switch q {
	case meter.FanRunning, meter.Alarm, meter.Trip, meter.ClockOffset:
		return other
	}
	if q.Cumulative() {
		return register
	}
	switch q.Unit() {
	case meter.Volt, meter.Ampere, meter.Kilowatt, meter.Kilovar, meter.KilovoltAmp, meter.Hertz:
		return varying
	}
	return measured
}

// doubt is why a reading is not good though the device gave it as good.
type doubt uint8

const (
	sound doubt = iota
	rolledOver
	fell
	stale
	behind
	ahead
	unsynchronised
	frozen
	estimated
)

// rawKept is how much of a native code is remembered: every number of Modbus,
// and of OPC UA with its type.
const rawKept = 15

// point is what is remembered of one quantity of one device: 80 bytes.
type point struct {
	value    float64 // the last usable value
	shown    float64 // the last value, usable or not
	event    int64   // of value, in nanoseconds of the epoch
	received int64   // of shown
	since    int64   // value is the same, to the bit, from then on
	reads    uint32  // of the same value; 0 before the first
	flags    meter.Flags
	quality  meter.Quality
	doubt    doubt
	rawLen   uint8
	raw      [rawKept]byte // the native code of shown, cut
	detail   string        // of shown
}

// circumstance is what else counts when a reading is judged.
type circumstance struct {
	nature   nature
	interval time.Duration // of its group; 0 where readings come unasked, so that their age says nothing
	rollover float64       // where the register starts again; 0 where not known
	offset   float64       // seconds that the device's clock is ahead; 0 where not known
}

// see judges one reading against what is remembered, changes its quality,
// flags and detail, and remembers it.
func (q *Quality) see(p *point, c *circumstance, r *meter.Reading) {
	received := r.ReceiveTime.UnixNano()
	event := received
	if r.EventTime != r.ReceiveTime {
		event = r.EventTime.UnixNano()
	}
	d := sound
	if r.Quality != meter.Bad && !math.IsNaN(r.Value) {
		d = q.doubts(p, c, r, event, received)
		if d != sound {
			express(p, c, d, r, event, received)
		}
	}
	p.doubt = d
	p.shown, p.received, p.quality, p.flags, p.detail = r.Value, received, r.Quality, r.Flags, r.Detail
	p.rawLen = uint8(copy(p.raw[:], r.Raw)) //nolint:gosec // at most rawKept
}

// doubts finds the gravest doubt about a usable reading and takes its value in.
func (q *Quality) doubts(p *point, c *circumstance, r *meter.Reading, event, received int64) doubt {
	known := p.reads > 0
	if known && event < p.event {
		return q.doubtsTime(p, c, r, event, received) // older than what is known: a late answer, no fall
	}
	d := sound
	if known && math.Float64bits(r.Value) == math.Float64bits(p.value) {
		if p.reads < math.MaxUint32 {
			p.reads++
		}
	} else {
		if known && c.nature == register && r.Value < p.value-rounding*math.Abs(p.value) {
			d = fell
			if c.rollover > 0 && p.value <= c.rollover && p.value >= (1-nearRollover)*c.rollover && r.Value >= 0 && r.Value <= nearRollover*c.rollover {
				d = rolledOver
			}
		}
		p.since, p.reads = received, 1
	}
	if d == sound && event != received {
		d = q.doubtsTime(p, c, r, event, received)
	}
	if d == sound && c.nature == varying && received-p.since >= int64(q.FrozenAfter) && int64(p.reads) >= int64(q.FrozenReads) && fine(r.Value) {
		d = frozen
	}
	if d == sound && r.Quality == meter.Good && r.Flags.Has(meter.Estimated) {
		d = estimated
	}
	p.value, p.event = r.Value, event
	return d
}

// doubtsTime judges the event time that a source gave.
func (q *Quality) doubtsTime(p *point, c *circumstance, r *meter.Reading, event, received int64) doubt {
	switch {
	case event-received > int64(q.ClockAhead):
		return ahead
	case c.interval > 0 && q.StaleTurns > 0 && received-event > max(int64(q.StaleTurns)*int64(c.interval), int64(q.StaleAtLeast)):
		if p.event != 0 && event > p.event {
			return behind
		}
		if (c.nature == varying || c.nature == measured) && r.Value != 0 {
			return stale
		}
	}
	if event != received && math.Abs(c.offset) > q.ClockOffset.Seconds() {
		return unsynchronised
	}
	return sound
}

// express puts a doubt into the reading. The words of a doubt that lasts are
// made once.
func express(p *point, c *circumstance, d doubt, r *meter.Reading, event, received int64) {
	switch d {
	case rolledOver:
		r.Flags |= meter.Rollover
		return
	case stale:
		r.Flags |= meter.Stale
	case frozen:
		r.Flags |= meter.Frozen
	}
	r.Quality = min(r.Quality, meter.Uncertain)
	if r.Detail != "" {
		return
	}
	if d == p.doubt && d != fell && p.detail != "" {
		r.Detail = p.detail
		return
	}
	age := time.Duration(received - event).Round(100 * time.Millisecond)
	switch d {
	case fell:
		r.Detail = fmt.Sprintf("the register fell to %v, which is not its rollover: the meter was reset or exchanged; check it and enter an exchange in the registry", r.Value)
	case stale:
		r.Detail = fmt.Sprintf("the source dates the value %v back and does not renew it; check what feeds it, or read it less often", age)
	case behind:
		r.Detail = fmt.Sprintf("the source's clock is %v behind; synchronise it", age)
	case ahead:
		r.Detail = fmt.Sprintf("the source's clock is %v ahead; synchronise it", -age)
	case unsynchronised:
		r.Detail = fmt.Sprintf("the device's clock is wrong by %.0f s; synchronise it", c.offset)
	case frozen:
		r.Detail = "the value has not changed in a single bit since " + time.Unix(0, p.since).UTC().Format(time.RFC3339) + "; check what measures it"
	case estimated:
		r.Detail = "the device gives it as estimated"
	}
}

// fine reports whether v has at least four significant digits, so that it
// will not repeat for long by itself.
func fine(v float64) bool {
	v = math.Abs(v)
	if v == 0 {
		return false
	}
	for scale := 1.0; scale <= 1000; scale *= 10 {
		x := v * scale
		if n := math.Round(x); math.Abs(x-n) <= 1e-6*x { // a float32 is as near to its decimal
			return n >= 1000
		}
	}
	return v >= 0.01
}
