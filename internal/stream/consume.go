package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// ConsumeReadings hands every reading of the stream to fn, from the oldest
// kept at the first use of the durable name, until ctx is done; then it
// returns nil. Messages are acknowledged only after fn has returned nil. After
// an error they come again, first at the head of the queue, after a wait that
// grows with every failure: whatever fn feeds puts its back-pressure into the
// stream, not into memory. fn must bear readings that come twice, and copies
// of the slice what it keeps.
//
// A message that cannot be decoded goes to the dead letters with the reason.
// Several processes may share a durable; each message goes to one.
func (s *Stream) ConsumeReadings(ctx context.Context, durable string, fn func(context.Context, []meter.Reading) error) error {
	s.know(Readings, durable)
	consumer := func(ctx context.Context) (jetstream.Consumer, error) {
		return s.consumer(ctx, Readings, durable)
	}
	var buffer []meter.Reading // used again for every batch
	return s.keepConsuming(ctx, durable, consumer, func(ctx context.Context, cons jetstream.Consumer, failures int) (bool, error) {
		return s.consumeBatch(ctx, cons, durable, failures, &buffer, fn)
	})
}

// consumer makes sure of a durable consumer.
func (s *Stream) consumer(ctx context.Context, topic Topic, durable string) (jetstream.Consumer, error) {
	cons, err := s.js.CreateOrUpdateConsumer(ctx, string(topic), jetstream.ConsumerConfig{
		Durable:       durable,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       s.cfg.AckWait,
		MaxDeliver:    -1,
		MaxAckPending: maxUnacknowledged,
	})
	if err != nil {
		return nil, fmt.Errorf("stream: consumer %q of %s: %w", durable, topic, err)
	}
	return cons, nil
}

// fetchMessages is how many messages of readings are taken at once.
func (c Config) fetchMessages() int { return max(1, c.FetchBytes/c.MessageBytes) }

// consumeBatch fetches what there is, up to FetchBytes, and sees it through.
// It reports whether there may be more already. Nothing waits at the server
// for messages to come: it would pass each on by itself, and write down that
// it did, file by file.
func (s *Stream) consumeBatch(ctx context.Context, cons jetstream.Consumer, durable string, failures int, buffer *[]meter.Reading, fn func(context.Context, []meter.Reading) error) (more bool, err error) {
	most := s.cfg.fetchMessages()
	batch, err := cons.FetchNoWait(most)
	if err != nil {
		return false, fmt.Errorf("fetch: %w", err)
	}
	var msgs []jetstream.Msg
	readings := (*buffer)[:0]
	fetched := 0
	for m := range batch.Messages() {
		fetched++
		if isMarker(m) {
			msgs = append(msgs, m)
			continue
		}
		readings, err = appendDecoded(readings, m.Data())
		if err != nil {
			if err := s.bury(ctx, Readings, durable, m, err); err != nil {
				s.log.Error("message not set aside", "consumer", durable, "error", err)
				s.refuse(m, s.cfg.MaxBackoff)
			}
			continue
		}
		msgs = append(msgs, m)
	}
	*buffer = readings
	if len(readings) > 0 {
		if err := s.whileInProgress(msgs, func() error { return fn(ctx, readings) }); err != nil {
			wait := backoff(s.cfg, failures+1)
			if ctx.Err() != nil {
				wait = 0 // a restart gets them at once
			}
			for _, m := range msgs {
				s.refuse(m, wait)
			}
			return false, err
		}
	}
	for _, m := range msgs {
		// A lost acknowledgement brings the message again, which fn bears.
		if err := m.Ack(); err != nil {
			return false, fmt.Errorf("acknowledge: %w", err)
		}
	}
	if err := batch.Error(); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, fmt.Errorf("fetch: %w", err)
	}
	return fetched == most, nil
}

// refuse gives a message back, to come again after wait. Where even that
// fails it comes again after AckWait.
func (s *Stream) refuse(m jetstream.Msg, wait time.Duration) {
	if err := m.NakWithDelay(wait); err != nil {
		s.log.Debug("message not given back", "error", err)
	}
}

// whileInProgress runs work and tells the server, meanwhile, that msgs are
// being worked on.
func (s *Stream) whileInProgress(msgs []jetstream.Msg, work func() error) error {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(s.cfg.AckWait / 3)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
			}
			for _, m := range msgs {
				if err := m.InProgress(); err != nil {
					s.log.Debug("progress not reported", "error", err)
				}
			}
		}
	})
	defer wg.Wait()
	defer close(done)
	return work()
}
