package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Headers of a dead letter.
const (
	headerReason   = "Gridwarden-Reason"
	headerConsumer = "Gridwarden-Consumer"
	headerSubject  = "Gridwarden-Subject" // of the message as it was
	headerID       = "Gridwarden-Msg-Id"  // of the message as it was
)

// ErrNoLetter is returned where no dead letter has the position asked for.
var ErrNoLetter = errors.New("no such dead letter")

// maxReason bounds what a header takes of a reason.
const maxReason = 2 << 10

// DeadLetter is a message that a consumer could not use.
type DeadLetter struct {
	Seq      uint64    // position in the stream of dead letters, its number
	Time     time.Time // when it was set aside
	Topic    Topic     // that it belonged to
	Subject  string    // that it was published on
	ID       string    // that it was published with
	Consumer string    // who could not use it
	Reason   string
	Data     []byte // the message as it was; Decode reads that of readings if anything can
}

// SetAside moves readings to the dead letters that a consumer cannot use, now
// or later, with the reason. It returns once they are stored.
func (s *Stream) SetAside(ctx context.Context, durable string, readings []meter.Reading, reason error) error {
	chunks, err := Encode(readings, s.cfg.MessageBytes)
	if err != nil {
		return fmt.Errorf("stream: dead letter: %w", err)
	}
	for _, data := range chunks {
		m := message(s.readingsSubject(0), data)
		letter := DeadLetter{Topic: Readings, Subject: m.Subject, ID: m.Header.Get(jetstream.MsgIDHeader), Consumer: durable, Reason: reason.Error(), Data: data}
		if err := s.setAside(ctx, letter, letter.ID); err != nil {
			return err
		}
	}
	return nil
}

// bury moves a message that no try will make useful to the dead letters.
func (s *Stream) bury(ctx context.Context, topic Topic, durable string, m jetstream.Msg, reason error) error {
	seq, err := s.copyAside(ctx, topic, durable, m, reason)
	if err != nil {
		return err
	}
	if err := m.TermWithReason(oneLine(reason.Error())); err != nil {
		return fmt.Errorf("stream: give up message %d of %s: %w", seq, topic, err)
	}
	return nil
}

// copyAside stores a message among the dead letters.
func (s *Stream) copyAside(ctx context.Context, topic Topic, durable string, m jetstream.Msg, reason error) (seq uint64, err error) {
	meta, err := m.Metadata()
	if err != nil {
		return 0, fmt.Errorf("stream: dead letter: %w", err)
	}
	seq = meta.Sequence.Stream
	letter := DeadLetter{Topic: topic, Subject: m.Subject(), ID: m.Headers().Get(jetstream.MsgIDHeader), Consumer: durable, Reason: reason.Error(), Data: m.Data()}
	// The time tells messages of a stream apart from those of one before it.
	if err := s.setAside(ctx, letter, fmt.Sprintf("%d/%d", seq, meta.Timestamp.UnixNano())); err != nil {
		return seq, err
	}
	s.log.Error("message set aside; `gridwarden stream dead list` shows it", "consumer", durable, "stream", topic, "seq", seq, "reason", reason)
	return seq, nil
}

// setAside stores a letter; id tells it apart from other letters of its
// topic and consumer.
func (s *Stream) setAside(ctx context.Context, l DeadLetter, id string) error {
	if most := maxMessage - maxHeaders; len(l.Data) > most {
		l.Reason = fmt.Sprintf("(the message is cut, it had %d bytes) %s", len(l.Data), l.Reason)
		l.Data = l.Data[:most]
	}
	m := nats.NewMsg(deadPrefix + strings.TrimSuffix(l.Topic.prefix(), "."))
	m.Data = l.Data
	m.Header.Set(jetstream.MsgIDHeader, string(l.Topic)+"/"+l.Consumer+"/"+id)
	m.Header.Set(headerConsumer, l.Consumer)
	m.Header.Set(headerReason, oneLine(l.Reason))
	m.Header.Set(headerSubject, l.Subject)
	if l.ID != "" {
		m.Header.Set(headerID, l.ID)
	}
	for {
		ack, err := s.js.PublishMsg(ctx, m)
		if err != nil {
			return fmt.Errorf("stream: store dead letter: %w; check the free space of %s", err, s.place())
		}
		if !ack.Duplicate {
			return nil
		}
		if _, err := s.DeadLetter(ctx, ack.Sequence); !errors.Is(err, ErrNoLetter) {
			return err // it is there
		}
		// That one was replayed or discarded, and here it is again.
		m = &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}
		m.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("%s/%d", m.Header.Get(jetstream.MsgIDHeader), ack.Sequence))
	}
}

