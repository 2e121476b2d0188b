package modbus

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// openPTY opens the line at a pseudo-terminal.
func openPTY(t testing.TB, p *pty, s serialSettings) link {
	t.Helper()
	l, err := serialLine(p.name, s)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.fail(errClosed) })
	return l
}

var fast = serialSettings{baud: 115200, parity: "even", stopBits: 1}

// TestLineLies lets a unit on a serial line lie and watches it and a neighbour.
func TestLineLies(t *testing.T) {
	for name, l := range map[string]struct {
		tell func(far io.Writer, request, truth []byte)
		want string // "" = the value comes all the same
	}{
		"wrong checksum":        {tell: func(w io.Writer, _, a []byte) { a[len(a)-1]++; _, _ = w.Write(a) }, want: "checksum"},
		"a bit flipped":         {tell: func(w io.Writer, _, a []byte) { a[4] ^= 1; _, _ = w.Write(a) }, want: "checksum"},
		"foreign unit":          {tell: func(w io.Writer, _, a []byte) { a[0] = 9; _, _ = w.Write(withCRC(a[:len(a)-2])) }, want: "unit 9 answered"},
		"another function":      {tell: func(w io.Writer, _, a []byte) { a[1] = 4; _, _ = w.Write(withCRC(a[:len(a)-2])) }, want: "function 4"},
		"a writing function":    {tell: func(w io.Writer, _, a []byte) { a[1] = 16; _, _ = w.Write(withCRC(a[:len(a)-2])) }, want: "function 16"},
		"fewer registers":       {tell: func(w io.Writer, _, a []byte) { a[2] -= 2; _, _ = w.Write(withCRC(a[:len(a)-4])) }, want: "garbled"},
		"impossible byte count": {tell: func(w io.Writer, _, a []byte) { a[2] = 255; _, _ = w.Write(withCRC(a[:len(a)-2])) }, want: "255 bytes announced"},
		"half a frame":          {tell: func(w io.Writer, _, a []byte) { _, _ = w.Write(a[:5]) }, want: "half an answer"},
		"silence":               {tell: func(io.Writer, []byte, []byte) {}, want: "no answer in time"},
		"noise before":          {tell: func(w io.Writer, _, a []byte) { _, _ = w.Write(append([]byte{0xFF, 0, 0x13}, a...)) }, want: "garbled"},
		"echo":                  {tell: func(w io.Writer, q, a []byte) { _, _ = w.Write(append(q, a...)) }, want: "echo"},
		"byte by byte": {tell: func(w io.Writer, _, a []byte) {
			for i := range a {
				_, _ = w.Write(a[i : i+1])
				time.Sleep(2 * time.Millisecond)
			}
		}},
		"every answer twice": {tell: func(w io.Writer, _, a []byte) { _, _ = w.Write(append(append([]byte{}, a...), a...)) }},
		"exception":          {tell: func(w io.Writer, q, _ []byte) { _, _ = w.Write(withCRC([]byte{q[0], q[1] | 0x80, 2})) }, want: "exception"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPTY(t, func(w io.Writer, q, a []byte) {
				if q[0] == 1 {
					l.tell(w, q, a)
					return
				}
				_, _ = w.Write(a)
			})
			line := openPTY(t, p, fast)
			for round := range 3 {
				for unit := byte(1); unit <= 2; unit++ {
					q := rtuRequest(unit, 3, 10, 4)
					a, err := line.exchange(t.Context(), time.Now().Add(600*time.Millisecond), q)
					honest := unit == 2 || l.want == ""
					switch {
					case honest && (err != nil || !bytes.Equal(a, rtuTruth(q))):
						t.Fatalf("round %d: unit %d: % x, %v", round, unit, a, err)
					case !honest && l.want == "exception":
						if err != nil || a[1] != 0x83 {
							t.Fatalf("round %d: % x, %v", round, a, err)
						}
					case !honest && (err == nil || !strings.Contains(err.Error(), l.want)):
						t.Fatalf("round %d: the lie came as % x, %v; want %q", round, a, err, l.want)
					}
				}
				if !line.usable() {
					t.Fatal("the lie cost the neighbour its line")
				}
			}
		})
	}
}

