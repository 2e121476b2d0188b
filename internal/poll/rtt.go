package poll

import (
	"math/bits"
	"time"
)

const (
	// finest is the power of two of microseconds below which round trips are
	// not told apart.
	finest = 6
	// octaves is how many doublings above it are: up to 67 s.
	octaves = 20
	// remembered is how often one bucket is met before all are halved, so that
	// old round trips fade.
	remembered = 1024
)

// roundTrips is a histogram of round trips with four buckets to a doubling:
// quantiles are right within a tenth. The zero value is ready.
type roundTrips [4 * octaves]uint16

func (h *roundTrips) add(d time.Duration) {
	us := uint64(max(0, d.Microseconds())) //nolint:gosec // not negative
	i := 0
	if n := bits.Len64(us); n > finest {
		i = min(4*(n-finest-1)+int(us>>(n-3)&3), len(h)-1) //nolint:gosec // two bits
	}
	if h[i]++; h[i] >= remembered {
		for k := range h {
			h[k] /= 2
		}
	}
}

// quantile returns the round trip that the share q of all did not exceed, 0
// where there were none.
func (h *roundTrips) quantile(q float64) time.Duration {
	total := 0
	for _, n := range h {
		total += int(n)
	}
	if total == 0 {
		return 0
	}
	rank := q * float64(total)
	below := 0.0
	for i, n := range h {
		if n == 0 || below+float64(n) < rank {
			below += float64(n)
			continue
		}
		low, high := bucket(i)
		return low + time.Duration((rank-below)/float64(n)*float64(high-low))
	}
	return 0
}

// bucket returns the bounds of bucket i.
func bucket(i int) (low, high time.Duration) {
	width := time.Duration(1<<(i/4+finest-2)) * time.Microsecond
	low = time.Duration(4+i%4) * width
	if i == 0 {
		return 0, low + width
	}
	return low, low + width
}
