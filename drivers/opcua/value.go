package opcua

import (
	"fmt"
	"math"
	"time"

	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// The two top bits of a status code say whether a value is good, uncertain or
// bad (OPC 10000-4, 7.38.1); the next fourteen name the code itself.
const (
	severityMask    = 0xC0000000
	severityGood    = 0x00000000
	severityUncert  = 0x40000000
	subCodeMask     = 0xFFFF0000
	maxRaw          = 32
	toleratedFuture = 10 * time.Minute
)

// reading turns a data value into a reading of one point.
func reading(dev *drivers.Device, pt *profile.OPCUAPoint, dv *ua.DataValue, received time.Time) meter.Reading {
	if dv == nil {
		return dev.FailedPoint(pt.Quantity, received, meter.Missing, "the server returned nothing for this node")
	}
	status := uint32(dv.Status)
	if s := status & severityMask; s != severityGood && s != severityUncert {
		r := dev.FailedPoint(pt.Quantity, received, flagsOf(dv.Status), fmt.Sprintf("node %s: %v", pt.Node, dv.Status))
		return r
	}
	number, err := number(dv.Value)
	if err != nil {
		return dev.FailedPoint(pt.Quantity, received, meter.Implausible, fmt.Sprintf("node %s: %v; name a node that holds a number", pt.Node, err))
	}
	event, clock := eventTime(dv, received)
	r := dev.Reading(pt.Quantity, pt.Side, pt.Value(number), event, received, raw(dv.Value))
	if r.Quality == meter.Good && status&severityMask == severityUncert {
		r.Quality = meter.Uncertain
		r.Flags |= flagsOf(dv.Status)
		r.Detail = fmt.Sprintf("node %s: %v", pt.Node, dv.Status)
	}
	if r.Quality == meter.Good && clock != "" {
		r.Quality, r.Detail = meter.Uncertain, clock
	}
	return r
}

// eventTime prefers the source's time, then the server's. A time that cannot
// be is replaced by the time of receipt, and said.
func eventTime(dv *ua.DataValue, received time.Time) (event time.Time, problem string) {
	for _, t := range []time.Time{dv.SourceTimestamp, dv.ServerTimestamp} {
		if t.Year() < 2000 {
			continue
		}
		if ahead := t.Sub(received); ahead > toleratedFuture {
			return received, fmt.Sprintf("the source's clock is %v ahead; synchronise it", ahead.Round(time.Second))
		}
		return t.UTC(), ""
	}
	return received, ""
}

// flagsOf maps the status codes of OPC 10000-4 and -8 that have a meaning in
// our flags.
func flagsOf(code ua.StatusCode) meter.Flags {
	switch ua.StatusCode(uint32(code) & subCodeMask) {
	case ua.StatusBadNoCommunication, ua.StatusBadDeviceFailure, ua.StatusBadNotConnected, ua.StatusBadCommunicationError:
		return meter.CommFailure
	case ua.StatusUncertainLastUsableValue, ua.StatusUncertainNoCommunicationLastUsableValue:
		return meter.Stale
	case ua.StatusUncertainSubstituteValue:
		return meter.Substituted
	case ua.StatusUncertainEngineeringUnitsExceeded, ua.StatusBadOutOfRange:
		return meter.OutOfRange
	}
	return meter.Missing & badOnly(code)
}

// badOnly is all flags for a bad code and none for an uncertain one.
func badOnly(code ua.StatusCode) meter.Flags {
	if uint32(code)&severityMask == severityUncert {
		return 0
	}
	return math.MaxUint16
}

// number takes the number out of a scalar variant.
func number(v *ua.Variant) (float64, error) {
	if v == nil || v.Value() == nil {
		return math.NaN(), nil
	}
	switch n := v.Value().(type) {
	case float64:
		return n, nil
	case float32:
		return float64(n), nil
	case int8:
		return float64(n), nil
	case uint8:
		return float64(n), nil
	case int16:
		return float64(n), nil
	case uint16:
		return float64(n), nil
	case int32:
		return float64(n), nil
	case uint32:
		return float64(n), nil
	case int64:
		return float64(n), nil
	case uint64:
		return float64(n), nil
	}
	return math.NaN(), fmt.Errorf("the server sent a %T", v.Value())
}

// raw is the variant as it came.
func raw(v *ua.Variant) []byte {
	if v == nil {
		return nil
	}
	b, err := v.Encode()
	if err != nil || len(b) > maxRaw {
		return nil
	}
	return b
}
