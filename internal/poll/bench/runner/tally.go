package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/internal/poll/bench/fleet"
)

// tally takes the collector's lines, puts polls together from them and holds
// every value to those that the simulator can have served.
type tally struct {
	c       *Case
	strict  bool // a line's time is when the answer came; else values may be as new as their arrival
	points  map[string]int
	byName  map[string]int
	started time.Time

	mu       sync.Mutex
	from, to int64 // the window, ns of the epoch; both 0 before it begins
	devices  []deviceTally
	parsed   line
	first    time.Duration // from the start to the first whole poll
	counts   counts
	samples  []string // of what was wrong
}

// counts are of the window, except duplicates, other and unreadable.
type counts struct {
	delivered, bad, badLive, wrongPolls, wrongValues int64
	lines, bytes                                     int64
	duplicates, other, unreadable                    int64
}

// deviceTally is one device with the poll that is being put together.
type deviceTally struct {
	number int
	at     int64 // of the first line of the poll under way; 0: none is
	seen   uint16
	bad    bool
	wrong  int

	last  int64   // time of the newest finished poll
	times []int64 // of the delivered polls of the window
}

const (
	allPoints  = 1<<fleet.Points - 1
	maxSamples = 20

	// A value was served between request and answer; a request takes at most
	// its timeout.
	requestTimeout = time.Second
)

// newTally expects the points of package fleet under their own names, and
// under those of Gridwarden's profile.
func newTally(c *Case, list []Device, strict bool) *tally {
	t := &tally{
		c: c, strict: strict, started: time.Now(),
		points: make(map[string]int), byName: make(map[string]int, len(list)), devices: make([]deviceTally, len(list)),
	}
	quantities := fleet.Quantities()
	for i, p := range fleet.List() {
		t.points[p.Name], t.points[string(quantities[i])] = i, i
	}
	for i := range list {
		t.byName[list[i].Name] = i
		t.devices[i].number = list[i].number
	}
	return t
}

// begin starts the window. Polls count whose time lies in it, whenever they
// arrive.
func (t *tally) begin(from time.Time, window time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.from, t.to = from.UnixNano(), from.Add(window).UnixNano()
}

// inWindow says whether a moment counts.
func (t *tally) inWindow(at int64) bool { return at >= t.from && at < t.to }

// read takes the lines of r until its end.
func (t *tally) read(r lineReader) error {
	for {
		text, err := r.ReadSlice('\n')
		if len(text) > 0 {
			t.take(text, time.Now())
		}
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull): // the pieces of a line too long count as unreadable
		case errors.Is(err, io.EOF):
			return nil
		default:
			return fmt.Errorf("read the collector's lines: %w", err)
		}
	}
}

// lineReader is a bufio.Reader.
type lineReader interface {
	ReadSlice(delim byte) ([]byte, error)
}

// take takes one line, which arrived now.
func (t *tally) take(text []byte, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !bytes.HasPrefix(text, []byte("meter,")) {
		t.counts.other++
		return
	}
	l := &t.parsed
	if err := l.parse(bytes.TrimRight(text, "\r\n")); err != nil {
		t.counts.unreadable++
		t.sample("not line protocol: %.200q", text)
		return
	}
	i, known := t.byName[string(l.device)]
	if !known {
		t.counts.other++
		return
	}
	if l.time == 0 {
		l.time = now.UnixNano()
	}
	if t.inWindow(l.time) {
		t.counts.lines++
		t.counts.bytes += int64(len(text))
	}
	t.add(&t.devices[i], l, now)
}

// add adds a line to the device's poll.
func (t *tally) add(d *deviceTally, l *line, now time.Time) {
	if l.time <= d.last {
		t.counts.duplicates++ // delivered again, or after the poll was given up
		return
	}
	seen, bad, wrong := t.judge(d, l, now)
	if seen == 0 {
		return
	}
	if d.at != 0 && (d.seen&seen != 0 || time.Duration(l.time-d.at) > t.c.Interval/2) {
		if l.time == d.at {
			t.counts.duplicates++
			return
		}
		t.finish(d)
	}
	if d.at == 0 {
		d.at = l.time
	}
	d.seen |= seen
	d.bad = d.bad || bad
	d.wrong += wrong
	if d.seen == allPoints {
		t.finish(d)
	}
}

