package main

import (
	"container/heap"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// loop serves a part of the listeners and all their connections in one
// goroutine, which waits for all of them at once.
type loop struct {
	opts    *options
	epoll   int
	wake    [2]int // a pipe, whose closing ends the loop
	sockets []*socket
	timers  timers
	read    []byte
	out     []byte

	mu       sync.Mutex // held while events are worked on, and by whoever reads the counters
	counters counters
}

// socket is a listener or a connection.
type socket struct {
	fd        int
	listening bool
	closed    bool
	site      *site

	in   []byte        // received and not served yet
	busy bool          // a request is under way; those after it wait in in
	held []byte        // its answer
	wait time.Duration // that the answer takes
}

func newLoop(opts *options, devices int) (*loop, error) {
	l := &loop{opts: opts, read: make([]byte, 64<<10)}
	l.counters = counters{devices: make([]visits, devices), first: opts.firstDevice}
	var err error
	if l.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := syscall.Pipe2(l.wake[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return nil, errors.Join(fmt.Errorf("pipe: %w", err), syscall.Close(l.epoll))
	}
	return l, l.watch(&socket{fd: l.wake[0]})
}

// watch adds a socket.
func (l *loop) watch(s *socket) error {
	for len(l.sockets) <= s.fd {
		l.sockets = append(l.sockets, nil)
	}
	l.sockets[s.fd] = s
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(s.fd)}
	if err := syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, s.fd, &event); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// listen opens a listener on a port of host, 0 for any, and returns the port.
func (l *loop) listen(host [4]byte, port int, at *site) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("socket: %w; raise the limit of open files (ulimit -n)", err)
	}
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: host})
	}
	if err == nil {
		err = syscall.Listen(fd, 1024)
	}
	var bound syscall.Sockaddr
	if err == nil {
		bound, err = syscall.Getsockname(fd)
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("listen on port %d: %w; another program may hold it: choose other ports with -base and -gateway", port, err), syscall.Close(fd))
	}
	if in4, ok := bound.(*syscall.SockaddrInet4); ok {
		port = in4.Port
	}
	return port, l.watch(&socket{fd: fd, listening: true, site: at})
}

// run serves until close is called.
func (l *loop) run() error {
	events := make([]syscall.EpollEvent, 256)
	for {
		n, err := l.await(events)
		if err != nil {
			return err
		}
		now := time.Now()
		l.mu.Lock()
		ended := false
		for _, e := range events[:n] {
			if int(e.Fd) == l.wake[0] {
				ended = true
			} else if s := l.sockets[e.Fd]; s != nil {
				l.ready(s, now)
			}
		}
		l.expire(now)
		l.mu.Unlock()
		if ended {
			return l.release()
		}
	}
}

// await waits for events, or until the next timer is due. The kernel's wait
// for events counts in milliseconds; where a timer runs, a select on the epoll
// descriptor, which counts in microseconds, comes before it.
func (l *loop) await(events []syscall.EpollEvent) (int, error) {
	timeout := -1
	if len(l.timers) > 0 {
		timeout = 0
		if d := time.Until(l.timers[0].at); d > 0 {
			var set syscall.FdSet
			set.Bits[l.epoll/64] |= 1 << (l.epoll % 64)
			tv := syscall.NsecToTimeval(d.Nanoseconds() + 999)
			n, err := syscall.Select(l.epoll+1, &set, nil, nil, &tv)
			if n <= 0 && (err == nil || errors.Is(err, syscall.EINTR)) {
				return 0, nil
			}
			if err != nil {
				return 0, fmt.Errorf("select: %w", err)
			}
		}
	}
	n, err := syscall.EpollWait(l.epoll, events, timeout)
	if errors.Is(err, syscall.EINTR) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("epoll: %w", err)
	}
	return n, nil
}

// ready reads what has come, once, and serves it.
func (l *loop) ready(s *socket, now time.Time) {
	if s.listening {
		l.accept(s)
		return
	}
	n, err := syscall.Read(s.fd, l.read)
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
	case n <= 0:
		l.drop(s)
	default:
		data := l.read[:n]
		if len(s.in) > 0 {
			s.in = append(s.in, data...)
			data = s.in
		}
		l.serve(s, data, now)
	}
}

func (l *loop) accept(s *socket) {
	for {
		fd, _, err := syscall.Accept4(s.fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return // none is left, or it has gone again; an open listener is asked anew
		}
		c := &socket{fd: fd, site: s.site}
		if syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) != nil || l.watch(c) != nil {
			_ = syscall.Close(fd)
			continue
		}
		l.counters.opened()
	}
}

// serve answers the requests in data, as far as none has to wait.
func (l *loop) serve(s *socket, data []byte, now time.Time) {
	l.out = l.out[:0]
	for !s.busy {
		request, n := frame(data)
		if n < 0 {
			l.drop(s)
			return
		}
		if n == 0 {
			break
		}
		data = data[n:]
		r := l.opts.answer(l.out, s.site, request, now)
		l.counters.add(r, now)
		switch {
		case r.bytes == nil:
		case r.wait > 0:
			s.held = append(s.held[:0], r.bytes[len(l.out):]...)
			s.busy, s.wait = true, r.wait
			if line := s.site.line; line == nil || line.take(s) {
				heap.Push(&l.timers, timer{now.Add(r.wait), s})
			}
		default:
			l.out = r.bytes
		}
	}
	s.in = append(s.in[:0], data...)
	l.write(s, l.out)
}

// expire sends the answers whose time has come. The next request on a line
// begins when the one before it should have ended, not when it was noticed.
func (l *loop) expire(now time.Time) {
	for len(l.timers) > 0 && !l.timers[0].at.After(now) {
		t := heap.Pop(&l.timers).(timer)
		if line := t.socket.site.line; line != nil {
			if next := line.release(); next != nil {
				heap.Push(&l.timers, timer{t.at.Add(next.wait), next})
			}
		}
		t.socket.busy = false
		l.write(t.socket, t.socket.held)
		if !t.socket.closed && len(t.socket.in) > 0 {
			l.serve(t.socket, t.socket.in, now)
		}
	}
}

// write sends b at once. A peer that does not read is dropped.
func (l *loop) write(s *socket, b []byte) {
	if len(b) == 0 || s.closed {
		return
	}
	if n, err := syscall.Write(s.fd, b); err != nil || n < len(b) {
		l.drop(s)
	}
}

func (l *loop) drop(s *socket) {
	if s.closed {
		return
	}
	s.closed = true
	l.sockets[s.fd] = nil
	_ = syscall.Close(s.fd)
	if !s.listening {
		l.counters.open--
	}
}

// stop ends run. Call it once.
func (l *loop) stop() { _ = syscall.Close(l.wake[1]) }

// release closes all that run has used.
func (l *loop) release() error {
	for _, s := range l.sockets {
		if s != nil && s.fd != l.wake[0] {
			l.drop(s)
		}
	}
	return errors.Join(syscall.Close(l.wake[0]), syscall.Close(l.epoll))
}
