package main

import "time"

// timer is an answer that waits for its time.
type timer struct {
	at     time.Time
	socket *socket
}

// timers is a heap by time.
type timers []timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)        { *t = append(*t, x.(timer)) }
func (t *timers) Pop() any {
	old := *t
	last := old[len(old)-1]
	*t = old[:len(old)-1]
	return last
}

// line is a serial line behind a gateway: one request is on it at a time, and
// connections get it in the order in which they asked.
type line struct {
	taken   bool
	waiting []*socket
}

// take gives the line to s, or remembers that s waits for it.
func (n *line) take(s *socket) bool {
	if n.taken {
		n.waiting = append(n.waiting, s)
		return false
	}
	n.taken = true
	return true
}

// release returns who has the line next, nil where nobody waits. A request
// whose connection was closed meanwhile takes its turn all the same: it is
// already with the gateway.
func (n *line) release() *socket {
	if len(n.waiting) == 0 {
		n.taken = false
		return nil
	}
	next := n.waiting[0]
	n.waiting = n.waiting[1:]
	return next
}
