package main

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// work is how long processors have worked so far, in seconds.
type work struct {
	busy, total float64 // of the machine
	own         float64 // of this process and those that it has waited for
}

const ticksPerSecond = 100 // of /proc, on every Linux that Go runs on

func workSoFar() work {
	var w work
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			w.own += float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
		}
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return w
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	for i, field := range bytes.Fields(first) {
		if i == 0 || i > 8 { // guests are counted in user time already
			continue
		}
		ticks, _ := strconv.ParseFloat(string(field), 64)
		w.total += ticks / ticksPerSecond
		if i != 4 && i != 5 { // idle, and idle waiting for disks
			w.busy += ticks / ticksPerSecond
		}
	}
	return w
}

// others returns the share of the machine's processors that others have used
// since, in percent.
func (w work) others() float64 {
	now := workSoFar()
	total := now.total - w.total
	if total <= 0 {
		return 0
	}
	return max(0, 100*(now.busy-w.busy-(now.own-w.own))/total)
}
