package modbus

import "time"

// fifo is the calls that wait for their turn, first come first served.
type fifo struct {
	calls []*call
	head  int
}

func (q *fifo) empty() bool { return q.head == len(q.calls) }

func (q *fifo) push(cl *call) { q.calls = append(q.calls, cl) }

// pushFront puts a call back that has had its turn already.
func (q *fifo) pushFront(cl *call) {
	if q.head > 0 {
		q.head--
		q.calls[q.head] = cl
		return
	}
	q.calls = append(q.calls, nil)
	copy(q.calls[1:], q.calls)
	q.calls[0] = cl
}

func (q *fifo) pop() *call {
	cl := q.calls[q.head]
	q.calls[q.head] = nil
	q.head++
	switch {
	case q.empty():
		q.calls, q.head = q.calls[:0], 0
	case q.head > 32 && 2*q.head > len(q.calls):
		n := copy(q.calls, q.calls[q.head:])
		clear(q.calls[n:])
		q.calls, q.head = q.calls[:n], 0
	}
	return cl
}

func (q *fifo) remove(cl *call) bool {
	for i := q.head; i < len(q.calls); i++ {
		if q.calls[i] == cl {
			q.calls = append(q.calls[:i], q.calls[i+1:]...)
			return true
		}
	}
	return false
}

// drain empties the queue.
func (q *fifo) drain() []*call {
	var out []*call
	for !q.empty() {
		cl := q.pop()
		cl.state = callIdle
		out = append(out, cl)
	}
	return out
}

// timeout is how long whoever waits first has, the default where nobody does.
func (q *fifo) timeout() time.Duration {
	if q.empty() {
		return defaultTimeout
	}
	return q.calls[q.head].timeout
}

// markFresh says that a connection was made for those who wait: should it
// break over them, they are not sent again.
func (q *fifo) markFresh() {
	for _, cl := range q.calls[q.head:] {
		cl.fresh = true
	}
}
