package modbus

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// lateness is how long a unit has for a late answer that could not be told
// from a new one.
const lateness = 2 * time.Second

// ledger keeps, by unit, the requests of a line whose answers may still come,
// oldest first. RTU has no transaction id; but a unit answers in the order in
// which it is asked, and function and number of bytes tell most answers apart.
// A request that could be mistaken for an older one waits behind a barrier: a
// shorter request for the same registers, or another of the same unit, whose
// answer proves that whatever the unit had to say before has come, or never
// will.
type ledger struct {
	// forgets says that what comes late is lost with its connection: that of a
	// serial server, not a serial line.
	forgets bool

	mu    sync.Mutex
	open  map[byte][]debt
	asked map[byte][]question // of different shapes, a few of each unit
}

// question is a request that a unit is asked in service.
type question struct {
	shape expected
	frame [requestRTU]byte
}

// maxQuestions is how many requests of different shapes are kept of a unit.
const maxQuestions = 4

// debt is requests of the same shape, one after the other.
type debt struct {
	shape expected
	count int
	last  time.Time // when the last of them was sent
}

func newLedger(forgets bool) *ledger {
	return &ledger{forgets: forgets, open: make(map[byte][]debt), asked: make(map[byte][]question)}
}

// sent notes a request. Barriers of the ledger's own are no questions.
func (l *ledger) sent(request []byte, shape expected, barrier bool, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := barrier || len(l.asked[shape.unit]) == maxQuestions
	for _, q := range l.asked[shape.unit] {
		known = known || q.shape == shape
	}
	if !known {
		l.asked[shape.unit] = append(l.asked[shape.unit], question{shape, [requestRTU]byte(request)})
	}
	list := l.open[shape.unit]
	if n := len(list); n > 0 && list[n-1].shape == shape {
		list[n-1].count++
		list[n-1].last = now
		return
	}
	l.open[shape.unit] = append(list, debt{shape: shape, count: 1, last: now})
}

// barrier returns what must be asked before a request, nil where nothing
// must: where no older answer could be taken for the new one.
func (l *ledger) barrier(request []byte, shape expected, now time.Time) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.open[shape.unit]
	mistakable := -1
	for i, d := range list {
		if d.shape == shape {
			mistakable = i
		}
	}
	if mistakable < 0 {
		return nil, nil
	}
	count := int(binary.BigEndian.Uint16(request[4:]))
	shorter := count - 1
	if shape.function <= 2 {
		shorter = count - 8 // a byte less
	}
	if shorter >= 1 {
		b := append([]byte(nil), request[:4]...)
		b = binary.BigEndian.AppendUint16(b, uint16(shorter))
		return binary.LittleEndian.AppendUint16(b, crc16(b)), nil
	}
	for _, q := range l.asked[shape.unit] {
		if q.shape != shape {
			return q.frame[:], nil
		}
	}
	// What the profile does not name is not read, not even as a barrier.
	if wait := list[mistakable].last.Add(lateness).Sub(now); wait > 0 {
		return nil, fmt.Errorf("%w: a late answer of unit %d could not be told from a new one; asked again in %v", errSilent, shape.unit, wait.Round(100*time.Millisecond))
	}
	l.open[shape.unit] = list[mistakable+1:]
	if l.forgets {
		return nil, fmt.Errorf("%w to be rid of a late answer of unit %d", errClosed, shape.unit)
	}
	return nil, nil
}

// answered notes that a request was answered. An exception tells its function
// alone: it may belong to an older request of it.
func (l *ledger) answered(shape expected, pdu []byte) {
	if pdu[0]&0x80 != 0 {
		l.settle(shape.unit, func(s expected) bool { return s.function == shape.function })
		return
	}
	l.settle(shape.unit, func(s expected) bool { return s == shape })
}

// late reports whether (unit, pdu) answers an older request, and notes it.
func (l *ledger) late(unit byte, pdu []byte) bool {
	if pdu[0]&0x80 != 0 {
		return l.settle(unit, func(s expected) bool { return s.function == pdu[0]&^0x80 })
	}
	shape := expected{unit, pdu[0], int(pdu[1])}
	return len(pdu) == 2+shape.bytes && l.settle(unit, func(s expected) bool { return s == shape })
}

// settle strikes out the oldest request that fits an answer, and all older
// ones: their answers would have come before.
func (l *ledger) settle(unit byte, fits func(expected) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.open[unit]
	for i := range list {
		if !fits(list[i].shape) {
			continue
		}
		if list[i].count--; list[i].count == 0 {
			i++
		}
		if list = list[i:]; len(list) == 0 {
			delete(l.open, unit)
		} else {
			l.open[unit] = list
		}
		return true
	}
	return false
}
