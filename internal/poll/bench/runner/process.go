package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a program that runs beside the runner.
type process struct {
	cmd   *exec.Cmd
	log   string // file with what it wrote to standard error
	file  *os.File
	ended chan struct{}
	err   error // once ended
}

// start starts a program. Its standard error goes to a file; stdout, where it
// is not nil, gets its standard output.
func start(logFile string, stdout io.Writer, env []string, command ...string) (*process, error) {
	file, err := os.Create(logFile) //nolint:gosec // in the case's folder
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", command[0], err)
	}
	p := &process{cmd: exec.Command(command[0], command[1:]...), log: logFile, file: file, ended: make(chan struct{})} //nolint:gosec // what to run is the caller's choice
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = stdout, file, append(os.Environ(), env...)
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start: %w", err), file.Close())
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// running returns an error, with the last of the log, where it has ended.
func (p *process) running() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s ended by itself (%v):\n%s", filepath.Base(p.cmd.Path), p.cmd.ProcessState, p.tail())
	default:
		return nil
	}
}

func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const most = 2000
	return string(bytes.TrimSpace(text[max(0, len(text)-most):]))
}

// logSize is how much has been logged, in bytes.
func (p *process) logSize() int64 {
	info, err := p.file.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// logged returns what has been logged from an offset on.
func (p *process) logged(from int64) string {
	text, err := os.ReadFile(p.log)
	if err != nil || int64(len(text)) < from {
		return ""
	}
	return string(text[from:])
}

// stop asks it to end, and ends it where it does not.
func (p *process) stop(patience time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	_ = p.file.Close()
}

// simulator is a running simulator.
type simulator struct {
	*process
	stats string // URL of its counters
}

// startSimulators starts the simulators of a case and waits until they serve.
func startSimulators(ctx context.Context, binary, dir string, arguments [][]string, stats string) (list []*simulator, err error) {
	defer func() {
		if err != nil {
			stopSimulators(list)
		}
	}()
	for i, args := range arguments {
		address := stats
		if address == "" || i > 0 {
			if address, err = freeAddress(ctx); err != nil {
				return list, err
			}
		}
		p, err := start(filepath.Join(dir, fmt.Sprintf("sim%d.log", i)), nil, nil, append([]string{binary, "-stats", address}, args...)...)
		if err != nil {
			return list, err
		}
		list = append(list, &simulator{p, "http://" + address + "/"})
	}
	for _, s := range list {
		if err := s.await(ctx); err != nil {
			return list, err
		}
	}
	return list, nil
}

func stopSimulators(list []*simulator) {
	for _, s := range list {
		s.stop(2 * time.Second)
	}
}

// freeAddress is a loopback address that nobody listens on now.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), nil
}

// await waits until it serves.
func (s *simulator) await(ctx context.Context) error {
	for range 200 {
		if err := s.running(); err != nil {
			return err
		}
		if _, err := s.counters(ctx); err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("the simulator does not serve its counters on %s:\n%s", s.stats, s.tail())
}

// counters are the simulator's own, as package main of folder sim names them.
type simCounters map[string]float64

func (s *simulator) counters(ctx context.Context) (simCounters, error) {
	body, err := get(ctx, s.stats)
	if err != nil {
		return nil, err
	}
	var c simCounters
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, fmt.Errorf("counters of the simulator: %w", err)
	}
	return c, nil
}

func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", url, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the address
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", url, err)
	}
	return body, nil
}

// join adds up the counters of several simulators. Of shortest, longest and
// mean it takes the shortest, the longest, and the mean by requests.
func join(list []simCounters) simCounters {
	out := make(simCounters)
	requests := 0.0
	for i, c := range list {
		for name, v := range c {
			switch {
			case strings.HasPrefix(name, "min_") && i > 0:
				out[name] = min(out[name], v)
			case strings.HasPrefix(name, "min_"):
				out[name] = v
			case name == "max_open":
				out[name] += v
			case strings.HasPrefix(name, "max_"):
				out[name] = max(out[name], v)
			case strings.HasPrefix(name, "mean_"):
				out[name] += v * c["requests"]
			default:
				out[name] += v
			}
		}
		requests += c["requests"]
	}
	for name := range out {
		if strings.HasPrefix(name, "mean_") && requests > 0 {
			out[name] /= requests
		}
	}
	return out
}
