package opcua

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

const (
	maxRaw          = 32
	toleratedFuture = 10 * time.Minute
)

// receipt is when and how fast values came.
type receipt struct {
	at   time.Time     // received, UTC
	took time.Duration // round trip; 0 where they came unasked
}

// reading turns a data value into a reading of one of the profile's points.
func (s *session) reading(i int, dv *ua.DataValue, got receipt) meter.Reading {
	pt := &s.dev.Profile.OPCUA.Points[i]
	if dv == nil {
		return s.dev.FailedPoint(pt.Quantity, got.at, meter.Missing, "the server returned nothing for this node")
	}
	v := judgeStatus(dv.Status)
	if v.quality == meter.Bad {
		return s.dev.FailedPoint(pt.Quantity, got.at, v.flags, fmt.Sprintf("node %s: %s", s.nodes[i], v.detail))
	}
	n, err := number(dv.Value)
	if pt.Quantity == meter.ClockOffset {
		if t, ok := moment(dv.Value); ok {
			n, err = t.Sub(got.at.Add(-got.took/2)).Seconds(), nil
		}
	}
	if err != nil {
		return s.dev.FailedPoint(pt.Quantity, got.at, meter.Implausible, fmt.Sprintf("node %s: %v; name a node that holds a number", s.nodes[i], err))
	}
	event, problem := eventTime(dv, got.at)
	if problem == "" {
		problem = s.endpoint.clock.problem(s.opts.maxClockOffset)
	}
	r := s.dev.Reading(pt.Quantity, pt.Side, pt.Value(n), event, got.at, raw(dv.Value))
	if r.Quality == meter.Bad {
		return r
	}
	r.Flags |= v.flags
	r.Quality = min(r.Quality, v.quality)
	if v.detail != "" {
		r.Detail = join(r.Detail, fmt.Sprintf("node %s: %s", s.nodes[i], v.detail))
	}
	// A clock's own offset is right however wrong the clock is.
	if problem != "" && pt.Quantity != meter.ClockOffset {
		r.Quality, r.Detail = min(r.Quality, meter.Uncertain), join(r.Detail, problem)
	}
	return r
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// eventTime prefers the source's time, then the server's. A time that cannot
// be is replaced by the time of receipt, and said. An old time is none of its
// business: a value that does not change keeps the time at which it came to be.
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

var errNoNumber = errors.New("the server sent no number")

// number takes the number out of a scalar variant; NaN where it is empty.
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
	case bool: // a state: 1 while it holds
		if n {
			return 1, nil
		}
		return 0, nil
	}
	return math.NaN(), fmt.Errorf("%w but a %T", errNoNumber, v.Value())
}

// moment takes the time out of a variant that holds one.
func moment(v *ua.Variant) (time.Time, bool) {
	if v == nil {
		return time.Time{}, false
	}
	t, ok := v.Value().(time.Time)
	return t, ok && t.Year() >= 2000
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
