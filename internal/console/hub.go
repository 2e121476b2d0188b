package console

import (
	"sync"
	"sync/atomic"
)

// Update tells open pages what changed.
type Update struct {
	Kind string // result, case, live
	ID   string // of the run or case; may be empty
}

// Hub hands updates to every open page. It starts no goroutine.
type Hub struct {
	mu     sync.Mutex
	subs   map[chan Update]struct{}
	closed bool
	done   chan struct{}

	generation atomic.Uint64 // counts published results
}

// NewHub returns a hub without listeners.
func NewHub() *Hub {
	return &Hub{subs: make(map[chan Update]struct{}), done: make(chan struct{})}
}

// Publish hands u to every open page. It never blocks: a page that is too slow
// to take it gets a later one, and reads all that changed then.
func (h *Hub) Publish(u Update) {
	if u.Kind == "result" {
		h.generation.Add(1)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subs {
		select {
		case ch <- u:
		default:
		}
	}
}

// Close ends every event stream, so that http.Server.Shutdown need not wait
// for them: pass it to RegisterOnShutdown, or call it before Shutdown.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closed = true
		close(h.done)
	}
}

func (h *Hub) subscribe() (updates <-chan Update, cancel func()) {
	ch := make(chan Update, 4)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[ch] = struct{}{}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, ch)
	}
}

// results counts the results published so far; a nil hub has none.
func (h *Hub) results() uint64 {
	if h == nil {
		return 0
	}
	return h.generation.Load()
}
