//go:build !linux

package historian

import "syscall"

// childAttributes: this system has no death signal; the engine outlives a
// killed gridwarden and is found by its lock on its folder.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
