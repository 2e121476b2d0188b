package modbus

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/goburrow/serial"
	"golang.org/x/sys/unix"
)

// serialPort is an opened serial port that nobody else uses. The runtime polls
// its descriptor, so that reads have deadlines and cost nothing while they
// wait; goburrow/serial's own wait in select, which knows no context and
// cannot take descriptors past 1023.
type serialPort struct {
	*os.File
	before *unix.Termios // settings that others had made
}

// serialLine returns how the line at a serial port is opened.
func serialLine(name string, s serialSettings) func(context.Context) (link, error) {
	ledger := newLedger(false)
	return func(context.Context) (link, error) {
		port, err := openSerial(name, s)
		if err != nil {
			return nil, &mendedError{err}
		}
		return newRTULink(port, s.timing(), ledger), nil
	}
}

// openSerial opens and locks a serial port and makes its settings.
func openSerial(name string, s serialSettings) (_ *serialPort, err error) {
	file, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("serial port %s is not there; plug the adapter in, or correct the name", name)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("serial port %s: %w; let the program's user into the port's group (dialout)", name, err)
	case errors.Is(err, syscall.EBUSY):
		return nil, held(name)
	case err != nil:
		return nil, fmt.Errorf("serial port: %w", err)
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("serial port: %w", err)
	}
	if info.Mode()&fs.ModeCharDevice == 0 {
		return nil, fmt.Errorf("%s is no serial port; name one such as /dev/ttyS0", name)
	}
	// The lock keeps out those that ask for it, whoever they are; exclusive
	// use keeps out those that do not ask, unless they are root.
	if err := control(file, func(fd int) error { return syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) }); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, held(name)
		}
		return nil, fmt.Errorf("lock serial port %s: %w", name, err)
	}
	port := &serialPort{File: file}
	if err := port.configure(name, s); err != nil {
		return nil, fmt.Errorf("serial port %s with %v: %w; see whether it takes these settings", name, s, err)
	}
	return port, nil
}

// configure makes the settings and takes the port for this process alone.
// goburrow/serial knows the settings, but keeps a descriptor of its own, from
// which a read on a silent line would return as at the end of a file: so it
// makes them, they are taken over from it, and it leaves.
func (p *serialPort) configure(name string, s serialSettings) error {
	var made *unix.Termios
	get := func(to **unix.Termios) error {
		return control(p.File, func(fd int) error {
			termios, err := unix.IoctlGetTermios(fd, unix.TCGETS)
			*to = termios
			return os.NewSyscallError("read the settings", err)
		})
	}
	if err := get(&p.before); err != nil {
		return err
	}
	maker, err := serial.Open(&serial.Config{Address: name, BaudRate: s.baud, DataBits: 8, StopBits: s.stopBits, Parity: strings.ToUpper(s.parity[:1])})
	if err != nil {
		return err //nolint:wrapcheck // openSerial wraps it
	}
	if err := errors.Join(get(&made), maker.Close()); err != nil {
		return err
	}
	made.Cc[unix.VMIN] = 1
	return control(p.File, func(fd int) error {
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, made); err != nil {
			return os.NewSyscallError("make the settings", err)
		}
		return os.NewSyscallError("exclusive use", unix.IoctlSetInt(fd, unix.TIOCEXCL, 0))
	})
}

// Close gives the port up, with the settings that it had. Where the adapter
// is gone there is nothing to give back.
func (p *serialPort) Close() error {
	_ = control(p.File, func(fd int) error {
		return errors.Join(unix.IoctlSetTermios(fd, unix.TCSETS, p.before), unix.IoctlSetInt(fd, unix.TIOCNXCL, 0))
	})
	if err := p.File.Close(); err != nil {
		return fmt.Errorf("close the serial port: %w", err)
	}
	return nil
}

// control calls fn with the file's descriptor, which stays as it is.
func control(file *os.File, fn func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return fmt.Errorf("look at %s: %w", file.Name(), err)
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = fn(int(fd)) }); err != nil {
		return fmt.Errorf("look at %s: %w", file.Name(), err)
	}
	return inner
}

// held says that somebody else has the port, and who where that can be seen.
func held(name string) error {
	who := holders(name)
	if who == "" {
		return fmt.Errorf("serial port %s is in use by another program; end that", name)
	}
	return fmt.Errorf("serial port %s is in use by %s; end that, or name the port once", name, who)
}

// holders lists the processes that have a device open, as far as the system
// shows them to us.
func holders(name string) string {
	device, err := filepath.EvalSymlinks(name)
	if err != nil {
		device = name
	}
	self := strconv.Itoa(os.Getpid())
	var list []string
	seen := map[string]bool{}
	ours := 0
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is well formed
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != device {
			continue
		}
		pid := strings.Split(fd, "/")[2]
		if pid == self {
			ours++
		}
		if pid == self || seen[pid] {
			continue
		}
		seen[pid] = true
		comm, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil {
			continue
		}
		list = append(list, fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(comm)), pid))
	}
	if len(list) == 0 && ours > 1 { // one is the attempt's own
		return "this program itself, under another name"
	}
	return strings.Join(list, ", ")
}
