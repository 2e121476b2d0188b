package detect

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// Worker runs parts of whatever plans it is given, as bytes: what a host of a
// cluster offers to the one that leads. It keeps the plan and the detectors'
// sessions from one part to the next. Its methods are safe for concurrent use.
type Worker struct {
	input func() Input // of this host at present

	mu      sync.Mutex
	sum     [sha256.Size]byte
	runner  *Runner
	partsIn int // being run
	idle    *sync.Cond
	cancel  context.CancelFunc
	resting *time.Timer
}

// restAfter is how long the detectors' sessions are kept for the next part.
const restAfter = 20 * time.Second

// NewWorker returns a worker. input gives the host's input; its span is
// replaced by the plan's.
func NewWorker(input func() Input) *Worker {
	w := &Worker{input: input}
	w.idle = sync.NewCond(&w.mu)
	return w
}

// Do runs one part of an encoded plan and returns the encoded part.
func (w *Worker) Do(ctx context.Context, plan []byte, part int) ([]byte, error) {
	r, err := w.acquire(ctx, plan)
	if err != nil {
		return nil, err
	}
	defer w.release()
	p, err := r.Part(ctx, part)
	if err != nil {
		return nil, err
	}
	return p.Encode()
}

// acquire returns the runner of a plan; that of another is closed once its
// last part is done.
func (w *Worker) acquire(ctx context.Context, plan []byte) (*Runner, error) {
	sum := sha256.Sum256(plan)
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.runner != nil && w.sum != sum && w.partsIn > 0 {
		w.idle.Wait()
	}
	if w.runner == nil || w.sum != sum {
		w.closeLocked()
		decoded, err := DecodePlan(plan)
		if err != nil {
			return nil, err
		}
		in := w.input()
		in.First, in.Last, in.Prior = decoded.First, decoded.Last, decoded.Prior
		lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
		runner, err := NewRunner(lasting, in, decoded)
		if err != nil {
			cancel()
			return nil, fmt.Errorf("taking up the plan: %w", err)
		}
		w.runner, w.sum, w.cancel = runner, sum, cancel
	}
	w.stayAwake()
	w.partsIn++
	return w.runner, nil
}

func (w *Worker) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.partsIn--; w.partsIn == 0 {
		w.resting = time.AfterFunc(restAfter, w.Rest)
	}
	w.idle.Broadcast()
}

func (w *Worker) stayAwake() {
	if w.resting != nil {
		w.resting.Stop()
		w.resting = nil
	}
}

// Rest ends the detectors' sessions where no part is being run; the next part
// opens them again. It comes by itself where no work has come for a while;
// call it before the detectors are used otherwise.
func (w *Worker) Rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.partsIn == 0 {
		w.closeLocked()
	}
}

// Close waits for the parts under way and ends the sessions.
func (w *Worker) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.partsIn > 0 {
		w.idle.Wait()
	}
	w.stayAwake()
	w.closeLocked()
}

func (w *Worker) closeLocked() {
	if w.runner != nil {
		w.runner.Close()
		w.cancel()
		w.runner, w.cancel = nil, nil
	}
}
