package ingest

import (
	"fmt"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// meters numbers the meters of one call of Read in the order in which they
// come, and keeps what the records say of each. It is safe for concurrent use.
type meters struct {
	network *grid.Network
	most    int
	mu      sync.RWMutex
	numbers map[string]int32
	list    []meterRecord // grows; what is in it does not change
}

// meterRecord is what is known of one meter.
type meterRecord struct {
	id     string
	limits curve.Limits
	known  bool // the registry has it
	varies bool // limits and known depend on the day
}

func newMeters(network *grid.Network) *meters {
	return &meters{network: network, most: mostMeters, numbers: make(map[string]int32)}
}

// record looks a meter up in the registry.
func (m *meters) record(id string) meterRecord {
	r := meterRecord{id: id, known: true}
	if m.network == nil {
		return r
	}
	points := m.network.UsagePointsOfMeter(id)
	switch {
	case m.network.TransformerOfMeter(id) != nil:
	case len(points) == 0:
		r.known = false
	case len(points) > 1 || !points[0].ValidFrom.IsZero() || !points[0].ValidTo.IsZero():
		r.varies = true
		return r
	}
	r.limits = curve.LimitsOf(m.network, id, time.Time{})
	return r
}

// on returns what the records say of the meter at t.
func (m *meters) on(r *meterRecord, t time.Time) (limits curve.Limits, known bool) {
	if r.varies {
		return curve.LimitsOf(m.network, r.id, t), m.network.UsagePointOfMeter(r.id, t) != nil
	}
	return r.limits, r.known
}

// meterView is one goroutine's way to the meters. Rows mostly come by meter or
// in the same order of meters each day: the meter of the last row, or the one
// that follows it, is tried before anything is looked up.
type meterView struct {
	*meters
	seen []meterRecord // the list as it was last
	last int32
}

func (m *meters) view() *meterView { return &meterView{meters: m} }

// mostMeters is how many meters one import may have: a hundred bytes each are
// kept of them, and a file may be packed so that it holds more than memory.
const mostMeters = 20_000_000

// number returns the number of the meter, an error where there are too many.
func (v *meterView) number(id []byte) (int32, error) {
	for guess := v.last; guess <= v.last+1; guess++ {
		if int(guess) < len(v.seen) && v.seen[guess].id == string(id) {
			v.last = guess
			return guess, nil
		}
	}
	v.mu.RLock()
	n, ok := v.numbers[string(id)]
	v.seen = v.list
	v.mu.RUnlock()
	if !ok {
		var err error
		if n, err = v.add(string(id)); err != nil {
			return 0, err
		}
	}
	v.last = n
	return n, nil
}

func (v *meterView) add(id string) (int32, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n, ok := v.numbers[id]
	if !ok {
		if len(v.list) >= v.most {
			return 0, fmt.Errorf("is of more than %d meters; import the files in parts", v.most)
		}
		n = int32(len(v.list))
		v.numbers[id] = n
		v.list = append(v.list, v.record(id))
	}
	v.seen = v.list
	return n, nil
}

// at returns what is kept of a meter that this view has numbered.
func (v *meterView) at(n int32) *meterRecord {
	if int(n) >= len(v.seen) {
		v.mu.RLock()
		v.seen = v.list
		v.mu.RUnlock()
	}
	return &v.seen[n]
}
