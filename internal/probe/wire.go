package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Limits on what one probe asks of a device.
const (
	defaultRequests = 150
	defaultPause    = 20 * time.Millisecond
	maxSilent       = 6               // requests without any answer, after which the device is left alone
	maxWait         = 5 * time.Second // for a driver that leaves a silent device alone
)

// answer is what came of one request.
type answer struct {
	block   profile.Block
	data    []byte // nil where none came
	at      time.Time
	refused bool   // the device itself said no
	why     string // of no data
}

// wire asks one device for registers, each only once.
type wire struct {
	driver   drivers.Driver
	dev      drivers.Device
	pause    time.Duration
	most     int
	answers  []*answer
	requests int
	silent   int // in a row
	anchor   drivers.Session
}

var errSpent = errors.New("no further request is made")

// close ends the session that kept the connection.
func (w *wire) close() error {
	if w.anchor == nil {
		return nil
	}
	return w.anchor.Close()
}

// known returns an answer that holds a block, or else the one that refused it.
func (w *wire) known(b *profile.Block) *answer {
	var refused *answer
	for _, a := range w.answers {
		from, to := int(a.block.Address), int(a.block.Address)+int(a.block.Count)
		switch {
		case a.block.Table != b.Table:
		case a.data != nil && from <= int(b.Address) && int(b.Address)+int(b.Count) <= to:
			return a
		case a.data == nil && a.block.Address == b.Address && a.block.Count == b.Count:
			refused = a
		}
	}
	return refused
}

// read returns the answer for a block, asking for it where it is not known. An
// error means that the device is not to be asked any more.
func (w *wire) read(ctx context.Context, b *profile.Block) (*answer, error) {
	if a := w.known(b); a != nil {
		return a, nil
	}
	a, err := w.ask(ctx, b)
	if a != nil {
		w.answers = append(w.answers, a)
	}
	return a, err
}

// again asks for a block that was answered before, and does not keep it.
func (w *wire) again(ctx context.Context, b *profile.Block) (*answer, error) { return w.ask(ctx, b) }

func (w *wire) ask(ctx context.Context, b *profile.Block) (*answer, error) {
	if w.requests >= w.most {
		return nil, fmt.Errorf("%w: %d were made", errSpent, w.requests)
	}
	if w.silent >= maxSilent {
		return nil, fmt.Errorf("%w: the last %d were not answered", errSpent, w.silent)
	}
	if w.requests > 0 {
		if err := sleep(ctx, w.pause); err != nil {
			return nil, err
		}
	}
	w.requests++
	dev := w.dev
	dev.Profile = profile.OfRegisters("probe", []profile.Block{*b})
	session, err := w.driver.Session(dev)
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	if w.anchor == nil {
		w.anchor = session // holds the connection for the others
	} else {
		defer func() { _ = session.Close() }() // what it read is there
	}
	readings, err := session.Read(ctx, 0)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("probe: %w", ctx.Err())
	}
	a := assemble(b, readings)
	if a.data != nil {
		w.silent = 0
		return a, nil
	}
	a.why = reason(err)
	if a.refused {
		a.why = fmt.Sprintf("the device refuses %s %d to %d: %s", b.Table, b.Address, int(b.Address)+int(b.Count)-1, within(a.why))
		w.silent = 0
		return a, nil
	}
	w.silent++
	return a, w.wait(ctx, session)
}

// assemble puts a block together from the readings that carry its registers.
func assemble(b *profile.Block, readings []meter.Reading) *answer {
	a := &answer{block: *b}
	var raw []byte
	for _, r := range readings {
		a.at = r.ReceiveTime
		if len(r.Raw) == 0 {
			a.refused = r.Flags.Has(meter.Missing)
			return a
		}
		raw = append(raw, r.Raw...)
	}
	if !b.Table.Bits() {
		a.data = raw
		return a
	}
	a.data = make([]byte, b.AnswerSize())
	for i, bit := range raw {
		a.data[i/8] |= bit << (i % 8)
	}
	return a
}

// wait leaves a silent device alone for as long as its driver does.
func (w *wire) wait(ctx context.Context, s drivers.Session) error {
	o, ok := s.(drivers.Observer)
	if !ok {
		return nil
	}
	if pause := time.Until(o.Condition().NextProbe); pause > 0 {
		return sleep(ctx, min(pause, maxWait))
	}
	return nil
}

// reason is a driver's error in short: the device's name is not needed here.
func reason(err error) string {
	if err == nil {
		return "no answer"
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimPrefix(text, "device probe: ")
}

// within returns the part of a driver's message that names the exception.
func within(text string) string {
	if _, rest, found := strings.Cut(text, "("); found {
		text, _, _ = strings.Cut(rest, ")")
	}
	return text
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("probe: %w", ctx.Err())
	}
}

// cut returns the block's part of an answer that holds it.
func (a *answer) cut(b *profile.Block) []byte {
	at := int(b.Address) - int(a.block.Address)
	if !b.Table.Bits() {
		return a.data[2*at : 2*(at+int(b.Count))]
	}
	data := make([]byte, b.AnswerSize())
	for i := range int(b.Count) {
		data[i/8] |= a.data[(at+i)/8] >> ((at + i) % 8) & 1 << (i % 8)
	}
	return data
}
