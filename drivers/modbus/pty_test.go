package modbus

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// pty is a serial line: the far end of a pseudo-terminal, and a name for the
// near end that stays when the pair is replaced, as that of a USB adapter
// that is unplugged and plugged in again.
type pty struct {
	name string // of the near end
	work sync.WaitGroup

	mu  sync.Mutex
	far *os.File
}

// newPTY makes a line at whose far end answer serves requests. It is called
// with the whole request frame and the honest answer.
func newPTY(t testing.TB, answer func(far io.Writer, request, truth []byte)) *pty {
	t.Helper()
	return newPTYFor(t, func(far ptyEnd) { serveRTU(far, answer) })
}

// newPTYFor makes a line whose far end is served by serve.
func newPTYFor(t testing.TB, serve func(far ptyEnd)) *pty {
	t.Helper()
	p := &pty{name: filepath.Join(t.TempDir(), "ttyUSB0")}
	p.plugFor(t, serve)
	t.Cleanup(func() { p.unplug(t) })
	return p
}

func (p *pty) plug(t testing.TB, answer func(far io.Writer, request, truth []byte)) {
	t.Helper()
	p.plugFor(t, func(far ptyEnd) { serveRTU(far, answer) })
}

func (p *pty) plugFor(t testing.TB, serve func(far ptyEnd)) {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	var number, locked int32
	for request, arg := range map[uintptr]*int32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &locked} {
		if err := control(far, func(fd int) error {
			if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
				return errno
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(fmt.Sprintf("/dev/pts/%d", number), p.name); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.far = far
	p.mu.Unlock()
	p.work.Go(func() { serve(ptyEnd{far}) })
}

// unplug takes the line away.
func (p *pty) unplug(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	far := p.far
	p.far = nil
	p.mu.Unlock()
	if far == nil {
		return
	}
	_ = os.Remove(p.name)
	_ = far.Close()
	p.work.Wait()
}

// ptyEnd reads on while nobody has the near end open, which a pseudo-terminal
// reports as an error.
type ptyEnd struct{ *os.File }

func (e ptyEnd) Read(b []byte) (int, error) {
	for {
		n, err := e.File.Read(b)
		if n > 0 {
			return n, nil
		}
		if pathErr := new(os.PathError); err == nil || !asEIO(err, &pathErr) {
			return n, err
		}
		time.Sleep(time.Millisecond)
	}
}

func asEIO(err error, to **os.PathError) bool {
	pe, ok := err.(*os.PathError) //nolint:errorlint // as os.File returns it
	*to = pe
	return ok && pe.Err == syscall.EIO //nolint:errorlint // as the system returns it
}

// serveRTU answers RTU requests until reading fails.
func serveRTU(c io.ReadWriter, answer func(c io.Writer, request, truth []byte)) {
	for {
		q := make([]byte, requestRTU)
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		answer(c, q, rtuTruth(q))
	}
}

// rtuTruth is the honest answer to a request: registers hold 1000 times the
// unit plus the address.
func rtuTruth(q []byte) []byte {
	from, n := int(binary.BigEndian.Uint16(q[2:])), int(binary.BigEndian.Uint16(q[4:]))
	if q[1] <= 2 {
		a := []byte{q[0], q[1], byte((n + 7) / 8)}
		return withCRC(append(a, make([]byte, (n+7)/8)...))
	}
	a := []byte{q[0], q[1], byte(2 * n)}
	for i := range n {
		a = binary.BigEndian.AppendUint16(a, uint16(1000*int(q[0])+from+i))
	}
	return withCRC(a)
}

// rtuRequest asks a unit for registers.
func rtuRequest(unit, function byte, address, count uint16) []byte {
	q := binary.BigEndian.AppendUint16([]byte{unit, function}, address)
	return withCRC(binary.BigEndian.AppendUint16(q, count))
}
