package modbus

import (
	"errors"
	"fmt"
	"time"

	"github.com/goburrow/modbus"
)

// unit is what is known of one unit's readiness to answer. A unit that stays
// silent, or over whose answers connections break, is left alone for a
// quarter of the time since it last answered, so that it costs the others
// behind its gateway little and is back soon after it returns.
type unit struct {
	unanswered int       // requests in a row without an answer that could be used
	since      time.Time // of the first of them
	probeAt    time.Time // left alone until then; zero where it is not
	lastErr    error
}

// firstProbe is the shortest time for which a unit is left alone.
const firstProbe = 2 * time.Second

// tolerated is how many requests in a row may stay unanswered before a unit
// is left alone.
const tolerated = 2

// observe takes in the outcome of a request. alone tells that nobody else
// could be held up.
func (u *unit) observe(err error, now time.Time, alone bool, longest time.Duration) {
	if err == nil || answered(err) {
		*u = unit{}
		return
	}
	if !unitSilent(err) && !errors.Is(err, errGarbled) && !errors.Is(err, errClosed) {
		return // the gateway could not be reached; that is not the unit's doing
	}
	var wait *waitError
	if errors.As(err, &wait) {
		return
	}
	if u.unanswered == 0 {
		u.since = now
	}
	u.unanswered++
	u.lastErr = err
	if u.unanswered >= tolerated && !alone {
		pause := min(max(now.Sub(u.since)/4, firstProbe), longest)
		u.probeAt = now.Add(jitter(pause))
	}
}

// suspended says why a request is not made now, nil where it may be.
func (u *unit) suspended(number byte, now time.Time) error {
	if wait := u.probeAt.Sub(now); wait > 0 {
		return u.wait(number, wait)
	}
	return nil
}

func (u *unit) wait(number byte, wait time.Duration) error {
	return &waitError{what: fmt.Sprintf("unit %d is left alone", number), wait: wait, err: u.lastErr}
}

// Exceptions by which a gateway says that the unit behind it did not answer.
func unitSilent(err error) bool {
	if errors.Is(err, errSilent) {
		return true
	}
	var ex *modbus.ModbusError
	return errors.As(err, &ex) && (ex.ExceptionCode == modbus.ExceptionCodeGatewayPathUnavailable ||
		ex.ExceptionCode == modbus.ExceptionCodeGatewayTargetDeviceFailedToRespond)
}

// answered reports whether err is the device's own refusal.
func answered(err error) bool {
	var ex *modbus.ModbusError
	return errors.As(err, &ex) && !unitSilent(err)
}
