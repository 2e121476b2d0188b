package historian

import (
	"context"
	"fmt"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// maxFutile is the number of refusals that are looked into while the engine
// has taken nothing and does not say that it is about the content.
const maxFutile = 40

// sender sees one Write through. Where the engine refuses a part of a request,
// it splits that until what is refused is refused by itself.
type sender struct {
	h    *Historian
	form form

	written, rejected int // readings
	refusals          []refusal
	unclear           error // a refusal that does not say that it is about content
	futile            int   // requests refused while none was taken
}

// refusal is what the engine refused by itself.
type refusal struct {
	readings []meter.Reading
	reason   error
}

// send writes readings in requests of Config.BatchBytes.
func (s *sender) send(ctx context.Context, readings []meter.Reading) error {
	t, ok := s.h.texts.Get().(*text)
	if !ok {
		t = &text{}
	}
	defer s.h.rest(t)
	s.form.render(t, readings)
	if len(t.unfit) > 0 {
		if err := s.reject(ctx, t.unfit, t.reason); err != nil {
			return err
		}
	}
	for lines := t.lines; len(lines) > 0; {
		n := 1
		for n < len(lines) && lines[n].to-lines[0].from <= s.h.cfg.BatchBytes {
			n++
		}
		if err := s.lines(ctx, t, lines[:n]); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// maxRest is the largest buffer that is kept for the next Write.
const maxRest = 8 << 20

func (h *Historian) rest(t *text) {
	if cap(t.buf) <= maxRest {
		clear(t.lines) // they hold on to readings
		t.unfit, t.reason = nil, nil
		h.texts.Put(t)
	}
}

// lines sends one request, and splits it where it must.
func (s *sender) lines(ctx context.Context, t *text, lines []line) error {
	err := s.h.post(ctx, t.of(lines))
	if err == nil {
		s.took(t, lines)
		return nil
	}
	switch judge(err) {
	case refused, tooLarge:
		if err := s.doubt(ctx, err); err != nil {
			return err
		}
		return s.split(ctx, t, lines, err)
	default:
		return fmt.Errorf("historian: write %d lines to %s: %w; %s", len(lines), s.h.cfg.URL, err, mend(err))
	}
}

func (s *sender) took(t *text, lines []line) {
	for i := range lines {
		s.written += len(lines[i].readings)
	}
	s.futile = 0
	last := t.of(lines[len(lines)-1:])
	s.h.mu.Lock()
	s.h.taken = last
	s.h.mu.Unlock()
}

// split sends the parts of a request that was refused, as what the engine
// said about it suggests, or halves. A part that cannot be split is given up.
func (s *sender) split(ctx context.Context, t *text, lines []line, reason error) error {
	c := clue{}
	if judge(reason) == refused {
		c = s.h.clues.look(reason.Error())
	}
	if c.field == fieldReceived && t.form.received {
		s.h.leaveOutReceived(reason)
		s.form.received = false
		return s.send(ctx, readingsOf(lines))
	}
	if suspects, others := c.divide(lines); len(suspects) > 0 && len(others) > 0 {
		// The others first: they are likely to be taken.
		if err := s.send(ctx, others); err != nil {
			return err
		}
		return s.send(ctx, suspects)
	}
	n := len(lines)
	switch {
	case c.dropped == n && c.separate(lines):
		// As many were dropped as were sent, and no part of any could stand
		// without what it was dropped for.
		s.refusals = append(s.refusals, refusal{readingsOf(lines), reason})
		return nil
	case n > 1:
		// Rendered lines stay as they are; a recursion would use their buffer.
		if err := s.lines(ctx, t, lines[:n/2]); err != nil {
			return err
		}
		return s.lines(ctx, t, lines[n/2:])
	case len(lines[0].readings) > 1:
		all := lines[0].readings
		half := len(all) / 2
		if err := s.send(ctx, all[:half]); err != nil {
			return err
		}
		return s.send(ctx, all[half:])
	}
	s.refusals = append(s.refusals, refusal{slices.Clone(lines[0].readings), reason})
	return nil
}

// doubt ends a Write at whose content the engine seems not to have looked: a
// 400 may come from a proxy, or be about the bucket. Then nothing is given up.
func (s *sender) doubt(ctx context.Context, err error) error {
	if s.written > 0 || judge(err) == refused && s.h.clues.look(err.Error()).content {
		return nil
	}
	s.unclear = err
	if s.futile++; s.futile > 1 && s.futile <= maxFutile {
		return nil
	}
	if s.futile == 1 && judge(err) == tooLarge {
		return nil // smaller ones may do
	}
	return s.prove(ctx, s.futile > maxFutile)
}

// prove sends the last line that the engine took once more, which changes
// nothing. Where it is refused too, it is not the content.
func (s *sender) prove(ctx context.Context, must bool) error {
	s.h.mu.Lock()
	taken := s.h.taken
	s.h.mu.Unlock()
	if taken == "" && !must {
		return nil
	}
	err := s.unclear
	if taken != "" {
		if err = s.h.post(ctx, taken); err == nil {
			return nil
		}
	}
	return fmt.Errorf("historian: %s refuses whatever it is sent: %w; check historian.url, org and bucket, and what stands between; the readings wait in the stream", s.h.cfg.URL, err)
}

// settle gives up what was refused by itself, once it is sure that the engine
// takes other lines.
func (s *sender) settle(ctx context.Context) error {
	if len(s.refusals) > 0 && s.unclear != nil && s.written == 0 {
		if err := s.prove(ctx, true); err != nil {
			return err
		}
	}
	for _, r := range s.refusals {
		if err := s.reject(ctx, r.readings, r.reason); err != nil {
			return err
		}
	}
	return nil
}

func (s *sender) reject(ctx context.Context, readings []meter.Reading, reason error) error {
	if err := s.h.reject(ctx, readings, reason); err != nil {
		return err
	}
	s.rejected += len(readings)
	return nil
}

func readingsOf(lines []line) []meter.Reading {
	n := 0
	for i := range lines {
		n += len(lines[i].readings)
	}
	out := make([]meter.Reading, 0, n)
	for i := range lines {
		out = append(out, lines[i].readings...)
	}
	return out
}

// separate reports whether each line is about one reading, so that what is
// wrong with the line is wrong with the reading.
func (c *clue) separate(lines []line) bool {
	if c.old {
		return true // the time is that of all readings of a line
	}
	return !slices.ContainsFunc(lines, func(l line) bool { return len(l.readings) > 1 })
}

// divide parts the readings of a request into those that a refusal seems to
// be about and the others; one of the two is empty where it does not say.
func (c *clue) divide(lines []line) (suspects, others []meter.Reading) {
	suspect := c.test(lines)
	if suspect == nil {
		return nil, nil
	}
	for i := range lines {
		for _, r := range lines[i].readings {
			if suspect(i, &r) {
				suspects = append(suspects, r)
			} else {
				others = append(others, r)
			}
		}
	}
	return suspects, others
}

func (c *clue) test(lines []line) func(at int, r *meter.Reading) bool {
	switch {
	case c.field != "":
		return func(_ int, r *meter.Reading) bool { return hasField(r, c.field) }
	case c.old && c.dropped > 0 && c.dropped < len(lines):
		times := make([]int64, len(lines))
		for i := range lines {
			times[i] = lines[i].readings[0].EventTime.UnixNano()
		}
		slices.Sort(times)
		begin := times[c.dropped-1]
		return func(_ int, r *meter.Reading) bool { return r.EventTime.UnixNano() <= begin }
	case len(c.lines) > 0:
		named := make(map[int]bool, len(c.lines))
		for _, n := range c.lines {
			named[n-1] = true
		}
		return func(at int, _ *meter.Reading) bool { return named[at] }
	}
	return nil
}
