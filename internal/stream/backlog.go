package stream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// consumerKey is a durable consumer of a topic.
type consumerKey struct {
	topic   Topic
	durable string
}

// know remembers a durable, so that its backlog is reported.
func (s *Stream) know(topic Topic, durable string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.durables[consumerKey{topic, durable}] = true
}

func (s *Stream) known() []consumerKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]consumerKey, 0, len(s.durables))
	for key := range s.durables {
		out = append(out, key)
	}
	return out
}

func (s *Stream) addReader(r *reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers[r] = true
}

func (s *Stream) removeReader(r *reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.readers, r)
}

// reading returns the positioned readers of a label that run here.
func (s *Stream) reading() []*reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*reading, 0, len(s.readers))
	for r := range s.readers {
		out = append(out, r)
	}
	return out
}

// Backlog is the number of messages (batches of readings) that the durable,
// or the positioned reader that runs here under this name, has not yet worked
// off: waiting or unacknowledged. For a name that was never used it is all
// that the stream holds.
func (s *Stream) Backlog(ctx context.Context, name string) (int64, error) {
	for _, r := range s.reading() {
		if r.label() == name {
			p, err := s.readerProgress(ctx, r)
			return p.backlog, err
		}
	}
	s.know(Readings, name)
	p, err := s.durableProgress(ctx, consumerKey{Readings, name})
	return p.backlog, err
}

// progress is how far a consumer has come.
type progress struct {
	backlog int64
	// unread is the position of the first message that may be unread.
	unread uint64
}

// durableProgress asks the server about a durable. One that was never used
// has read nothing.
func (s *Stream) durableProgress(ctx context.Context, key consumerKey) (progress, error) {
	cons, err := s.js.Consumer(ctx, string(key.topic), key.durable)
	if gone(err) {
		info, err := s.info(ctx, key.topic)
		if err != nil {
			return progress{}, err
		}
		return progress{int64(info.State.Msgs), info.State.FirstSeq}, nil
	}
	if err != nil {
		return progress{}, fmt.Errorf("stream: backlog of %q: %w", key.durable, err)
	}
	info := cons.CachedInfo()
	return progress{int64(info.NumPending) + int64(info.NumAckPending), info.AckFloor.Stream + 1}, nil
}

// readerProgress asks the server about a positioned reader. One that has no
// consumer now has, at most, everything after its position before it.
func (s *Stream) readerProgress(ctx context.Context, r *reading) (progress, error) {
	r.mu.Lock()
	state := r.state
	r.mu.Unlock()
	out := progress{unread: state.last + 1}
	if state.consumer != "" {
		cons, err := s.js.Consumer(ctx, string(Readings), state.consumer)
		if err == nil {
			out.backlog = int64(cons.CachedInfo().NumPending) + state.inHand
			return out, nil
		}
		if !gone(err) {
			return out, fmt.Errorf("stream: backlog of %q: %w", r.label(), err)
		}
	}
	info, err := s.info(ctx, Readings)
	if err != nil {
		return out, err
	}
	if first := max(out.unread, info.State.FirstSeq); info.State.LastSeq >= first {
		out.backlog = int64(info.State.LastSeq - first + 1)
	}
	return out, nil
}

func (s *Stream) info(ctx context.Context, topic Topic) (*jetstream.StreamInfo, error) {
	str, err := s.js.Stream(ctx, string(topic))
	if err != nil {
		return nil, fmt.Errorf("stream: state of %s: %w", topic, err)
	}
	return str.CachedInfo(), nil
}

// Acknowledged returns the position up to which a durable has acknowledged
// every message of a topic, 0 where it was never used.
func (s *Stream) Acknowledged(ctx context.Context, topic Topic, durable string) (uint64, error) {
	cons, err := s.js.Consumer(ctx, string(topic), durable)
	if gone(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("stream: consumer %q of %s: %w", durable, topic, err)
	}
	return cons.CachedInfo().AckFloor.Stream, nil
}

// Forget removes a durable that is not used any more: neither its place is
// kept nor its backlog reported.
func (s *Stream) Forget(ctx context.Context, topic Topic, durable string) error {
	s.mu.Lock()
	delete(s.durables, consumerKey{topic, durable})
	s.mu.Unlock()
	if err := s.js.DeleteConsumer(ctx, string(topic), durable); err != nil && !gone(err) {
		return fmt.Errorf("stream: remove consumer %q of %s: %w", durable, topic, err)
	}
	return nil
}
