//go:build !linux

package cluster

import "time"

// newClock returns the runtime's monotonic clock. It goes on while the process
// is stopped; whether it does while the machine is suspended is the system's.
func newClock() func() time.Duration {
	base := time.Now()
	return func() time.Duration { return time.Since(base) }
}
