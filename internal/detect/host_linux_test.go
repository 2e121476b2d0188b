package detect

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func stopMyself() { _ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) }

// runTestHost launches plugins, says their process ids, and waits to be killed.
// A third-party program is taken from the arguments: its path and checksum.
func runTestHost() {
	config := LaunchConfig{BuiltIn: builtIn("good"), Warden: builtIn("ward")}
	if len(os.Args) == 4 {
		config.ThirdParty = []ThirdParty{{Name: os.Args[1], Path: os.Args[2], SHA256: os.Args[3]}}
	}
	p, err := Launch(context.Background(), config)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for _, s := range p.Status() {
		fmt.Println("pid", s.PID)
	}
	select {}
}

func processGone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := bytes.Cut(stat, []byte(") "))
	return len(state) > 0 && (state[0] == 'Z' || state[0] == 'X')
}

func TestNoPluginOutlivesAKilledHost(t *testing.T) {
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), modeEnv+"=host", "TMPDIR="+t.TempDir()) // killed, it cannot clean up
	stdout, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	var pids []int
	for len(pids) < 2 && lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "pid ")
		if !ok {
			t.Fatalf("the host says %q", lines.Text())
		}
		pid, err := strconv.Atoi(text)
		if err != nil || processGone(pid) {
			t.Fatalf("no plugin runs as %q", text)
		}
		pids = append(pids, pid)
	}
	if len(pids) != 2 {
		t.Fatalf("the host named %d plugins", len(pids))
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	deadline := time.Now().Add(5 * time.Second)
	for _, pid := range pids {
		for !processGone(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("plugin %d outlives its killed host", pid)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}
