package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// backedUp is a service with one topic.
type backedUp struct {
	service
	fail error // after some of it
}

func (s *backedUp) SnapshotStream(ctx context.Context, topic string, w io.Writer) error {
	if topic != "READINGS" {
		return ErrNoTopic
	}
	for range 40 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := w.Write(bytes.Repeat([]byte("r"), 64<<10)); err != nil {
			return err
		}
	}
	return s.fail
}

func TestSnapshotsComeWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	s := &backedUp{}
	serve(t, dir, s)
	c := NewClient(dir)
	var got bytes.Buffer
	if err := c.SnapshotStream(t.Context(), "READINGS", &got); err != nil || got.Len() != 40*64<<10 {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
	if err := c.SnapshotStream(t.Context(), "../dead", io.Discard); !errors.Is(err, ErrNoTopic) {
		t.Errorf("another topic: %v", err)
	}
	s.fail = errors.New("disk\nfailed")
	if err := c.SnapshotStream(t.Context(), "READINGS", io.Discard); err == nil || !strings.Contains(err.Error(), `disk\nfailed`) {
		t.Errorf("failed midway: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.SnapshotStream(ended, "READINGS", io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if running, err := c.Running(t.Context()); err != nil || !running {
		t.Errorf("running %v, %v", running, err)
	}
	elsewhere := NewClient(t.TempDir())
	if running, err := elsewhere.Running(t.Context()); err != nil || running {
		t.Errorf("elsewhere running %v, %v", running, err)
	}
	if err := elsewhere.SnapshotStream(t.Context(), "READINGS", io.Discard); !errors.Is(err, ErrNotRunning) {
		t.Errorf("elsewhere: %v", err)
	}
}
