package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// diskReserve is what publishing leaves free on the disk: consumers write down
// how far they are, the database and the log need room too, and JetStream
// stops for good when a write fails.
const diskReserve = 64 << 20

// ErrDiskFull is the error of publishing while the embedded server's disk has
// less than its reserve left. Nothing was stored; the same call succeeds when
// there is room again.
var ErrDiskFull = errors.New("the disk is full")

// ErrStopped is the error after JetStream has stopped writing. What was
// acknowledged is kept; the program has to be started again.
var ErrStopped = errors.New("the stream has stopped")

// writable refuses to publish where the disk may not take it.
func (s *Stream) writable() error {
	select {
	case <-s.health.stopped:
		return s.health.err
	default:
	}
	if s.server == nil {
		return nil
	}
	free, err := freeBytes(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	if free < s.reserve {
		return fmt.Errorf("stream: %w: %s has %d MB free and needs %d MB; make room there, then it goes on by itself", ErrDiskFull, s.cfg.Dir, free>>20, s.reserve>>20)
	}
	return nil
}

// health tells once that the embedded server cannot go on.
type health struct {
	once    sync.Once
	stopped chan struct{} // closed after err is set
	err     error
	failed  chan error
}

func newHealth() *health {
	return &health{stopped: make(chan struct{}), failed: make(chan error, 1)}
}

func (h *health) fail(err error) {
	h.once.Do(func() {
		h.err = err
		close(h.stopped)
		h.failed <- err
	})
}

// Failed yields an error once where the embedded server has stopped writing
// and only a new start helps, as after a write failed on a full disk. The
// host then ends the program cleanly: what was acknowledged is kept. It yields
// nothing while all is well, and never for an external server.
func (s *Stream) Failed() <-chan error { return s.health.failed }

// watchServer looks, whenever the server has logged an error, whether it
// still writes, until ctx is done.
func (s *Stream) watchServer(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.server.log.errors:
		}
		if why := s.server.broken(); why != "" && ctx.Err() == nil {
			err := fmt.Errorf("stream: %w: %s; nothing acknowledged is lost: make room in %s and start the program again", ErrStopped, why, s.cfg.Dir)
			s.log.Error("the stream cannot be written any more", "error", err)
			s.health.fail(err)
		}
	}
}

// broken says in words why the server cannot be written any more, or "".
func (e *embedded) broken() string {
	if !e.JetStreamEnabled() {
		return "JetStream has shut itself down: " + e.log.lastError()
	}
	status := e.Healthz(&server.HealthzOptions{Details: true})
	var out []string
	for _, problem := range status.Errors {
		out = append(out, problem.Error)
	}
	return strings.Join(out, ", ")
}
