//go:build unix

package stream

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockDir makes the folder and holds it against a second process; the lock
// goes with the process, however it ends.
func lockDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("stream: make folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("stream: lock folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(
			fmt.Errorf("stream: folder %s is in use by %s: %w; stop that process, or give this one a data folder of its own", dir, holder(f), err),
			f.Close())
	}
	// Who holds the lock is for people: on a full disk it stays unsaid.
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(f, "process %d (%s)\n", os.Getpid(), filepath.Base(os.Args[0]))
	}
	return func() { _ = f.Close() }, nil
}

// holder is who wrote himself into the lock.
func holder(f *os.File) string {
	who := make([]byte, 256)
	n, _ := f.ReadAt(who, 0) // nothing read is an answer too
	if name := strings.TrimSpace(string(who[:n])); name != "" {
		return name
	}
	return "another process"
}
