package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Headers of a dead letter.
const (
	headerReason   = "Gridwarden-Reason"
	headerConsumer = "Gridwarden-Consumer"
)

// DeadLetter is a message that a consumer could not use.
type DeadLetter struct {
	Seq      uint64    // position in the stream of dead letters
	Time     time.Time // when it was set aside
	Consumer string    // durable that could not use it
	Reason   string
	Data     []byte // the message as it was; Decode reads it if anything can
}

// DeadLetter sets readings aside that a consumer cannot use, now or later,
// with the reason. It returns once they are stored.
func (s *Stream) DeadLetter(ctx context.Context, durable string, readings []meter.Reading, reason error) error {
	chunks, err := Encode(readings, s.cfg.MessageBytes)
	if err != nil {
		return fmt.Errorf("stream: dead letter: %w", err)
	}
	for _, data := range chunks {
		m := s.message(data)
		if err := s.setAside(ctx, durable, m.Header.Get(jetstream.MsgIDHeader), data, reason); err != nil {
			return err
		}
	}
	return nil
}

// bury moves an undecodable message to the dead letters.
func (s *Stream) bury(ctx context.Context, durable string, m jetstream.Msg, reason error) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("stream: dead letter: %w", err)
	}
	if err := s.setAside(ctx, durable, strconv.FormatUint(meta.Sequence.Stream, 10), m.Data(), reason); err != nil {
		return err
	}
	s.log.Error("message set aside", "consumer", durable, "stream", Readings, "seq", meta.Sequence.Stream, "reason", reason)
	if err := m.TermWithReason(reason.Error()); err != nil {
		return fmt.Errorf("stream: give up message %d: %w", meta.Sequence.Stream, err)
	}
	return nil
}

func (s *Stream) setAside(ctx context.Context, durable, id string, data []byte, reason error) error {
	dead := nats.NewMsg(deadSubject)
	dead.Data = data
	dead.Header.Set(jetstream.MsgIDHeader, durable+"/"+id)
	dead.Header.Set(headerConsumer, durable)
	dead.Header.Set(headerReason, reason.Error())
	if _, err := s.js.PublishMsg(ctx, dead); err != nil {
		return fmt.Errorf("stream: store dead letter: %w; check the free space of %s", err, s.place())
	}
	return nil
}

// DeadLetters returns the dead letters after position seq (0 for all kept),
// oldest first, at most limit.
func (s *Stream) DeadLetters(ctx context.Context, seq uint64, limit int) ([]DeadLetter, error) {
	str, err := s.js.Stream(ctx, DeadReadings)
	if err != nil {
		return nil, fmt.Errorf("stream: dead letters: %w", err)
	}
	var out []DeadLetter
	for len(out) < limit {
		m, err := str.GetMsg(ctx, seq+1, jetstream.WithGetMsgSubject(deadSubject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("stream: dead letters: %w", err)
		}
		seq = m.Sequence
		out = append(out, DeadLetter{
			Seq: seq, Time: m.Time, Data: m.Data,
			Consumer: m.Header.Get(headerConsumer), Reason: m.Header.Get(headerReason),
		})
	}
	return out, nil
}
