package detect

import (
	"os/exec"
	"syscall"
)

// contain puts a plugin into a process group of its own and has the kernel
// kill it when the host dies, whatever the plugin itself does about that.
func contain(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killTree kills a plugin with all that it started.
func killTree(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}
