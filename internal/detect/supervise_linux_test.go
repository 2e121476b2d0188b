package detect

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func myself(mode string, apart bool) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args[0] = "child" // not plugin_MODE
	cmd.Env = append(os.Environ(), modeEnv+"="+mode)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: apart}
	return cmd
}

func runMyself(mode string) { _ = myself(mode, false).Run() }

func startMyself(mode string, apart bool) { _ = myself(mode, apart).Start() }

// family lists the processes that bear a plugin's mark or a part of it.
func family(part string) []int {
	var out []int
	for _, p := range tasks() {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
		if err == nil && bytes.Contains(environ, []byte(part)) && !p.zombie {
			out = append(out, p.pid)
		}
	}
	return out
}

// eventually waits for something that takes a moment.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not after a minute: " + what)
		}
	}
}

// runLimited runs one third-party plugin beside good ones, and returns what was
// said of its failure.
func runLimited(t *testing.T, mode string, l Limits, timeout time.Duration) (string, PluginStatus) {
	t.Helper()
	p := launch(t, LaunchConfig{BuiltIn: builtIn("good"), ThirdParty: []ThirdParty{thirdParty(t, mode, mode)}, Limits: l, Timeout: timeout})
	marked := familyEnv + "=" + p.config.family
	r := mustRun(t, district(t), p.Evaluators()...)
	if r.UsagePoints[0].UsagePointID != "UP-0007" {
		t.Error("the good ones did not go on")
	}
	pid := statusOf(t, p, "stepper").PID
	eventually(t, "nothing is left of the plugin", func() bool {
		left := family(marked)
		return len(left) == 1 && left[0] == pid
	})
	return failure(r, mode), statusOf(t, p, mode)
}