// TestLineTornFrame: the rest of a frame is not waited for as its beginning is.
func TestLineTornFrame(t *testing.T) {
	line := openPTY(t, newPTY(t, func(w io.Writer, _, a []byte) { _, _ = w.Write(a[:5]) }), fast)
	began := time.Now()
	_, err := line.exchange(t.Context(), time.Now().Add(10*time.Second), rtuRequest(1, 3, 10, 4))
	if took := time.Since(began); !errors.Is(err, errGarbled) || took > 5*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
}

// TestLineSilence measures the silence before requests: 3.5 characters after
// the answer before, at 1200 baud 32 ms.
func TestLineSilence(t *testing.T) {
	var mu sync.Mutex
	var answered time.Time
	least := time.Hour
	p := newPTY(t, func(w io.Writer, _, a []byte) {
		mu.Lock()
		defer mu.Unlock()
		if !answered.IsZero() {
			least = min(least, time.Since(answered))
		}
		_, _ = w.Write(a)
		answered = time.Now()
	})
	slow := serialSettings{baud: 1200, parity: "even", stopBits: 1}
	line := openPTY(t, p, slow)
	for range 4 {
		if _, err := line.exchange(t.Context(), time.Now().Add(time.Second), rtuRequest(1, 4, 0, 2)); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if want := slow.timing().before; least < want-time.Millisecond || want < 32*time.Millisecond {
		t.Errorf("a request came %v after an answer; the line must be silent for %v", least, want)
	}
}

// TestLineCancelled ends an exchange whose caller leaves, and goes on: the
// answer that comes late is nobody's.
func TestLineCancelled(t *testing.T) {
	late := make(chan struct{})
	first := true
	p := newPTY(t, func(w io.Writer, _, a []byte) {
		if first {
			first = false
			<-late
			a = withCRC(append(append([]byte{}, a[:3]...), bytes.Repeat([]byte{0xEE}, len(a)-5)...))
		}
		_, _ = w.Write(a)
	})
	line := openPTY(t, p, fast)
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	time.AfterFunc(30*time.Millisecond, cancel)
	_, err := line.exchange(ctx, time.Now().Add(20*time.Second), rtuRequest(1, 3, 0, 4))
	if !errors.Is(err, context.Canceled) || time.Since(began) > 2*time.Second {
		t.Fatalf("after %v: %v", time.Since(began), err)
	}
	time.AfterFunc(30*time.Millisecond, func() { close(late) })
	q := rtuRequest(1, 3, 0, 4)
	a, err := line.exchange(t.Context(), time.Now().Add(time.Second), q)
	if err != nil || !bytes.Equal(a, rtuTruth(q)) {
		t.Errorf("the next read: % x, %v", a, err)
	}
}

// TestLineWaitsIdly holds waiting for silent units to next to no processor time.
func TestLineWaitsIdly(t *testing.T) {
	line := openPTY(t, newPTY(t, func(io.Writer, []byte, []byte) {}), fast)
	cpu := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before, began := cpu(), time.Now()
	if _, err := line.exchange(t.Context(), time.Now().Add(time.Second), rtuRequest(1, 3, 0, 2)); !errors.Is(err, errSilent) {
		t.Fatal(err)
	}
	if used, took := cpu()-before, time.Since(began); used > 100*time.Millisecond || took > 1500*time.Millisecond {
		t.Errorf("waiting %v used %v of the processor", took, used)
	}
}

// TestLineNeverSilent: a line that somebody else talks on without end is
// given up, in bounded time.
func TestLineNeverSilent(t *testing.T) {
	stop := make(chan struct{})
	var talk sync.WaitGroup
	defer talk.Wait()
	defer close(stop)
	p := newPTY(t, func(w io.Writer, _, _ []byte) {
		talk.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
					_, _ = w.Write([]byte{0x55})
				}
			}
		})
	})
	line := openPTY(t, p, fast)
	if _, err := line.exchange(t.Context(), time.Now().Add(100*time.Millisecond), rtuRequest(1, 3, 0, 2)); !errors.Is(err, errGarbled) {
		t.Fatal(err)
	}
	_, err := line.exchange(t.Context(), time.Now().Add(100*time.Millisecond), rtuRequest(1, 3, 0, 2))
	if !errors.Is(err, errClosed) || !strings.Contains(err.Error(), "another master") {
		t.Fatal(err)
	}
}

