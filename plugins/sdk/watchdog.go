package sdk

import (
	"errors"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// HostPIDEnv names the environment variable in which the host gives its
// process id to a plugin.
const HostPIDEnv = "GRIDWARDEN_HOST_PID"

const watchInterval = 250 * time.Millisecond

// watchParent calls gone once the host has died, so that no plugin outlives a
// host that was killed outright. stop ends the watch and waits for it.
func watchParent(gone func()) (stop func()) {
	parent := os.Getppid()
	host, err := strconv.Atoi(os.Getenv(HostPIDEnv))
	if err != nil {
		host = parent
	}
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		ticker := time.NewTicker(watchInterval)
		defer ticker.Stop()
		for {
			if os.Getppid() != parent || !alive(host) {
				gone()
				return
			}
			select {
			case <-done:
				return
			case <-ticker.C:
			}
		}
	})
	return func() {
		close(done)
		wait.Wait()
	}
}

func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = p.Signal(syscall.Signal(0))
	_ = p.Release()
	return err == nil || errors.Is(err, syscall.EPERM)
}
