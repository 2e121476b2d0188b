package host

import (
	"math"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// latest remembers the newest value of every quantity of every meter, for what
// is shown live. It is safe for concurrent use.
type latest struct {
	mu     sync.RWMutex
	values map[string]map[meter.Quantity]value
}

// value is a value with its event time; NaN after a bad reading.
type value struct {
	v  float64
	at time.Time
}

func newLatest() *latest { return &latest{values: make(map[string]map[meter.Quantity]value)} }

func (l *latest) accept(readings []meter.Reading) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var of map[meter.Quantity]value
	for i := range readings {
		r := &readings[i]
		if i == 0 || r.MeterID != readings[i-1].MeterID {
			if of = l.values[r.MeterID]; of == nil {
				of = make(map[meter.Quantity]value)
				l.values[r.MeterID] = of
			}
		}
		// After a restart the stream may deliver old readings again.
		if r.EventTime.Before(of[r.Quantity].at) {
			continue
		}
		v := r.Value
		if r.Quality == meter.Bad {
			v = math.NaN()
		}
		of[r.Quantity] = value{v, r.EventTime}
	}
}

// get returns the newest value of a quantity, NaN where there is none.
func (l *latest) get(meterID string, q meter.Quantity) (float64, time.Time) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	v, ok := l.values[meterID][q]
	if !ok {
		return math.NaN(), time.Time{}
	}
	return v.v, v.at
}
