package curve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// savedMeter is one meter in the stored state of an Accumulator: a stream of
// JSON values, one a meter, so that neither side holds all of them twice.
type savedMeter struct {
	ID    string       `json:"meter_id"`
	State trackerState `json:"state"`
}

// bytesPerMeter is about what one meter takes in the stored state.
const bytesPerMeter = 1 << 10

func (a *Accumulator) snapshot() ([]byte, error) {
	if len(a.meters) == 0 {
		return []byte{}, nil // an empty buffer's bytes would be nil, which a store takes for no state
	}
	var out bytes.Buffer
	out.Grow(bytesPerMeter * len(a.meters))
	enc := json.NewEncoder(&out)
	for id, t := range a.meters {
		if err := enc.Encode(savedMeter{id, t.trackerState}); err != nil {
			return nil, fmt.Errorf("meter %s: %w", id, err)
		}
	}
	return out.Bytes(), nil
}

// restore takes in the state that snapshot wrote.
func (a *Accumulator) restore(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	for {
		var m savedMeter
		err := dec.Decode(&m)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d meters: %w", len(a.meters), err)
		}
		if m.ID == "" {
			return fmt.Errorf("after %d meters: one without a number", len(a.meters))
		}
		a.meters[m.ID] = &tracker{id: m.ID, trackerState: m.State}
	}
}
