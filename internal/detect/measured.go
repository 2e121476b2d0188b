package detect

import (
	"encoding/json"
	"fmt"
	"math"
)

// Measured is a number that may be unknown. Unknown is NaN, and null in JSON.
type Measured float64

// Unknown is the Measured that is not known.
func Unknown() Measured { return Measured(math.NaN()) }

// Known reports whether m is known.
func (m Measured) Known() bool { return !math.IsNaN(float64(m)) && !math.IsInf(float64(m), 0) }

// MarshalJSON implements json.Marshaler.
func (m Measured) MarshalJSON() ([]byte, error) {
	if !m.Known() {
		return []byte("null"), nil
	}
	data, err := json.Marshal(float64(m))
	if err != nil {
		return nil, fmt.Errorf("encode number: %w", err)
	}
	return data, nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Measured) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*m = Unknown()
		return nil
	}
	var v float64
	if err := json.Unmarshal(data, &v); err != nil {
		return fmt.Errorf("decode number: %w", err)
	}
	*m = Measured(v)
	return nil
}
