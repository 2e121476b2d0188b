package curve_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench drives an Accumulator with a clock and a stream of its own.
type bench struct {
	t      *testing.T
	store  *curve.Memory
	acc    *curve.Accumulator
	now    time.Time
	cfg    curve.AccumulatorConfig
	stream []meter.Reading // a message each
}

func newBench(t *testing.T, start time.Time, loc *time.Location) *bench {
	b := &bench{t: t, store: curve.NewMemory(), now: start}
	b.cfg = curve.AccumulatorConfig{Store: b.store, Location: loc, Clock: func() time.Time { return b.now }}
	b.crash()
	return b
}

// crash throws the Accumulator away and reads the stream on where the store
// says.
func (b *bench) crash() {
	b.t.Helper()
	acc, err := curve.NewAccumulator(b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.acc = acc
	position, err := acc.Position(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for at := int(position); at < len(b.stream); at++ {
		b.accept(at)
	}
}

func (b *bench) accept(at int) {
	b.t.Helper()
	if err := b.acc.Accept(b.t.Context(), b.stream[at:at+1], uint64(at+1)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) reading(q meter.Quantity, v float64) {
	b.t.Helper()
	b.late(b.now.Sub(start), q, v)
}

// late gives a reading of another moment than now.
func (b *bench) late(at time.Duration, q meter.Quantity, v float64) {
	b.t.Helper()
	b.stream = append(b.stream, meter.Reading{MeterID: "M", Quantity: q, Value: v, EventTime: start.Add(at), ReceiveTime: b.now, Quality: meter.Good})
	b.accept(len(b.stream) - 1)
}

func (b *bench) commit() {
	b.t.Helper()
	if err := b.acc.Commit(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) day(date string) curve.Day {
	b.t.Helper()
	if err := b.acc.Flush(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	return b.stored(date)
}

// stored returns a day as the store has it.
func (b *bench) stored(date string) curve.Day {
	b.t.Helper()
	d, err := curve.ParseDate(date)
	if err != nil {
		b.t.Fatal(err)
	}
	days, err := b.store.Days(b.t.Context(), "M", d, d)
	if err != nil || len(days) != 1 {
		b.t.Fatalf("%d days on %s, %v", len(days), date, err)
	}
	return days[0]
}

func (b *bench) versions(date string) []curve.Version {
	b.t.Helper()
	d, err := curve.ParseDate(date)
	if err != nil {
		b.t.Fatal(err)
	}
	versions, err := b.store.Versions(b.t.Context(), "M", d)
	if err != nil {
		b.t.Fatal(err)
	}
	return versions
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
