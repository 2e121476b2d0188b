package stream

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// TopicState is how full a topic is and how its consumers do, also those of
// other processes.
type TopicState struct {
	Topic     Topic
	Messages  uint64
	Bytes     uint64
	MaxBytes  int64
	MaxAge    time.Duration
	Replicas  int
	First     uint64    // position of the oldest message
	Last      uint64    // and of the newest there ever was
	Oldest    time.Time // when the oldest was stored; zero where there is none
	Consumers []ConsumerState
}

// ConsumerState is how far a consumer has come.
type ConsumerState struct {
	Name       string
	Positioned bool   // reads without acknowledgements, see ReadReadings
	Backlog    int64  // messages that are not worked off
	Unread     uint64 // position of the first message that may be unread
	Danger     string // why unread messages will soon be dropped, or ""
}

// States returns the state of every topic.
func (s *Stream) States(ctx context.Context) ([]TopicState, error) {
	now := time.Now()
	out := make([]TopicState, 0, len(Topics()))
	for _, t := range Topics() {
		str, err := s.js.Stream(ctx, string(t))
		if err != nil {
			return nil, fmt.Errorf("stream: state of %s: %w", t, err)
		}
		info := str.CachedInfo()
		state := TopicState{
			Topic: t, Messages: info.State.Msgs, Bytes: info.State.Bytes,
			MaxBytes: info.Config.MaxBytes, MaxAge: info.Config.MaxAge, Replicas: info.Config.Replicas,
			First: info.State.FirstSeq, Last: info.State.LastSeq,
		}
		if info.State.Msgs > 0 {
			state.Oldest = info.State.FirstTime
		}
		consumers := str.ListConsumers(ctx)
		for c := range consumers.Info() {
			state.Consumers = append(state.Consumers, s.consumerState(info, c, now))
		}
		if err := consumers.Err(); err != nil {
			return nil, fmt.Errorf("stream: consumers of %s: %w", t, err)
		}
		slices.SortFunc(state.Consumers, func(a, b ConsumerState) int { return cmp.Compare(a.Name, b.Name) })
		out = append(out, state)
	}
	return out, nil
}

// consumerState tells of a consumer as the server knows it, or, where it is a
// positioned reader of this process, as the reader does.
func (s *Stream) consumerState(stream *jetstream.StreamInfo, c *jetstream.ConsumerInfo, now time.Time) ConsumerState {
	p := progress{int64(c.NumPending) + int64(c.NumAckPending), c.AckFloor.Stream + 1}
	state := ConsumerState{Name: c.Name}
	if c.Config.AckPolicy == jetstream.AckNonePolicy {
		state.Positioned = true
		p.unread = max(c.Delivered.Stream, c.Config.OptStartSeq-min(c.Config.OptStartSeq, 1)) + 1
		if name := c.Config.Metadata[readerMetadata]; name != "" {
			state.Name = name
		}
		for _, r := range s.reading() {
			if inHand, last, is := r.is(c.Name); is {
				p = progress{int64(c.NumPending) + inHand, last + 1}
			}
		}
	}
	state.Backlog, state.Unread, state.Danger = p.backlog, p.unread, dangerIn(stream, p, now)
	return state
}

// is reports whether the reader reads by the consumer of a name, and what it
// has not handed out of it.
func (r *reading) is(consumer string) (inHand int64, last uint64, is bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.inHand, r.state.last, r.state.consumer == consumer
}

// JetStream is the stream's own connection, for the leases and the work of
// internal/cluster alone.
func (s *Stream) JetStream() jetstream.JetStream { return s.js }
