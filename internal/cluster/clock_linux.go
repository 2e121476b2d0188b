package cluster

import (
	"time"

	"golang.org/x/sys/unix"
)

// newClock returns a clock that only goes forward, whose readings are a time
// since the machine started. It goes on while the process is stopped and while
// the machine is suspended.
func newClock() func() time.Duration {
	return func() time.Duration {
		var t unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
			return forever // after every lease
		}
		return time.Duration(t.Nano())
	}
}
