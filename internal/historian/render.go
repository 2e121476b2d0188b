package historian

import (
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// line is one rendered line, a part of its text, and the readings in it.
type line struct {
	from, to int
	readings []meter.Reading
}

// text is what a batch of readings looks like in the line protocol.
type text struct {
	form  form
	buf   []byte
	lines []line

	unfit  []meter.Reading // that no engine could take
	reason error           // of the first of them
}

// of returns the text of lines that follow each other.
func (t *text) of(lines []line) string {
	return string(t.buf[lines[0].from:lines[len(lines)-1].to])
}

// form says what of a reading is rendered.
type form struct {
	strings  bool // codes in hex and details, where the engine keeps strings
	received bool // the receive time
}

// bytesPerReading is what a reading takes in a line where ten share one.
const bytesPerReading = 40

// render turns readings into lines. It uses t's buffers.
func (f form) render(t *text, readings []meter.Reading) {
	t.form = f
	t.buf = slices.Grow(t.buf[:0], bytesPerReading*len(readings))
	t.lines, t.unfit, t.reason = t.lines[:0], nil, nil
	for i := 0; i < len(readings); {
		if err := storable(&readings[i]); err != nil {
			if t.reason == nil {
				t.reason = err
			}
			t.unfit = append(t.unfit, readings[i])
			i++
			continue
		}
		end := i + 1
		for end < len(readings) && sameLine(&readings[i], &readings[end]) &&
			fieldName(&readings[end]) == nil && !repeated(readings[i:end], readings[end].Quantity) {
			end++
		}
		from := len(t.buf)
		t.buf = f.appendLine(t.buf, readings[i:end])
		t.lines = append(t.lines, line{from: from, to: len(t.buf), readings: readings[i:end]})
		i = end
	}
}

func repeated(readings []meter.Reading, q meter.Quantity) bool {
	for i := range readings {
		if readings[i].Quantity == q {
			return true
		}
	}
	return false
}
