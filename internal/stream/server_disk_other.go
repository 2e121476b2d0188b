//go:build !(linux || darwin || freebsd)

package stream

import "math"

// freeBytes cannot tell here: a full disk shows when a write fails.
func freeBytes(string) (int64, error) { return math.MaxInt64, nil }
