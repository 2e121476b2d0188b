package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// topicFetch is how many messages of a topic are taken at once; parts of
	// work are taken one by one, so that every host gets its share.
	topicFetch = 64
	// givingUp is the number of failures in a row after which the rest of
	// what was taken waits too: not a message is the matter, but what they
	// all need.
	givingUp = 2
)

// Consume hands the messages of a topic to fn one after the other, from the
// oldest kept at the first use of the durable name, until ctx is done; then
// it returns nil. A message is acknowledged once fn has returned nil. After an
// error it comes again, after a wait that grows with every delivery, while
// others go on; with a Poison error it goes to the dead letters, and a Final
// error ends Consume, which returns it.
//
// fn must bear messages that come twice: after a crash, after an
// acknowledgement that was lost, or because the sender repeated them. Several
// processes may share a durable; each message goes to one.
func (s *Stream) Consume(ctx context.Context, topic Topic, durable string, fn func(context.Context, Message) error) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	s.know(topic, durable)
	consumer := func(ctx context.Context) (jetstream.Consumer, error) {
		return s.consumer(ctx, topic, durable)
	}
	run := topicRun{s: s, topic: topic, durable: durable, fn: fn, fetch: topicFetch}
	if topic == Work {
		run.fetch = 1
	}
	return s.keepConsuming(ctx, durable, consumer, run.batch)
}

// keepConsuming calls batch with the consumer as keepOn calls its step.
func (s *Stream) keepConsuming(ctx context.Context, durable string, consumer func(context.Context) (jetstream.Consumer, error), batch func(ctx context.Context, cons jetstream.Consumer, failures int) (more bool, err error)) error {
	cons, err := consumer(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	return s.keepOn(ctx, func(failures int) (bool, error) { return batch(ctx, cons, failures) }, func(failures int, wait time.Duration, err error) {
		s.log.Warn("messages not delivered, trying again", "consumer", durable, "failures", failures, "wait", wait, "error", err)
	}, func() {
		// The consumer may have gone with its server's data: make sure of it.
		if again, err := consumer(ctx); err == nil {
			cons = again
		}
	})
}

// keepOn calls step, with the number of failures just before, until ctx is
// done or step fails with a Final error, whose reason it returns: at once where
// there may be more, after FetchWait where there was no more, and after
// growing waits where it failed, with failed before the wait and mend after it.
func (s *Stream) keepOn(ctx context.Context, step func(failures int) (more bool, err error), failed func(failures int, wait time.Duration, err error), mend func()) error {
	for failures := 0; ctx.Err() == nil; {
		more, err := step(failures)
		if err == nil {
			failures = 0
			if !more && sleep(ctx, s.cfg.FetchWait) != nil {
				break
			}
			continue
		}
		if final, ok := errors.AsType[finalError](err); ok {
			return final.reason
		}
		if ctx.Err() != nil {
			break
		}
		failures++
		wait := backoff(s.cfg, failures)
		failed(failures, wait, err)
		if sleep(ctx, wait) != nil {
			break
		}
		mend()
	}
	return nil
}

// topicRun is one call of Consume.
type topicRun struct {
	s       *Stream
	topic   Topic
	durable string
	fn      func(context.Context, Message) error
	fetch   int
}

// batch takes what there is and sees it through.
func (r *topicRun) batch(ctx context.Context, cons jetstream.Consumer, _ int) (more bool, err error) {
	batch, err := cons.FetchNoWait(r.fetch)
	if err != nil {
		return false, fmt.Errorf("fetch: %w", err)
	}
	var msgs []jetstream.Msg
	for m := range batch.Messages() {
		msgs = append(msgs, m)
	}
	if err := batch.Error(); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) && len(msgs) == 0 {
		return false, fmt.Errorf("fetch: %w", err)
	}
	if len(msgs) == 0 {
		return false, nil
	}
	err = r.s.whileInProgress(msgs, func() error { return r.each(ctx, msgs) })
	return len(msgs) == r.fetch, err
}

// each hands out one message after the other. Its error is that of the last
// of several failures in a row.
func (r *topicRun) each(ctx context.Context, msgs []jetstream.Msg) error {
	failures := 0
	for i, m := range msgs {
		err := r.one(ctx, m)
		if err == nil {
			failures = 0
			continue
		}
		failures++
		if _, final := errors.AsType[finalError](err); final || failures == givingUp || ctx.Err() != nil {
			for _, rest := range msgs[i+1:] {
				r.s.refuse(rest, 0)
			}
			return err
		}
		if i == len(msgs)-1 {
			return err
		}
		r.s.log.Warn("message not delivered, it comes again", "consumer", r.durable, "error", err)
	}
	return nil
}

// one hands out m and answers the server.
func (r *topicRun) one(ctx context.Context, m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("not a message of %s: %w", r.topic, err)
	}
	err = r.fn(ctx, Message{
		Key: strings.TrimPrefix(m.Subject(), r.topic.prefix()), ID: m.Headers().Get(jetstream.MsgIDHeader), Data: m.Data(),
		Seq: meta.Sequence.Stream, Time: meta.Timestamp, Deliveries: int(meta.NumDelivered),
	})
	if poison, ok := errors.AsType[poisonError](err); ok {
		if err = r.s.bury(ctx, r.topic, r.durable, m, poison.reason); err == nil {
			return nil
		}
	}
	if err != nil {
		wait := backoff(r.s.cfg, int(meta.NumDelivered))
		if ctx.Err() != nil {
			wait = 0 // a restart gets it at once
		}
		r.s.refuse(m, wait)
		return fmt.Errorf("message %d of %s: %w", meta.Sequence.Stream, r.topic, err)
	}
	// A lost acknowledgement brings the message again, which fn bears.
	if err := m.Ack(); err != nil {
		return fmt.Errorf("acknowledge message %d of %s: %w", meta.Sequence.Stream, r.topic, err)
	}
	return nil
}
