package historian

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// parentDir is the environment that turns the test binary into a parent.
const parentDir = "GRIDWARDEN_HISTORIAN_TEST_DIR"

func TestKilledEngineComesBack(t *testing.T) {
	c := child(t, ChildConfig{})
	h := historian(t, Config{URL: c.URL(), Attempts: 1})
	in := sample(2000)
	write(t, h, in[:1000])
	first := c.PID()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a new engine takes readings", func() bool { return c.PID() != first && h.Write(t.Context(), in[1000:]) == nil })
	mustMatch(t, h, in)
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestEngineDiesWithItsParent(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), parentDir+"="+t.TempDir(), "GRIDWARDEN_INFLUXD="+influxd(t))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || !alive(pid) {
		t.Fatalf("engine %q: %v", text, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	waitFor(t, "the engine has ended", func() bool { return !alive(pid) })
}

func TestEngineThatDoesNotStart(t *testing.T) {
	for name, tc := range map[string]struct {
		binary string
		want   string
	}{
		"no binary":     {"/nonexistent/influxd", "run make bin/influxd"},
		"ends at once":  {"/bin/false", "its messages are in"},
		"never listens": {"testdata/sleeper", "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			c, err := StartChild(ctx, ChildConfig{Binary: tc.binary, Dir: t.TempDir(), Logger: quiet()})
			if err == nil {
				t.Fatalf("started: %v", c.Close())
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}