// oneLine makes a reason fit a header: without line ends, bounded.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "") + "…"
	}
	return s
}

// DeadLetters returns the dead letters after position seq (0 for all kept),
// oldest first, at most limit.
func (s *Stream) DeadLetters(ctx context.Context, seq uint64, limit int) ([]DeadLetter, error) {
	str, err := s.js.Stream(ctx, string(Dead))
	if err != nil {
		return nil, fmt.Errorf("stream: dead letters: %w", err)
	}
	var out []DeadLetter
	for len(out) < limit {
		m, err := str.GetMsg(ctx, seq+1, jetstream.WithGetMsgSubject(deadPrefix+">"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("stream: dead letters: %w", err)
		}
		seq = m.Sequence
		out = append(out, letterOf(m))
	}
	return out, nil
}

// DeadLetter returns the dead letter of a position, or an error that is
// ErrNoLetter.
func (s *Stream) DeadLetter(ctx context.Context, seq uint64) (DeadLetter, error) {
	str, err := s.js.Stream(ctx, string(Dead))
	if err != nil {
		return DeadLetter{}, fmt.Errorf("stream: dead letters: %w", err)
	}
	m, err := str.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return DeadLetter{}, fmt.Errorf("stream: %w: %d; `gridwarden stream dead list` names those there are", ErrNoLetter, seq)
	}
	if err != nil {
		return DeadLetter{}, fmt.Errorf("stream: dead letter %d: %w", seq, err)
	}
	return letterOf(m), nil
}

func letterOf(m *jetstream.RawStreamMsg) DeadLetter {
	return DeadLetter{
		Seq: m.Sequence, Time: m.Time, Data: m.Data,
		Topic: Topic(strings.ToUpper(strings.TrimPrefix(m.Subject, deadPrefix))), Subject: m.Header.Get(headerSubject), ID: m.Header.Get(headerID),
		Consumer: m.Header.Get(headerConsumer), Reason: m.Header.Get(headerReason),
	}
}

// Replay publishes a dead letter again where it came from, for every
// consumer of its topic, and discards it once that is acknowledged.
func (s *Stream) Replay(ctx context.Context, seq uint64) error {
	l, err := s.DeadLetter(ctx, seq)
	if err != nil {
		return err
	}
	subject := l.Subject
	if !strings.HasPrefix(subject, l.Topic.prefix()) {
		return fmt.Errorf("stream: dead letter %d does not say where it belongs (%q); look at it with `gridwarden stream dead show %d` and discard it", seq, subject, seq)
	}
	m := nats.NewMsg(subject)
	m.Data = l.Data
	// A new id, for the old one may still be remembered; the same one when
	// replaying is repeated because discarding failed.
	m.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("replay/%d/%d", seq, l.Time.UnixNano()))
	if err := s.publish(ctx, []*nats.Msg{m}); err != nil {
		return fmt.Errorf("replay dead letter %d: %w", seq, err)
	}
	return s.Discard(ctx, seq)
}

// Discard removes a dead letter, or returns an error that is ErrNoLetter.
func (s *Stream) Discard(ctx context.Context, seq uint64) error {
	if _, err := s.DeadLetter(ctx, seq); err != nil {
		return err
	}
	str, err := s.js.Stream(ctx, string(Dead))
	if err != nil {
		return fmt.Errorf("stream: dead letters: %w", err)
	}
	if err := str.DeleteMsg(ctx, seq); err != nil {
		return fmt.Errorf("stream: discard dead letter %d: %w", seq, err)
	}
	return nil
}
