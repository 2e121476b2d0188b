package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/ingest"
)

// redrawInterval bounds how often a progress line is drawn.
const redrawInterval = 100 * time.Millisecond

// shownWarnings is how many warnings of a kind are printed.
const shownWarnings = 5

// progressLine shows long work on standard error: one line that is redrawn on
// a terminal, a line a step elsewhere. Its methods are safe for concurrent use.
type progressLine struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	open     bool // a line without its end is on the terminal
	drawn    time.Time
	began    time.Time
	what     string
	windows  map[string]detect.Progress
}

func newProgressLine(w io.Writer) *progressLine {
	p := &progressLine{w: w, windows: make(map[string]detect.Progress)}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// step begins a step.
func (p *progressLine) step(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish()
	p.what, p.began = fmt.Sprintf(format, args...), time.Now()
	p.draw(p.what+" …", true)
}

// done ends the step with what came out.
func (p *progressLine) done(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	took := time.Since(p.began).Round(10 * time.Millisecond)
	if p.terminal {
		p.draw(fmt.Sprintf("%s: %s (%v)", p.what, fmt.Sprintf(format, args...), took), true)
		p.finish()
		return
	}
	fmt.Fprintf(p.w, "  %s (%v)\n", fmt.Sprintf(format, args...), took)
}

// end closes a line that is still open.
func (p *progressLine) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finish()
}

// warn prints warnings on lines of their own.
func (p *progressLine) warn(warnings ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(warnings) > 0 {
		p.finish()
	}
	for i, w := range warnings {
		if i == shownWarnings {
			fmt.Fprintf(p.w, "  … and %d more warnings\n", len(warnings)-i)
			break
		}
		fmt.Fprintln(p.w, "  warning:", w)
	}
}

// count returns a callback that shows how many of something are done.
func (p *progressLine) count(what string) func(done, total int) {
	return func(done, total int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.draw(fmt.Sprintf("%s: %d of %d", what, done, total), false)
	}
}

func (p *progressLine) reading(r ingest.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	share := 100.0
	if r.Total > 0 {
		share = 100 * float64(r.Done) / float64(r.Total)
	}
	p.draw(fmt.Sprintf("reading %s: %.0f %%, %d meter-days", r.File, share, r.Days), false)
}

func (p *progressLine) detecting(d detect.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.windows[d.Detector] = d
	var done, total int
	for _, w := range p.windows {
		done, total = done+w.Done, total+w.Total
	}
	p.draw(fmt.Sprintf("detecting (%s): %d of %d windows", d.Detector, done, total), false)
}

// draw shows text; without must it may be left out where the last one is
// recent, or where there is no terminal.
func (p *progressLine) draw(text string, must bool) {
	if !must && (!p.terminal || time.Since(p.drawn) < redrawInterval) {
		return
	}
	p.drawn = time.Now()
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", text)
		p.open = true
		return
	}
	fmt.Fprintln(p.w, text)
}

func (p *progressLine) finish() {
	if p.open {
		fmt.Fprintln(p.w)
		p.open = false
	}
}
