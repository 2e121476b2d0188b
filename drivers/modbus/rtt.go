package modbus

import "time"

// roundTrip estimates how long a gateway takes to answer, as TCP does for its
// peers (RFC 6298, 2): a smoothed mean and a smoothed deviation.
type roundTrip struct {
	mean, deviation time.Duration
}

func (r *roundTrip) add(d time.Duration) {
	if r.mean == 0 {
		r.mean, r.deviation = d, d/2
		return
	}
	off := d - r.mean
	if off < 0 {
		off = -off
	}
	r.deviation += (off - r.deviation) / 4
	r.mean += (d - r.mean) / 8
}

// Bounds of patience: below the shortest a busy machine would seem silent.
const (
	shortestPatience = 50 * time.Millisecond
	shortestProbe    = 250 * time.Millisecond
)

// patience is after what time an answer is overdue; most is known before the
// first answer.
func (r *roundTrip) patience(shortest, most time.Duration) time.Duration {
	if r.mean == 0 {
		return most
	}
	return min(most, max(shortest, r.mean+4*r.deviation))
}
