package historian

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"
)

// verdict is what a failed write means.
type verdict int

const (
	passes   verdict = iota // it may pass: the engine is away, busy or broken
	denied                  // it passes when somebody mends the configuration
	tooLarge                // the request has to be smaller
	refused                 // the content is refused, or a part of it
)

// judge says what a failed write means.
func judge(err error) verdict {
	var answer *influxhttp.Error
	if !errors.As(err, &answer) {
		return passes
	}
	switch answer.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return denied
	case http.StatusRequestEntityTooLarge:
		return tooLarge
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		if strings.Contains(answer.Message, "pending deletion") {
			return passes // a shard that is being dropped: its successor takes the points
		}
		return refused
	}
	if answer.StatusCode >= 300 && answer.StatusCode < 400 {
		return denied
	}
	return passes
}

// mend says what to do about a failure.
func mend(err error) string {
	var answer *influxhttp.Error
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return "check the historian's token and that it may write to the bucket"
		case http.StatusNotFound:
			return "create the bucket (gridwarden historian init), or correct historian.org and historian.bucket"
		}
	}
	return "check that the engine runs and historian.url; the readings wait in the stream"
}

// retryAfter is how long the engine asks to be left alone: seconds, or a date.
func retryAfter(err error, now time.Time) time.Duration {
	var answer *influxhttp.Error
	if !errors.As(err, &answer) {
		return 0
	}
	if answer.RetryAfter > 0 {
		return min(time.Duration(min(answer.RetryAfter, 1<<20))*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(answer.Header.Get("Retry-After")); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// backoff is the wait before attempt n+1: doubling and bounded, and of that
// between a half and all, so that many senders do not come back at once.
func (c *Config) backoff(n int) time.Duration {
	d := c.MinBackoff
	for ; n > 1 && d < c.MaxBackoff; n-- {
		d *= 2
	}
	d = min(d, c.MaxBackoff)
	return d/2 + rand.N(d/2+1) //nolint:gosec // spread, not secrecy
}

// pause is the time before which the engine wants no request; all writers
// heed it.
type pause struct {
	mu    sync.Mutex
	until time.Time
}

func (p *pause) extend(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.until) {
		p.until = until
	}
}

// wait returns at the end of the pause, or ctx's error.
func (p *pause) wait(ctx context.Context) error {
	p.mu.Lock()
	until := p.until
	p.mu.Unlock()
	return sleep(ctx, time.Until(until))
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// clue is what a refusal says about which part of a request it is about. It
// guides the splitting of the request; what is given up is what was refused
// by itself.
type clue struct {
	content bool   // it speaks of points or lines, and not of the request
	field   string // the field whose type does not fit
	old     bool   // points before the begin of the retention
	dropped int    // points that were dropped at least, 0 where it does not say
	lines   []int  // their numbers, from 1
}

// Words of the engines for content that they do not take.
var contentWords = [...]string{
	"partial write", "field type conflict", "beyond retention", "unable to parse", "line protocol", "limit exceeded",
}

// look finds the clues in the text of a refusal.
func (p *patterns) look(text string) clue {
	var c clue
	for _, words := range contentWords {
		c.content = c.content || strings.Contains(text, words)
	}
	if m := p.field.FindStringSubmatch(text); m != nil {
		c.field = m[1]
	}
	c.old = strings.Contains(text, "beyond retention")
	if m := p.dropped.FindStringSubmatch(text); m != nil {
		c.dropped, _ = strconv.Atoi(m[1]) // at most nine digits
	}
	for _, m := range p.line.FindAllStringSubmatch(text, maxLineClues) {
		n, _ := strconv.Atoi(m[1]) // at most seven digits
		c.lines = append(c.lines, n)
	}
	return c
}

const maxLineClues = 1000

// patterns find clues. InfluxDB 1.8 and 2 say
//
//	partial write: field type conflict: input field "f" on measurement "m" is type float, already exists as type integer dropped=3
//	partial write: points beyond retention policy dropped=2
//
// and newer engines number lines: "error parsing line 2 (1-based)", "line 4:".
type patterns struct{ field, dropped, line *regexp.Regexp }

func newPatterns() *patterns {
	return &patterns{
		field:   regexp.MustCompile(`field type conflict: input field "([^"]{1,300})"`),
		dropped: regexp.MustCompile(`dropped=(\d{1,9})\s*$`),
		line:    regexp.MustCompile(`\bline (\d{1,7})\b`),
	}
}
