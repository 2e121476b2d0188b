package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/gridwarden/gridwarden/internal/poll/bench/path"
)

// Size of the path benchmark.
const (
	pathConnections = 64
	pathRounds      = 5
	pathWarm        = time.Second
	pathWindow      = 4 * time.Second
	pathWanted      = 0.6 // of the plain loop's rate
)

// pollPath measures the poll path against plain requests and responses.
func (r *runner) pollPath(ctx context.Context, w io.Writer, results string) error {
	dir, err := r.folder(namePath)
	if err != nil {
		return err
	}
	c := onPorts(namePath, pathConnections)
	// Both sides may use the whole machine, the simulator too.
	c.SimExtra = []string{"-loops", "2"}
	sims, err := startSimulators(ctx, r.sim, dir, c.simulators(r.ports), r.stats)
	if err != nil {
		return err
	}
	defer stopSimulators(sims)
	var addresses []string
	for _, d := range c.devices(r.ports) {
		addresses = append(addresses, net.JoinHostPort(d.Host, strconv.Itoa(d.Port)))
	}
	res, err := path.Measure(ctx, path.Config{
		Addresses: addresses, Dir: filepath.Join(dir, "stream"),
		Rounds: pathRounds, Warm: pathWarm, Window: pathWindow, Logger: r.log,
		SimCPU: func() float64 { return processUsage(sims[0].pid()).cpu }, OwnCPU: ownCPU,
	})
	if err != nil {
		return err
	}
	if err := emit(w, results, res); err != nil {
		return err
	}
	verdict := "pass"
	if res.Ratio < pathWanted {
		verdict = "**fail**"
	}
	fmt.Fprintf(w, "\n| connections | plain requests/s | polls/s | ratio of rates | CPU s per 1,000: plain, polls | ratio of CPU | wanted | verdict |\n|---|---|---|---|---|---|---|---|\n")
	fmt.Fprintf(w, "| %d | %.0f | %.0f | %.2f | %.4f, %.4f | %.2f | ≥ %.2f | %s |\n",
		res.Connections, res.Raw, res.Path, res.Ratio, res.RawCPU, res.PathCPU, res.CPURatio, pathWanted, verdict)
	return os.RemoveAll(filepath.Join(dir, "stream")) //nolint:wrapcheck // it names the folder
}

// ownCPU is the processor time of this process, s.
func ownCPU() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
