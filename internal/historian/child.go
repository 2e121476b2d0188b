package historian

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	childStart   = 3 * time.Minute  // a large data folder, or a busy machine, takes its time
	childStop    = 15 * time.Second // from SIGTERM to SIGKILL
	childBackoff = time.Second      // before it is started again; doubles
	childRest    = 30 * time.Second
	childPoll    = 50 * time.Millisecond
	childRequest = 5 * time.Second
	anyPort      = "127.0.0.1:0"
)

// ChildConfig describes an InfluxDB of our own.
type ChildConfig struct {
	Binary   string // influxd 1.8
	Dir      string // its data and its generated configuration
	Database string // made at the start; DefaultBucket where empty
	Addr     string // loopback address to serve on; any free port where empty
	Logger   *slog.Logger
}

// Child is a running InfluxDB. When the process ends by itself it is started
// again, on the same port, until Close.
type Child struct {
	cfg    ChildConfig
	log    *slog.Logger
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	addr string
	pid  int
}

// StartChild starts the engine and returns once it answers and its database
// exists. The process ends with Close, and on Linux also when this process
// dies. ctx limits the start only.
func StartChild(ctx context.Context, cfg ChildConfig) (*Child, error) {
	if cfg.Database == "" {
		cfg.Database = DefaultBucket
	}
	if cfg.Addr == "" {
		cfg.Addr = anyPort
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	binary, err := exec.LookPath(cfg.Binary)
	if err != nil {
		return nil, fmt.Errorf("historian: engine: %w; run make bin/influxd", err)
	}
	// It is started in its own folder.
	if cfg.Binary, err = filepath.Abs(binary); err != nil {
		return nil, fmt.Errorf("historian: engine: %w", err)
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("historian: engine's folder: %w", err)
	}
	cfg.Dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("historian: engine's folder: %w", err)
	}

	runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &Child{cfg: cfg, log: cfg.Logger, cancel: cancel, done: make(chan struct{}), addr: cfg.Addr}
	first := make(chan error, 1)
	go func() {
		defer close(c.done)
		// The kernel ties the death signal to the thread that started the
		// process: keep this thread as long as the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		c.supervise(runCtx, first)
	}()
	startCtx, stop := context.WithTimeout(ctx, childStart)
	defer stop()
	select {
	case err = <-first:
	case <-startCtx.Done():
		err = startCtx.Err()
	}
	if err == nil {
		err = c.ready(startCtx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("historian: start %s: %w; its messages are in %s", cfg.Binary, err, c.logFile()), c.Close())
	}
	c.log.Info("historian engine ready", "url", c.URL(), "pid", c.PID(), "dir", cfg.Dir)
	return c, nil
}

// URL is where the engine answers.
func (c *Child) URL() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return "http://" + c.addr
}

// PID is the process, 0 while there is none.
func (c *Child) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid
}

// Close stops the engine and waits for it.
func (c *Child) Close() error {
	c.cancel()
	<-c.done
	return nil
}

func (c *Child) logFile() string { return filepath.Join(c.cfg.Dir, "influxd.log") }

func (c *Child) set(addr string, pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if addr != "" {
		c.addr = addr
	}
	c.pid = pid
}

// supervise runs the process again and again until ctx is done. first gets
// the outcome of the first start.
func (c *Child) supervise(ctx context.Context, first chan<- error) {
	var once sync.Once
	for wait := childBackoff; ; wait = min(2*wait, childRest) {
		began := time.Now()
		err := c.run(ctx, func() { once.Do(func() { first <- nil }) })
		if ctx.Err() != nil {
			return
		}
		neverUp := false
		once.Do(func() { first <- err; neverUp = true })
		if neverUp {
			return // StartChild gives up
		}
		if time.Since(began) > childRest {
			wait = childBackoff
		}
		c.log.Error("historian engine ended, starting it again", "wait", wait, "error", err, "log", c.logFile())
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// run starts the process once and waits for its end; listening is called when
// it serves.
func (c *Child) run(ctx context.Context, listening func()) error {
	c.mu.Lock()
	addr := c.addr
	c.mu.Unlock()
	config := filepath.Join(c.cfg.Dir, "influxdb.conf")
	if err := os.WriteFile(config, childFile(c.cfg.Dir, addr), 0o600); err != nil {
		return fmt.Errorf("write its configuration: %w", err)
	}
	logFile, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open its log: %w", err)
	}
	defer func() { _ = logFile.Close() }()

	cmd := exec.CommandContext(ctx, c.cfg.Binary, "-config", config)
	cmd.Dir = c.cfg.Dir
	cmd.Env = childEnv(os.Environ())
	cmd.SysProcAttr = childAttributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = childStop
	output, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("its messages: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	c.set("", cmd.Process.Pid)
	defer c.set("", 0)
	// Its log says which port it got; read it to the end, so that it never
	// blocks on a full pipe.
	reader := bufio.NewReader(io.TeeReader(output, logFile))
	for {
		text, err := reader.ReadString('\n')
		if addr, ok := listenAddr(text); ok {
			c.set(addr, cmd.Process.Pid)
			listening()
		}
		if err != nil {
			break // the end of its output; Wait tells the rest
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("ended: %w", err)
	}
	return errors.New("ended without an error")
}

// listenAddr finds the address in the message that announces the HTTP service.
func listenAddr(text string) (string, bool) {
	if !strings.Contains(text, `msg="Listening on HTTP"`) {
		return "", false
	}
	_, rest, ok := strings.Cut(text, " addr=")
	if !ok {
		return "", false
	}
	addr, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return addr, true
}

// ready waits until the engine answers, and makes its database.
func (c *Child) ready(ctx context.Context) error {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: childRequest}
	target := c.URL() + "/query?" + url.Values{"q": {fmt.Sprintf("CREATE DATABASE %q", c.cfg.Database)}}.Encode()
	for {
		err := createDatabase(ctx, client, target)
		if err == nil {
			return nil
		}
		t := time.NewTimer(childPoll)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("create database %s: %w", c.cfg.Database, err)
		}
	}
}

func createDatabase(ctx context.Context, client *http.Client, target string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, nil)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	// 1.8 answers a failed statement with 200 and an error inside.
	if resp.StatusCode != http.StatusOK || strings.Contains(string(body), `"error"`) {
		return fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	return nil
}
