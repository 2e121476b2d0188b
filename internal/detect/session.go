package detect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// session is one run of one detector over one stream.
type session struct {
	remote   *remote
	program  *program
	process  *process
	stream   detectorv1.DetectorService_EvaluateClient
	ctx      context.Context // of the stream; ends at the run's deadline
	cancel   context.CancelFunc
	receiver sync.WaitGroup
	sending  sync.Mutex    // the parts of two windows do not interleave
	before   time.Duration // processor time of the process when the session began

	mu      sync.Mutex
	waiting map[uint64]*awaited
	broken  error
	judged  int // windows
}

// awaited is a window whose report is due.
type awaited struct {
	assembler *sdk.ReportAssembler
	answer    chan answer // buffered, so that nobody waits for the reader
}

type answer struct {
	report *sdk.Report
	err    error
}

// errGarbage says that a plugin broke the contract.
var errGarbage = errors.New("it broke the contract")

// Stamp implements Session.
func (s *session) Stamp() Stamp {
	d := &s.remote.description
	return Stamp{Detector: d.Name, Version: d.Version, SHA256: s.process.sum, ConfigHash: configHash(s.remote.config)}
}

// Evaluate implements Session.
func (s *session) Evaluate(ctx context.Context, w *sdk.Window) (*sdk.Report, error) {
	a := &awaited{assembler: sdk.NewReportAssembler(w), answer: make(chan answer, 1)}
	if err := s.await(w.ID, a); err != nil {
		return nil, err
	}
	if err := s.send(w); err != nil {
		s.fail(err)
	}
	select {
	case got := <-a.answer:
		return got.report, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *session) await(id uint64, a *awaited) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	s.waiting[id] = a
	return nil
}

func (s *session) send(w *sdk.Window) error {
	next, stop := iter.Pull(sdk.WindowParts(w, sdk.PartBytes))
	defer stop()
	part, more := next() // packed while another window is still being sent
	s.sending.Lock()
	defer s.sending.Unlock()
	for ; more; part, more = next() {
		err := s.stream.Send(&detectorv1.EvaluateRequest{Message: &detectorv1.EvaluateRequest_Part{Part: part}})
		if errors.Is(err, io.EOF) {
			return nil // the stream is broken; the receiver learns why
		}
		if err != nil {
			return fmt.Errorf("sending window %d: %w", w.ID, err)
		}
	}
	return nil
}

// receive hands replies to those who wait for them until the stream ends.
func (s *session) receive() {
	for {
		m, err := s.stream.Recv()
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: it ended the stream before the host did", errGarbage)
		}
		if err == nil {
			err = s.deliver(m)
		}
		if err != nil {
			s.fail(err)
			return
		}
	}
}

func (s *session) deliver(m *detectorv1.EvaluateResponse) error {
	s.mu.Lock()
	a := s.waiting[m.GetWindowId()]
	s.mu.Unlock()
	if a == nil {
		return fmt.Errorf("%w: an answer about window %d, which it was not given or is done with", errGarbage, m.GetWindowId())
	}
	report, err := a.assembler.Add(m)
	if err != nil {
		if m.GetDone().GetError() != "" {
			return fmt.Errorf("window %d was not judged: %w", m.GetWindowId(), err)
		}
		return fmt.Errorf("%w: window %d: %w", errGarbage, m.GetWindowId(), err)
	}
	if report != nil {
		s.mu.Lock()
		delete(s.waiting, m.GetWindowId())
		s.judged++
		s.mu.Unlock()
		a.answer <- answer{report: report}
	}
	return nil
}

// fail ends the session for all who wait.
func (s *session) fail(err error) {
	err = s.because(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = fmt.Errorf("plugin %s: %w", s.remote.description.Name, err)
	}
	for id, a := range s.waiting {
		a.answer <- answer{err: s.broken}
		delete(s.waiting, id)
	}
}

// because finds out why the stream broke.
func (s *session) because(err error) error {
	if s.ctx.Err() != nil {
		if cause := context.Cause(s.ctx); errors.Is(cause, errTimeout) {
			return s.tooLate()
		}
		return fmt.Errorf("the run was given up: %w", context.Cause(s.ctx))
	}
	if s.deadlineStruck(err) {
		return s.tooLate()
	}
	err = s.process.explain(err)
	if errors.Is(err, errPluginGone) && s.remote.builtIn && s.program == s.remote.program {
		// Which of the detectors in the process brought it down is not known.
		return fmt.Errorf("%w (%w)", err, ErrRetry)
	}
	if errors.Is(err, errPluginGone) && !s.remote.builtIn && s.remote.mayRestart() {
		return fmt.Errorf("%w (%w)", err, ErrRetry)
	}
	return err
}

// tooLate says that the run's time is up, and whether the plugin was held up.
func (s *session) tooLate() error {
	err := fmt.Errorf("%w: stopped after %s", errTimeout, s.remote.plugins.config.Timeout)
	if used := s.process.launch.watcher.used(s.process); used.held > time.Second {
		err = fmt.Errorf("%w; it was held up for %s, since it used more than %s (plugins.cpus)",
			err, used.held.Round(time.Second), processorsInWords(s.process.launch.Limits.CPUs))
	}
	return err
}

// deadlineLead is how much earlier than the host the other side may notice the
// deadline, which it was told: its stream then ends before our context does.
const deadlineLead = time.Second

// deadlineStruck reports whether the plugin's side ended the stream because the
// run's time was up.
func (s *session) deadlineStruck(err error) bool {
	deadline, ok := s.ctx.Deadline()
	if !ok || time.Until(deadline) > deadlineLead {
		return false
	}
	code := status.Code(err)
	return code == codes.Canceled || code == codes.DeadlineExceeded
}

// Late reports whether a good part of the time that a run is given is over, so
// that a run of many parts had better go on with another session.
func (s *session) Late() bool {
	deadline, ok := s.ctx.Deadline()
	return ok && time.Until(deadline) < s.remote.plugins.config.Timeout*3/4
}

// Finish implements Session. A plugin that hangs or talks garbage loses its
// process; one that merely could not judge a window keeps it.
func (s *session) Finish(err error) {
	s.mu.Lock()
	if err != nil && s.broken != nil {
		err = s.broken
	}
	s.mu.Unlock()
	cancelled := err != nil && s.ctx.Err() != nil && !errors.Is(context.Cause(s.ctx), errTimeout)
	if err == nil {
		_ = s.stream.CloseSend()
	}
	s.note(err)
	doom := errors.Is(err, errTimeout) || errors.Is(err, errGarbage) || errors.Is(err, errPluginGone) || errors.Is(err, errOverLimit)
	if doom && !s.remote.builtIn {
		s.process.kill()
	}
	s.cancel()
	s.receiver.Wait()
	s.program.release(s.process, doom)
	s.remote.finished(err, cancelled)
}