// TestLateAnswersBelongToNobody drives a unit that answers in order but at
// any time, on shapes that look alike, and holds every value to the request
// of this very exchange.
func TestLateAnswersBelongToNobody(t *testing.T) {
	type asked struct {
		address, count uint16
		at             time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		near, far := net.Pipe()
		var (
			mu   sync.Mutex
			seen []asked
			work sync.WaitGroup
		)
		delays := rapid.SliceOfN(rapid.SampledFrom([]int{0, 0, 0, 1, 8, 12, 20}), 60, 60).Draw(t, "delays")
		refusals := rapid.SliceOfN(rapid.IntRange(0, 5), 60, 60).Draw(t, "refusals")
		queue := make(chan []byte, 1000)
		work.Go(func() { // answers in order, late
			for a := range queue {
				delay := time.Duration(a[len(a)-1]) * time.Millisecond
				time.Sleep(delay)
				_ = far.SetWriteDeadline(time.Now().Add(time.Second))
				_, _ = far.Write(a[:len(a)-1])
			}
		})
		work.Go(func() {
			defer close(queue)
			for n := 0; ; n++ {
				q := make([]byte, requestRTU)
				if _, err := io.ReadFull(far, q); err != nil {
					return
				}
				mu.Lock()
				seen = append(seen, asked{binary.BigEndian.Uint16(q[2:]), binary.BigEndian.Uint16(q[4:]), time.Now()})
				mu.Unlock()
				a := rtuTruth(q)
				binary.BigEndian.PutUint16(a[3:], uint16(n)) // the first register numbers the request
				a = withCRC(a[:len(a)-2])
				if refusals[n%60] == 0 {
					a = withCRC([]byte{q[0], q[1] | 0x80, 4})
				}
				queue <- append(a, byte(delays[n%60]))
			}
		})
		l := newRTULink(near, timing{after: time.Millisecond}, newLedger(false))
		for range 7 {
			address := rapid.SampledFrom([]uint16{0, 100}).Draw(t, "address")
			count := rapid.SampledFrom([]uint16{1, 2, 3, 4}).Draw(t, "count")
			began := time.Now()
			a, err := l.exchange(context.Background(), time.Now().Add(10*time.Millisecond), rtuRequest(7, 3, address, count))
			if err != nil || a[1]&0x80 != 0 {
				continue
			}
			mu.Lock()
			of := seen[binary.BigEndian.Uint16(a[3:])]
			mu.Unlock()
			if of.address != address || of.count != count || of.at.Before(began) {
				t.Fatalf("a request for %d registers at %d took the answer to %+v", count, address, of)
			}
		}
		_ = l.fail(errClosed)
		_ = far.Close()
		work.Wait()
	})
}

// TestBarrier spells out what is asked before a request whose answer could be
// taken for a late one.
func TestBarrier(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	shape := func(q []byte) expected {
		e, err := expectRTU(q)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	registers, one, coils, few := rtuRequest(1, 3, 10, 4), rtuRequest(1, 3, 10, 1), rtuRequest(1, 1, 0, 20), rtuRequest(1, 1, 0, 8)
	for _, q := range [][]byte{registers, one, coils, few} {
		l := newLedger(false)
		if b, err := l.barrier(q, shape(q), now); b != nil || err != nil {
			t.Errorf("nothing is open, yet % x comes before % x (%v)", b, q, err)
		}
		l.sent(q, shape(q), false, now)
		if b, err := l.barrier(rtuRequest(2, 3, 10, 4), shape(rtuRequest(2, 3, 10, 4)), now); b != nil || err != nil {
			t.Errorf("another unit waits behind % x (%v)", b, err)
		}
		b, err := l.barrier(q, shape(q), now.Add(time.Second))
		if bytes.Equal(q, registers) && !bytes.Equal(b, rtuRequest(1, 3, 10, 3)) || bytes.Equal(q, coils) && !bytes.Equal(b, rtuRequest(1, 1, 0, 12)) {
			t.Errorf("before % x comes % x", q, b)
		}
		if short := bytes.Equal(q, one) || bytes.Equal(q, few); short != errors.Is(err, errSilent) {
			t.Errorf("% x: % x, %v", q, b, err)
		}
		if b != nil {
			l.sent(b, shape(b), true, now)
			l.answered(shape(b), b[1:]) // not an exception: its shape alone counts
		} else {
			now = now.Add(lateness)
		}
		if b, err := l.barrier(q, shape(q), now); b != nil || err != nil {
			t.Errorf("after the barrier % x comes before % x (%v)", b, q, err)
		}
	}
}
