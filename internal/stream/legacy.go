package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// What earlier versions of the program have left in the stream's files. They
// had a stream of dead letters for readings alone, on a subject that belongs
// to the dead letters of all topics now.
const (
	deadReadings        = "READINGS_DEAD"
	deadReadingsRetired = "retired.dead.readings"
)

// retireDeadReadings takes its subject away from the old stream of dead
// letters, so that the new one can have it.
func (s *Stream) retireDeadReadings(ctx context.Context) error {
	old, err := s.js.Stream(ctx, deadReadings)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stream: look for %s: %w", deadReadings, err)
	}
	cfg := old.CachedInfo().Config
	if slices.Equal(cfg.Subjects, []string{deadReadingsRetired}) {
		return nil
	}
	cfg.Subjects = []string{deadReadingsRetired}
	if _, err := s.js.UpdateStream(ctx, cfg); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream: retire %s: %w", deadReadings, err)
	}
	return nil
}

// moveDeadReadings moves the letters of the old stream to the new one and
// removes the old one. Another host may do the same meanwhile.
func (s *Stream) moveDeadReadings(ctx context.Context) error {
	old, err := s.js.Stream(ctx, deadReadings)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stream: look for %s: %w", deadReadings, err)
	}
	info := old.CachedInfo()
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		m, err := old.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("stream: move dead letter %d of %s: %w", seq, deadReadings, err)
		}
		letter := DeadLetter{
			Topic: Readings, Subject: s.readingsSubject(0), Consumer: m.Header.Get(headerConsumer), Reason: m.Header.Get(headerReason), Data: m.Data,
		}
		if err := s.setAside(ctx, letter, "old/"+m.Header.Get(jetstream.MsgIDHeader)); err != nil {
			return err
		}
	}
	if err := s.js.DeleteStream(ctx, deadReadings); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream: remove %s: %w", deadReadings, err)
	}
	if n := info.State.Msgs; n > 0 {
		s.log.Info("dead letters of an earlier version moved", "from", deadReadings, "to", Dead, "letters", n)
	}
	return nil
}
