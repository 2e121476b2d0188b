package detect

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watchable says that this system tells what processes use.
const watchable = true

// task is one process of the system, as /proc shows it.
type task struct {
	pid, parent, group int
	started            uint64        // ticks since the system's start: with the pid it names a process for good
	cpu                time.Duration // its own and that of the children it has waited for
	rss                int64         // bytes
	zombie             bool
}

// clockTick is the unit of processor time in /proc: the kernel's USER_HZ is 100
// on every architecture that Go knows.
const clockTick = 10 * time.Millisecond

// tasks reads every process of the system. One that ends meanwhile is left out.
func tasks() []task {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close() //nolint:errcheck // read only
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var out []task
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		if t, ok := readTask(name); ok {
			out = append(out, t)
		}
	}
	return out
}

func readTask(pid string) (t task, ok bool) {
	data, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return t, false
	}
	return parseTask(data)
}

// parseTask reads /proc/PID/stat; see proc_pid_stat(5). The name in brackets
// may hold anything, brackets too.
func parseTask(stat []byte) (t task, ok bool) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 1 || end < open {
		return t, false
	}
	f := bytes.Fields(stat[end+1:])
	if len(f) < 22 {
		return t, false
	}
	var failed error
	number := func(text []byte) int64 {
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			failed = err
		}
		return n
	}
	t.pid = int(number(bytes.TrimSpace(stat[:open])))
	t.zombie = f[0][0] == 'Z' || f[0][0] == 'X'
	t.parent, t.group, t.started = int(number(f[1])), int(number(f[2])), uint64(number(f[19]))
	t.cpu = time.Duration(number(f[11])+number(f[12])+number(f[13])+number(f[14])) * clockTick
	t.rss = number(f[21]) * int64(os.Getpagesize())
	return t, failed == nil
}

// tree finds a plugin's process and all that came of it: its children, its
// process group, and whatever left both but bears the plugin's mark in its
// environment.
type tree struct {
	root  int    // the plugin's process and its group; -1 before it was seen
	mark  string // NAME=VALUE, which only this plugin's process was started with
	known map[int]uint64
	alien map[int]uint64 // looked at, and none of it
}

func newTree(mark string) *tree {
	return &tree{root: -1, mark: mark, known: make(map[int]uint64), alien: make(map[int]uint64)}
}

// members returns those of all processes that are of the tree, without those
// that have ended and are only waited for.
func (t *tree) members(all []task) []task {
	children := make(map[int][]int, len(all))
	for i := range all {
		children[all[i].parent] = append(children[all[i].parent], i)
	}
	in := make([]bool, len(all))
	var queue []int
	take := func(i int) {
		if !in[i] {
			in[i] = true
			queue = append(queue, i)
		}
	}
	for i := range all {
		p := &all[i]
		if p.pid <= 1 {
			continue // nothing is ever done to the system's first process
		}
		if p.group == t.root || is(t.known, p) || t.marked(p) {
			take(i)
		}
		if in[i] && t.root < 0 && p.pid == p.group {
			t.root = p.pid
		}
	}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, child := range children[all[i].pid] {
			take(child)
		}
	}
	var out []task
	clear(t.known)
	for i := range all {
		if in[i] && !all[i].zombie {
			t.known[all[i].pid] = all[i].started
			out = append(out, all[i])
		}
	}
	return out
}

// is reports whether a process is among those seen before, and not another
// that has come to bear its number.
func is(seen map[int]uint64, p *task) bool {
	started, ok := seen[p.pid]
	return ok && started == p.started
}

func (t *tree) marked(p *task) bool {
	if is(t.alien, p) {
		return false
	}
	if p.pid != os.Getpid() && bears(p.pid, t.mark) {
		return true
	}
	t.alien[p.pid] = p.started
	if len(t.alien) > 1<<16 {
		clear(t.alien)
	}
	return false
}

// bears reports whether a process was started with NAME=VALUE in its
// environment. Of other users' processes nothing is known.
func bears(pid int, mark string) bool {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && slices.Contains(strings.Split(string(environ), "\x00"), mark)
}

// kill kills the plugin's group at once, and then whatever left it.
func (t *tree) kill() {
	for range 20 { // what forks meanwhile is found by the next round
		if t.root > 0 {
			_ = syscall.Kill(-t.root, syscall.SIGKILL)
		}
		members := t.members(tasks())
		if len(members) == 0 {
			return
		}
		signal(members, syscall.SIGKILL)
		time.Sleep(5 * time.Millisecond)
	}
}

// pause holds processes up until resume lets them go on.
func pause(members []task) { signal(members, syscall.SIGSTOP) }

func resume(members []task) { signal(members, syscall.SIGCONT) }

// signal sends a signal to processes that are still those that were seen.
func signal(members []task, sig syscall.Signal) {
	for _, p := range members {
		if now, ok := readTask(strconv.Itoa(p.pid)); ok && now.started == p.started {
			_ = syscall.Kill(p.pid, sig)
		}
	}
}

// fairMemory is what processes hold, in bytes: pages that several share are
// counted once, and what is swapped out counts too.
func fairMemory(members []task) int64 {
	var sum int64
	for _, p := range members {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid))
		if err != nil {
			sum += p.rss
			continue
		}
		for line := range strings.Lines(string(data)) {
			if name, value, _ := strings.Cut(line, ":"); name == "Pss" || name == "SwapPss" {
				kib, _, _ := strings.Cut(strings.TrimSpace(value), " ")
				n, _ := strconv.ParseInt(kib, 10, 64)
				sum += n << 10
			}
		}
	}
	return sum
}

// highWater is the most that one process has held so far, in bytes.
func highWater(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(data), "VmHWM:")
	kib, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	n, _ := strconv.ParseInt(kib, 10, 64)
	return n << 10
}

// Backstops for one process, set once it runs. They catch what comes and goes
// between two looks; the watch keeps the limit itself, over all processes.
const (
	dataSlack = 1 << 30 // beyond twice the limit: thread stacks and arenas that are mapped, not used
	mostFiles = 4096
)

// confine lowers what a process may do: no core dumps (they hold data), few
// files, and rather this one than the host where the system runs out of memory.
func confine(pid int, l Limits) {
	set := func(resource int, value uint64) {
		_ = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: value, Max: value}, nil)
	}
	set(unix.RLIMIT_CORE, 0)
	set(unix.RLIMIT_NOFILE, mostFiles)
	if l.MemoryBytes > 0 {
		set(unix.RLIMIT_DATA, uint64(2*l.MemoryBytes+dataSlack))
	}
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("500"), 0o600)
}

// systemMemory is the memory of the machine in bytes, 0 where it is not known.
func systemMemory() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}
