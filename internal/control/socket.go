package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Names in the data folder.
const (
	socketName = "control.sock"
	lockName   = "control.lock"
)

// maxPath is how long the address of a Unix socket may be everywhere.
const maxPath = 100

// Socket is the control socket of this process. It also keeps others from
// using the same data folder.
type Socket struct {
	listener *net.UnixListener
	path     string
	lock     *os.File
}

// RunningError says that another process has taken a data folder.
type RunningError struct {
	Dir string
	PID string // "" where it cannot be read
}

// Error names the process and the mend.
func (e *RunningError) Error() string {
	who := "another gridwarden"
	if e.PID != "" {
		who += " (process " + e.PID + ")"
	}
	return fmt.Sprintf("%s runs with the data folder %s; stop it first, or name another data_dir", who, e.Dir)
}

// Listen takes the data folder dir for this process and opens its socket, for
// its owner alone. What a process that has ended left behind is replaced; a
// running one is a *RunningError.
func Listen(dir string) (_ *Socket, err error) {
	s := &Socket{path: filepath.Join(dir, socketName)}
	if s.lock, err = take(dir); err != nil {
		return nil, err
	}
	if err := s.listen(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), s.lock.Close())
	}
	return s, nil
}

// take locks the folder. The lock ends with the process, however it ends.
func take(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the folder is the configuration's
	if err != nil {
		return nil, fmt.Errorf("data_dir: %w; name a folder that can be written", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			pid, _ := os.ReadFile(lock.Name())
			err = &RunningError{Dir: dir, PID: strings.TrimSpace(string(pid))}
		} else {
			err = fmt.Errorf("data_dir: lock %s: %w; name a folder on a local disk", lock.Name(), err)
		}
		return nil, errors.Join(err, lock.Close())
	}
	if err := lock.Truncate(0); err == nil {
		_, _ = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // only messages of others need it
	}
	return lock, nil
}

// listen binds in a folder that nobody else can enter and moves the socket to
// its place once its mode is right.
func (s *Socket) listen(dir string) error {
	if info, err := os.Lstat(s.path); err == nil && info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is no socket; move it away", s.path)
	}
	closed, err := os.MkdirTemp(dir, "control-")
	if err != nil {
		return err //nolint:wrapcheck // it names the folder
	}
	defer func() { _ = os.RemoveAll(closed) }()
	bound := filepath.Join(closed, "s")
	err = reached(bound, func(address string) (err error) {
		s.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
		return err //nolint:wrapcheck // Listen adds what is needed
	})
	if err != nil {
		return err
	}
	s.listener.SetUnlinkOnClose(false) // by then it is elsewhere
	if err = os.Chmod(bound, 0o600); err == nil {
		err = os.Rename(bound, s.path)
	}
	if err != nil {
		return errors.Join(err, s.listener.Close())
	}
	return nil
}

// Close removes the socket and gives the data folder back.
func (s *Socket) Close() error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil // Serve has
	}
	return errors.Join(err, os.Remove(s.path), s.lock.Close())
}

// reached calls do with an address of the socket at path that is short enough.
func reached(path string, do func(address string) error) error {
	if len(path) <= maxPath {
		return do(path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err //nolint:wrapcheck // it names the folder
	}
	defer func() { _ = dir.Close() }()
	err = do(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
	if err != nil {
		return fmt.Errorf("%w; if that persists, name a data_dir whose path is shorter than %d letters", err, maxPath-len(socketName))
	}
	return nil
}
