//go:build linux || darwin || freebsd

package stream

import (
	"fmt"
	"syscall"
)

// freeBytes is the room that this process may still fill on the disk of dir.
func freeBytes(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // other systems have other types here
}
