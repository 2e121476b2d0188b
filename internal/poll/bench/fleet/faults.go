package fleet

import (
	"math"
	"time"
)

// FlapPeriod is the time in which a flapping device is dead once and alive
// once, half of it each.
const FlapPeriod = time.Minute

// Faults are the shares of devices that misbehave, each from 0 to 1, together
// at most 1. Which devices they are follows from their numbers alone.
type Faults struct {
	Stall      float64 // never answer
	Exceptions float64 // answer every request with exception 4
	Flap       float64 // are dead for half of every FlapPeriod, each at a phase of its own
}

// Fate is how a device behaves.
type Fate int

// Fates.
const (
	Live Fate = iota
	Silent
	Excepting
	Flapping
)

// bucket spreads devices over a thousand buckets: a thousand devices in a row
// are in one each.
func bucket(device int) int { return (device * 2654435761) % buckets }

const buckets = 1000

// upTo returns the bucket at which a share of the devices ends.
func upTo(share float64) int { return int(math.Round(buckets * share)) }

// Of returns the fate of a device.
func (f Faults) Of(device int) Fate {
	b := bucket(device)
	switch {
	case b < upTo(f.Stall):
		return Silent
	case b < upTo(f.Stall+f.Exceptions):
		return Excepting
	case b < upTo(f.Stall+f.Exceptions+f.Flap):
		return Flapping
	}
	return Live
}

// phase is where in FlapPeriod a flapping device is at a moment. It is alive
// in the first half.
func (f Faults) phase(device int, at time.Time) time.Duration {
	share := float64(bucket(device)-upTo(f.Stall+f.Exceptions)) / (buckets * f.Flap)
	own := time.Duration(share * float64(FlapPeriod))
	return time.Duration((at.UnixNano() + int64(own)) % int64(FlapPeriod))
}

// At returns how a device behaves at a moment: Live, Silent or Excepting, and
// since when a flapping one is Live.
func (f Faults) At(device int, at time.Time) (now Fate, since time.Time) {
	fate := f.Of(device)
	if fate != Flapping {
		return fate, time.Time{}
	}
	if p := f.phase(device, at); p < FlapPeriod/2 {
		return Live, at.Add(-p)
	}
	return Silent, time.Time{}
}

// Span is a stretch of time.
type Span struct{ From, To time.Time }

// Alive returns when, from one moment to another, a device answers with
// values.
func (f Faults) Alive(device int, from, to time.Time) []Span {
	switch f.Of(device) {
	case Live:
		return []Span{{from, to}}
	case Silent, Excepting:
		return nil
	}
	var list []Span
	for at := from.Add(-f.phase(device, from)); at.Before(to); at = at.Add(FlapPeriod) {
		s := Span{at, at.Add(FlapPeriod / 2)}
		if s.From.Before(from) {
			s.From = from
		}
		if s.To.After(to) {
			s.To = to
		}
		if s.From.Before(s.To) {
			list = append(list, s)
		}
	}
	return list
}
