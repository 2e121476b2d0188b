package stream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// PublishReadings stores readings, of partition 0, and returns once JetStream
// has acknowledged all of them. After an error some may have been stored;
// repeating the call with the same readings within two minutes stores them
// once.
func (s *Stream) PublishReadings(ctx context.Context, readings []meter.Reading) error {
	chunks, err := s.encode(readings)
	if err != nil {
		return err
	}
	subject := s.readingsSubject(0)
	for len(chunks) > 0 {
		n := min(len(chunks), maxOutstandingAtOnce)
		msgs := make([]*nats.Msg, n)
		for i, data := range chunks[:n] {
			msgs[i] = message(subject, data)
		}
		if err := s.publish(ctx, msgs); err != nil {
			return err
		}
		chunks = chunks[n:]
	}
	return nil
}

// encode cuts readings into messages, with an encoder that is kept.
func (s *Stream) encode(readings []meter.Reading) ([][]byte, error) {
	e, ok := s.encoders.Get().(*encoder)
	if !ok {
		e = newEncoder()
	}
	defer s.encoders.Put(e)
	chunks, err := e.encode(readings, s.cfg.MessageBytes)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	return chunks, nil
}

func (s *Stream) readingsSubject(partition int) string {
	return readingsPrefix + s.cfg.Source + "." + strconv.Itoa(partition)
}

// publish sends messages and waits for their acknowledgements, sending again
// what was not acknowledged a few times.
func (s *Stream) publish(ctx context.Context, msgs []*nats.Msg) error {
	if err := s.writable(); err != nil {
		return err
	}
	pending := msgs
	for attempt := 1; ; attempt++ {
		failed, err := s.publishOnce(ctx, pending)
		if len(failed) == 0 {
			return nil
		}
		if errors.Is(err, ErrStopped) {
			return err
		}
		if ctx.Err() != nil || attempt == publishAttempts {
			return fmt.Errorf("stream: %d of %d messages not acknowledged after %d attempts: %w; check the free space of %s and the server's log", len(failed), len(msgs), attempt, err, s.place())
		}
		if err := sleep(ctx, backoff(s.cfg, attempt)); err != nil {
			return fmt.Errorf("stream: publish: %w", err)
		}
		pending = failed
	}
}

func (s *Stream) place() string {
	if s.cfg.URL != "" {
		return "the NATS server"
	}
	return s.cfg.Dir
}

// message wraps data. Its id is the hash of subject and content: the same batch sent
// again is the same message, whoever repeats it.
func message(subject string, data []byte) *nats.Msg {
	m := nats.NewMsg(subject)
	m.Data = data
	sum := sha256.New()
	_, _ = io.WriteString(sum, subject) // two leaves may say the same
	_, _ = sum.Write(data)
	m.Header.Set(jetstream.MsgIDHeader, hex.EncodeToString(sum.Sum(nil)[:16]))
	return m
}

// publishOnce returns the messages that were not acknowledged, and why the
// last of them was not.
func (s *Stream) publishOnce(ctx context.Context, msgs []*nats.Msg) (failed []*nats.Msg, last error) {
	futures := make([]jetstream.PubAckFuture, 0, len(msgs))
	sent := make([]*nats.Msg, 0, len(msgs))
	for _, m := range msgs {
		// A future writes to its message's reply subject: give it a copy, so
		// that the next attempt starts clean.
		c := &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}
		f, err := s.js.PublishMsgAsync(c)
		if err != nil {
			failed, last = append(failed, m), err
			continue
		}
		futures, sent = append(futures, f), append(sent, m)
	}
	for i, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			failed, last = append(failed, sent[i]), err
		case <-s.health.stopped:
			return append(failed, sent[i:]...), s.health.err
		case <-ctx.Done():
			return append(failed, sent[i:]...), ctx.Err()
		}
	}
	return failed, last
}

// backoff is the wait before attempt n+1: doubling, bounded.
func backoff(cfg Config, n int) time.Duration {
	d := cfg.MinBackoff
	for ; n > 1 && d < cfg.MaxBackoff; n-- {
		d *= 2
	}
	return min(d, cfg.MaxBackoff)
}

// sleep waits for d, or less where ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gone reports whether err says that a consumer or stream does not exist.
func gone(err error) bool {
	return errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrConsumerDoesNotExist)
}