// judge says which points a line holds, whether any is not good, and how many
// have a value that the device did not hold at the time.
func (t *tally) judge(d *deviceTally, l *line, now time.Time) (seen uint16, bad bool, wrong int) {
	oldest := time.Unix(0, l.time).Add(-requestTimeout).Unix()
	newest := time.Unix(0, l.time).Unix()
	if !t.strict {
		newest = max(newest, now.Unix())
	}
	served := fleet.Values(d.number, newest)
	second := newest
	for _, v := range l.values {
		name, suffix, _ := bytes.Cut(v.name, []byte{'.'})
		i, known := t.points[string(name)]
		if !known {
			continue
		}
		switch string(suffix) {
		case "quality":
			seen |= 1 << i
			bad = true
		case "":
			seen |= 1 << i
			got, ok := v.number()
			// One answer carries one second: try that of the value before first.
			for s := newest; ok && served[i] != got; s-- {
				if s < oldest {
					ok = false
					break
				}
				if s != second {
					second, served = s, fleet.Values(d.number, s)
				}
			}
			if !ok {
				wrong++
				if t.inWindow(l.time) {
					t.sample("%s", t.explain(d, i, string(v.text), got, l.time))
				}
			}
		}
	}
	return seen, bad, wrong
}

// finish counts the poll under way.
func (t *tally) finish(d *deviceTally) {
	at, whole := d.at, d.seen == allPoints
	wrong, bad := d.wrong, d.bad || !whole
	d.last, d.at, d.seen, d.bad, d.wrong = at, 0, 0, false, 0
	if whole && !bad && wrong == 0 && t.first == 0 {
		t.first = time.Since(t.started)
	}
	if !t.inWindow(at) {
		return
	}
	t.counts.wrongValues += int64(wrong)
	switch {
	case wrong > 0:
		t.counts.wrongPolls++
	case bad:
		t.counts.bad++
		if fate, _ := t.c.Faults.At(d.number, time.Unix(0, at)); fate == fleet.Live {
			t.counts.badLive++
		}
	default:
		t.counts.delivered++
		d.times = append(d.times, at)
	}
}

// end counts polls that are still incomplete, and returns all.
func (t *tally) end() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.devices {
		if d := &t.devices[i]; d.at != 0 {
			t.finish(d)
		}
	}
	return t.counts
}

func (t *tally) sample(format string, args ...any) {
	if len(t.samples) < maxSamples {
		t.samples = append(t.samples, fmt.Sprintf(format, args...))
	}
}

// explain says what is wrong with a value, and whose it is where that can be
// found: another device's, point's or second's.
func (t *tally) explain(d *deviceTally, point int, text string, got float64, at int64) string {
	list := fleet.List()
	second := time.Unix(0, at).Unix()
	var b strings.Builder
	fmt.Fprintf(&b, "device %d, %s at %s: %s", d.number, list[point].Name, time.Unix(0, at).UTC().Format("15:04:05.000"), text)
	if math.Trunc(got*64) != got*64 {
		return b.String() + " is no value of any device"
	}
	for s := second + 2; s > second-120; s-- {
		for other, v := range fleet.Values(d.number, s) {
			if v == got {
				return b.String() + fmt.Sprintf(" is its own %s of %d s before", list[other].Name, second-s)
			}
		}
	}
	for i := range t.devices {
		for s := second + 1; s > second-5; s-- {
			if fleet.Values(t.devices[i].number, s)[point] == got {
				return b.String() + fmt.Sprintf(" is what device %d held %d s before", t.devices[i].number, second-s)
			}
		}
	}
	return b.String() + " is no value of the last two minutes"
}
