package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// usage is what a process tree has used and holds.
type usage struct {
	cpu           float64 // s, user and system
	rss, hwm, pss float64 // MiB, now and at most
	threads       int64
}

const (
	ticksPerSecond = 100 // of /proc, on every Linux that Go runs on
	kibPerMiB      = 1024
)

// treeUsage adds up a process and its descendants. Processes that have ended
// are missing from it.
func treeUsage(pid int) usage {
	u := processUsage(pid)
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is fine
	for _, file := range lists {
		text, err := os.ReadFile(file) //nolint:gosec // below /proc
		if err != nil {
			continue
		}
		for _, child := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(child); err == nil {
				c := treeUsage(n)
				u.cpu += c.cpu
				u.rss, u.hwm, u.pss = u.rss+c.rss, u.hwm+c.hwm, u.pss+c.pss
				u.threads += c.threads
			}
		}
	}
	return u
}

func processUsage(pid int) usage {
	var u usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u
	}
	// The name in brackets may hold anything; what follows it is numbers.
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(f) > 12 {
		user, _ := strconv.ParseFloat(f[11], 64)
		system, _ := strconv.ParseFloat(f[12], 64)
		u.cpu = (user + system) / ticksPerSecond
	}
	status := keyed(fmt.Sprintf("/proc/%d/status", pid))
	u.rss, u.hwm = status["VmRSS:"]/kibPerMiB, status["VmHWM:"]/kibPerMiB
	u.threads = int64(status["Threads:"])
	u.pss = keyed(fmt.Sprintf("/proc/%d/smaps_rollup", pid))["Pss:"] / kibPerMiB
	return u
}

// keyed reads the numbers of a file whose lines are "key number unit".
func keyed(file string) map[string]float64 {
	out := make(map[string]float64)
	text, err := os.ReadFile(file) //nolint:gosec // below /proc
	if err != nil {
		return out
	}
	for _, l := range strings.Split(string(text), "\n") {
		if f := strings.Fields(l); len(f) >= 2 {
			if n, err := strconv.ParseFloat(f[1], 64); err == nil {
				out[f[0]] = n
			}
		}
	}
	return out
}

// machineTicks returns the processor ticks of the whole machine: those that
// were not idle, and all.
func machineTicks() (busy, total float64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	for i, f := range strings.Fields(first) {
		if i == 0 || i > 8 { // guests are counted in user time already
			continue
		}
		n, _ := strconv.ParseFloat(f, 64)
		total += n
		if i != 4 && i != 5 { // idle, and idle waiting for disks
			busy += n
		}
	}
	return busy, total
}