func TestMemoryBeyondTheLimitKillsThePluginAndItsChildren(t *testing.T) {
	for _, mode := range []string{"hungry", "hungry_child"} {
		t.Run(mode, func(t *testing.T) {
			got, s := runLimited(t, mode, Limits{MemoryBytes: 256 << 20}, 5*time.Minute)
			for _, want := range []string{"over its limit", "of memory, and may hold 256 MiB (plugins.memory)"} {
				if !strings.Contains(got, want) {
					t.Errorf("failure %q does not say %q", got, want)
				}
			}
			if s.State != PluginFailed || s.MemoryPeak < 256<<20 || s.LimitedBy != LimitedByWatch || s.Limits.MemoryBytes != 256<<20 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

func TestTooManyProcessesKillThemAll(t *testing.T) {
	got, s := runLimited(t, "forks", Limits{MemoryBytes: 8 << 30}, 5*time.Minute)
	if !strings.Contains(got, "processes, and may have 64") || s.State != PluginFailed {
		t.Errorf("failure %q, status %+v", got, s)
	}
}

func TestProcessorsBeyondTheLimitHoldThePluginUp(t *testing.T) {
	got, s := runLimited(t, "spins", Limits{CPUs: 0.1}, 8*time.Second)
	if !strings.Contains(got, "no end in time: stopped after 8s; it was held up for") || !strings.Contains(got, "0.1 processors (plugins.cpus)") {
		t.Errorf("failure %q", got)
	}
	if s.Held < time.Second || s.CPU <= 0 || s.CPU > 6*time.Second {
		t.Errorf("held %v, used %v", s.Held, s.CPU)
	}
}

// However the host dies, nothing of its plugins is there soon after: not the
// plugin, not its children, not those in sessions of their own.
func TestNothingOfAPluginOutlivesAKilledHost(t *testing.T) {
	third := thirdParty(t, "leaves_children", "leaves_children")
	where := t.TempDir()
	host := exec.Command(os.Args[0], third.Name, third.Path, third.SHA256)
	host.Env = append(os.Environ(), modeEnv+"=host", "TMPDIR="+where)
	stdout, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for range 3 {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "pid ") {
			t.Fatalf("the host says %q", lines.Text())
		}
	}
	before := len(family("PLUGIN_UNIX_SOCKET_DIR=" + where))
	if before != 4 { // built-ins, the plugin and its two children
		t.Errorf("%d processes of plugins; want 4", before)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()
	eventually(t, "nothing outlives the host", func() bool {
		return len(family("PLUGIN_UNIX_SOCKET_DIR="+where)) == 0
	})
}

// A program that is no Go and knows nothing of its host: a shell with a child.
func TestAShellAndItsChildGoWithThePlugin(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "plugin.sh")
	// It never says how to reach it, as a plugin that hangs at its start.
	if err := os.WriteFile(path, []byte("#!/bin/sh\nsleep 600 &\nsetsid sleep 601 &\nwait\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	sum, err := fileSum(path)
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, LaunchConfig{ThirdParty: []ThirdParty{{Name: "shell", Path: path, SHA256: sum}}, StartTimeout: time.Second})
	if s := statusOf(t, p, "shell"); s.State != PluginRefused || !strings.Contains(s.Error, "does not start") {
		t.Errorf("status %+v", s)
	}
	if left := family(familyEnv + "=" + p.config.family); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestParseTask(t *testing.T) {
	stat := []byte("4711 (a ) b (c) S 12 4700 4700 0 -1 4194560 1 2 3 4 150 50 25 75 20 0 9 0 123456 1000000 300 18446744073709551615 1")
	got, ok := parseTask(stat)
	want := task{pid: 4711, parent: 12, group: 4700, started: 123456, cpu: 3 * time.Second, rss: 300 * int64(os.Getpagesize())}
	if !ok || got != want {
		t.Errorf("%+v, %v; want %+v", got, ok, want)
	}
	for _, bad := range []string{"", "1", "1 (x", "x (y) S 1", "1 (x) S 1 2 3", ")(", strings.Replace(string(stat), "150", "many", 1)} {
		if got, ok := parseTask([]byte(bad)); ok {
			t.Errorf("%q was read as %+v", bad, got)
		}
	}
}

func FuzzParseTask(f *testing.F) {
	f.Add([]byte("1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 2 3 4 5"))
	f.Fuzz(func(_ *testing.T, data []byte) { parseTask(data) })
}

// The tree holds exactly what came of the plugin, whoever is its parent now.
func TestTreeMembers(t *testing.T) {
	tree := newTree("NOBODY=BEARS_THIS")
	tree.root = 100
	all := []task{
		{pid: 1, group: 1}, {pid: 50, parent: 1, group: 50},
		{pid: 100, parent: 50, group: 100}, {pid: 101, parent: 100, group: 100}, {pid: 102, parent: 101, group: 102, started: 7},
		{pid: 103, parent: 102, group: 102}, {pid: 104, parent: 1, group: 100}, {pid: 200, parent: 1, group: 200},
		{pid: 105, parent: 100, group: 100, zombie: true},
	}
	pids := func(list []task) (out []int) {
		for _, p := range list {
			out = append(out, p.pid)
		}
		return out
	}
	if got := pids(tree.members(all)); fmt.Sprint(got) != "[100 101 102 103 104]" {
		t.Errorf("members %v", got)
	}
	// The plugin and its first child are gone; the grandchildren are known.
	left := []task{{pid: 1, group: 1}, {pid: 102, parent: 1, group: 102, started: 7}, {pid: 103, parent: 102, group: 102}, {pid: 200, parent: 1, group: 200}}
	if got := pids(tree.members(left)); fmt.Sprint(got) != "[102 103]" {
		t.Errorf("members %v", got)
	}
	// Another process with the number of one that was known is not of it.
	if got := pids(tree.members([]task{{pid: 102, parent: 1, group: 102, started: 8}})); len(got) != 0 {
		t.Errorf("members %v", got)
	}
}

// Over any course of load a plugin gets no more than its share and the burst.
func TestPaceKeepsTheShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cpus := rapid.Float64Range(0.05, 4).Draw(t, "cpus")
		o := &watch{limits: Limits{CPUs: cpus}, allowance: time.Duration(cpus * float64(burst))}
		var used, total time.Duration
		longest := time.Duration(0)
		for range rapid.IntRange(1, 200).Draw(t, "looks") {
			passed := time.Duration(rapid.IntRange(50, 400).Draw(t, "ms")) * time.Millisecond
			var spent time.Duration
			if !o.held {
				spent = time.Duration(rapid.Float64Range(0, 8).Draw(t, "load") * float64(passed))
			}
			o.pace(nil, passed, spent)
			used, total = used+spent, total+passed
			longest = max(longest, spent)
		}
		if most := time.Duration(cpus*float64(total+burst)) + longest + time.Millisecond; used > most {
			t.Fatalf("%v used in %v of %v processors; at most %v", used, total, cpus, most)
		}
	})
}

func TestWardEndsWithoutFamily(t *testing.T) {
	if err := Ward(strings.NewReader("\nnothing\n-5\n0\n1\n"), "of-nobody"); err != nil {
		t.Error(err)
	}
}

func TestAPluginIsStartedAgainWithinARun(t *testing.T) {
	p := launch(t, LaunchConfig{ThirdParty: []ThirdParty{thirdParty(t, "once", "once")}})
	before := statusOf(t, p, "once").PID
	in := district(t)
	in.Evaluators = p.Evaluators()
	r, err := Run(context.Background(), in)
	if err != nil || len(r.Failed) > 0 {
		t.Fatalf("%v, failed %+v", err, r.Failed)
	}
	if s := statusOf(t, p, "once"); s.State != PluginReady || s.Failures != 0 || s.Runs != 1 || s.PID == before || s.Windows < 1 {
		t.Errorf("status %+v", s)
	}
}
