package historian

import "syscall"

// childAttributes make the engine end with this process, however that ends,
// and keep a Ctrl-C at the terminal from it: Close stops it, in its turn.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
