package modbus

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// reactor receives for many sockets in one goroutine. A goroutine for each
// would cost some kilobytes and a switch for every answer; here one wake-up
// serves all answers that have come.
type reactor struct {
	epoll *os.File // waits in Go's own poller, so that no thread is held
	fd    int
	done  chan struct{}
	last  int // sockets that were served by the last wake-up

	mu      sync.Mutex
	sockets map[int32]*socket
}

const (
	// wakes is how many sockets one look at the system tells of.
	wakes = 128
	// lull is how long answers are gathered where few have come: waking up
	// costs more than handling one. Where many wait they are handled at once.
	lull = time.Millisecond
	few  = 8
)

func newReactor() (*reactor, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(fmt.Errorf("epoll: %w", err), unix.Close(fd))
	}
	r := &reactor{epoll: os.NewFile(uintptr(fd), "epoll"), fd: fd, done: make(chan struct{}), sockets: make(map[int32]*socket)}
	raw, err := r.epoll.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("epoll: %w", err), r.epoll.Close())
	}
	go func() {
		defer close(r.done)
		events := make([]unix.EpollEvent, wakes)
		// It ends when close closes the file.
		_ = raw.Read(func(uintptr) bool {
			r.serve(events)
			return false
		})
	}()
	return r, nil
}

// serve handles whatever is ready.
func (r *reactor) serve(events []unix.EpollEvent) {
	if r.last < few {
		time.Sleep(lull)
	}
	r.last = 0
	for {
		n, err := unix.EpollWait(r.fd, events, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 {
			return
		}
		r.last += n
		for _, e := range events[:n] {
			r.mu.Lock()
			s := r.sockets[e.Fd]
			r.mu.Unlock()
			if s != nil {
				s.readable(e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0)
			}
		}
	}
}

// close ends the reactor. Its sockets must have ended before.
func (r *reactor) close() {
	if r == nil {
		return
	}
	_ = r.epoll.Close()
	<-r.done
}

// carry takes over nc for c where it can.
func (r *reactor) carry(nc net.Conn, c *conn) bool {
	file, ok := nc.(*net.TCPConn)
	if !ok || r == nil {
		return false
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return false
	}
	fd := -1
	// A descriptor of its own, of which Go's poller knows nothing.
	err = raw.Control(func(own uintptr) { fd, _ = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil || fd < 0 {
		return false
	}
	s := &socket{r: r, c: c, fd: fd}
	c.carrier = s
	r.mu.Lock()
	r.sockets[int32(fd)] = s //nolint:gosec // a descriptor is small
	r.mu.Unlock()
	if err := unix.EpollCtl(r.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(fd)}); err != nil { //nolint:gosec // a descriptor is small
		s.release()
		return false
	}
	_ = nc.Close() // the connection lives on in the other descriptor
	return true
}

// socket carries the bytes of one TCP connection.
type socket struct {
	r *reactor
	c *conn

	mu sync.Mutex
	fd int // -1 once it is closed
}

func (s *socket) send(frame []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.fd < 0 {
			return net.ErrClosed
		}
		n, err := syscall.Write(s.fd, frame)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN), err == nil && n < len(frame):
			return errStuffed
		}
		return err //nolint:wrapcheck // conn.start wraps it
	}
}

// shut makes the system end the connection, which wakes the reactor.
func (s *socket) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd >= 0 {
		_ = unix.Shutdown(s.fd, unix.SHUT_RDWR)
	}
}

// readable takes what has come. The reactor is told of a socket once for each
// arrival, so all of it must be taken: as long as a read fills its room, and
// to the end where the peer has ended.
func (s *socket) readable(ended bool) {
	for {
		room := s.c.room()
		n, err := syscall.Read(s.fd, room)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return
		case n == 0 && err == nil:
			err = io.EOF
		}
		if stop := s.c.take(max(n, 0), err); stop != nil {
			s.release()
			s.c.end(stop)
			return
		}
		if n < len(room) && !ended {
			return
		}
	}
}

// release gives the descriptor back. Only the reactor does, so that no event
// and no read can meet another connection under the same number.
func (s *socket) release() {
	s.r.mu.Lock()
	delete(s.r.sockets, int32(s.fd)) //nolint:gosec // a descriptor is small
	s.r.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = unix.Close(s.fd)
	s.fd = -1
}
