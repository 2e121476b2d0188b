//go:build demo

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/control"
)

// member is one host of the cluster: the program as a process of its own.
type member struct {
	t    *testing.T
	name string
	file string // its configuration
	data string
	cmd  *exec.Cmd
	log  logged
}

// logged is a log that can be read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// program is the one that `make gridwarden` builds.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join("..", "..", "bin", "gridwarden")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no program at %s: run `make gridwarden`", path)
	}
	return path
}

func (m *member) start(devices *meters) {
	m.t.Helper()
	m.cmd = exec.Command(program(m.t), "run", "-c", m.file)
	m.cmd.Stdout, m.cmd.Stderr = &m.log, &m.log
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatalf("%v; run `make gridwarden`", err)
	}
	devices.knows(m.cmd.Process.Pid, m.name)
}

func (m *member) signal(s syscall.Signal) time.Time {
	m.t.Helper()
	at := time.Now()
	if err := m.cmd.Process.Signal(s); err != nil {
		m.t.Fatalf("host %s: %v", m.name, err)
	}
	return at
}

func (m *member) kill() time.Time {
	m.t.Helper()
	at := m.signal(syscall.SIGKILL)
	_ = m.cmd.Wait() // it was killed
	m.cmd = nil
	return at
}

// stop ends the host in order.
func (m *member) stop() {
	m.t.Helper()
	if m.cmd == nil {
		return
	}
	m.signal(syscall.SIGTERM)
	done := make(chan error, 1)
	go func() { done <- m.cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			m.t.Errorf("host %s ended with %v", m.name, err)
		}
	case <-time.After(30 * time.Second):
		m.t.Errorf("host %s did not end within 30 s", m.name)
		_ = m.cmd.Process.Kill()
		<-done
	}
	m.cmd = nil
}

// status asks a host for the cluster as it sees it; nil where it does not answer.
func (m *member) status() *control.Cluster {
	c, err := control.NewClient(m.data).Cluster(m.t.Context())
	if err != nil {
		return nil // it is only just starting
	}
	return c
}

// answers waits until the host does.
func (m *member) answers(within time.Duration) {
	m.t.Helper()
	for deadline := time.Now().Add(within); m.status() == nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("host %s does not answer after %v", m.name, within)
		}
	}
}

// cast is the hosts and what they share.
type cast struct {
	t      *testing.T
	hosts  []*member
	tokens map[uint64]string // who had which, of the claims that were seen
}

// hosts writes the configurations of n hosts.
func newCast(t *testing.T, n int, shared string) *cast {
	t.Helper()
	dir := t.TempDir()
	profiles := filepath.Join(dir, "profiles")
	for _, folder := range []string{profiles} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	writeTo(t, filepath.Join(profiles, "counting-meter.yaml"), countingProfile)
	c := &cast{t: t, tokens: make(map[uint64]string)}
	for i := range n {
		m := &member{t: t, name: "host-" + itoa(i), data: filepath.Join(dir, "data-"+itoa(i))}
		m.file = filepath.Join(dir, m.name+".yaml")
		writeTo(t, m.file, fmt.Sprintf("data_dir: %s\nprofiles: %s\nconsole: {listen: 127.0.0.1:0}\ncluster: {host: %s, partitions: 24, lease: 5s}\n%s",
			m.data, profiles, m.name, shared))
		secret(t, m.data)
		c.hosts = append(c.hosts, m)
	}
	t.Cleanup(func() {
		for _, m := range c.hosts {
			if m.cmd != nil {
				_ = m.cmd.Process.Kill()
				_ = m.cmd.Wait()
			}
			if t.Failed() {
				t.Logf("%s:\n%s", m.name, tail(m.log.String(), 150))
			}
		}
	})
	return c
}

// secret gives every installation the same key, so that results can be compared.
func secret(t *testing.T, data string) {
	t.Helper()
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	writeTo(t, filepath.Join(data, "pseudonym.key"), strings.Repeat("k", 32))
}

func writeTo(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// look remembers the tokens that a running host sees, and returns its view.
func (c *cast) look() *control.Cluster {
	for _, m := range c.hosts {
		if m.cmd == nil {
			continue
		}
		if s := m.status(); s != nil && s.LeaseHolds {
			for i := range s.Partitions {
				if p := &s.Partitions[i]; p.Token > 0 {
					c.tokens[p.Token] = p.Host
				}
			}
			return s
		}
	}
	return nil
}

// balanced waits until the hosts named have alike many partitions, all of them claimed.
func (c *cast) balanced(within time.Duration, names ...string) *control.Cluster {
	c.t.Helper()
	var s *control.Cluster
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(250 * time.Millisecond) {
		if s = c.look(); s == nil {
			continue
		}
		has := make(map[string]int)
		for i := range s.Partitions {
			if p := &s.Partitions[i]; p.Token > 0 {
				has[p.Host]++
			}
		}
		even := len(has) == len(names)
		for _, name := range names {
			even = even && has[name] >= len(s.Partitions)/len(names) && has[name] <= (len(s.Partitions)+len(names)-1)/len(names)
		}
		if even && s.Leader != "" {
			return s
		}
	}
	c.t.Fatalf("the partitions are not with %v after %v: %+v", names, within, s)
	return nil
}

// explain says what the running hosts know of a device.
func (c *cast) explain(device string) string {
	text := ""
	for _, m := range c.hosts {
		if m.cmd == nil {
			continue
		}
		d, err := control.NewClient(m.data).Device(c.t.Context(), device)
		text += fmt.Sprintf("\n%s: %+v, %v", m.name, d, err)
	}
	return text
}

func (c *cast) named(name string) *member {
	for _, m := range c.hosts {
		if m.name == name {
			return m
		}
	}
	c.t.Fatalf("there is no host %q", name)
	return nil
}
