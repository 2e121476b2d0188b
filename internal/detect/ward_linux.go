package detect

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// familyEnv is the environment variable that marks all processes which one
// host has started as plugins, and with them whatever they start.
const familyEnv = "GRIDWARDEN_FAMILY"

// ward is a small process beside the plugins. It holds the other end of a pipe
// and does nothing until that breaks, which it does when the host dies in
// whatever way; then it kills what plugins have started and left behind. The
// plugins' own processes are killed by the kernel with the host.
type ward struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	in  io.WriteCloser
}

func startWard(command Command, family string) (*ward, error) {
	cmd := exec.Command(command.Path, append(command.Args[:len(command.Args):len(command.Args)], family)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GOMAXPROCS=1"}, command.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what is sent to the host's terminal is not for it
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("the plugins' warden: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("the plugins' warden: %w", err)
	}
	return &ward{cmd: cmd, in: in}, nil
}

// tell names the process group of a plugin that runs, for what gives up its
// mark; a negative one has ended, and its number may come to be another's.
func (w *ward) tell(group int) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = fmt.Fprintln(w.in, group) // a warden that is gone is of no more help
}

// close lets the warden look once more and end.
func (w *ward) close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.in.Close()
	_ = w.cmd.Wait() // also where it was killed or closed before
	return nil
}

// wardTime bounds how long a warden kills.
const wardTime = 10 * time.Second

// Ward is the warden's work: it reads process groups until in ends, and then
// kills them and all processes that bear the family's mark.
func Ward(in io.Reader, family string) error {
	mark := familyEnv + "=" + family
	groups := map[int]*tree{0: newTree(mark)}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		switch group, err := strconv.Atoi(strings.TrimSpace(lines.Text())); {
		case err != nil:
		case group > 1:
			groups[group] = newTree(mark)
			groups[group].root = group
		case group < 0:
			delete(groups, -group)
		}
	}
	// However the pipe ended, the host is gone or done.
	for end := time.Now().Add(wardTime); time.Now().Before(end); {
		all, left := tasks(), 0
		for _, t := range groups {
			if len(t.members(all)) > 0 {
				left++
				t.kill()
			}
		}
		if left == 0 {
			return nil
		}
	}
	return fmt.Errorf("processes of plugins could not be killed within %s", wardTime)
}
