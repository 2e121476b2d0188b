package stream

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func letters(t *testing.T, s *Stream) []DeadLetter {
	t.Helper()
	out, err := s.DeadLetters(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReplayBringsReadingsBack(t *testing.T) {
	s := open(t, Config{})
	in := counted(0, 5)
	publish(t, s, in) // the same content is remembered by its id
	if err := s.SetAside(t.Context(), "historian", in, errors.New("field type conflict")); err != nil {
		t.Fatal(err)
	}
	l := letters(t, s)
	if len(l) != 1 || l[0].Subject != "readings.local.0" || l[0].Topic != Readings {
		t.Fatalf("letters %+v", l)
	}
	if err := s.Replay(t.Context(), l[0].Seq); err != nil {
		t.Fatal(err)
	}
	if n := len(letters(t, s)); n != 0 {
		t.Errorf("%d letters after the replay", n)
	}
	got := 0
	consume(t, s, "historian", func(rs []meter.Reading) (bool, error) { got += len(rs); return got >= 10, nil })
	if got != 10 {
		t.Errorf("%d readings, want the 5 published and the 5 replayed", got)
	}
	if err := s.Replay(t.Context(), l[0].Seq); !errors.Is(err, ErrNoLetter) {
		t.Errorf("replayed twice: %v", err)
	}
}

// TestLetterThatComesAgain replays readings that still cannot be used.
func TestLetterThatComesAgain(t *testing.T) {
	s := open(t, Config{})
	for n := range uint64(3) {
		for range 2 {
			if err := s.SetAside(t.Context(), "historian", counted(0, 5), errors.New("field type conflict")); err != nil {
				t.Fatal(err)
			}
		}
		l := letters(t, s)
		if len(l) != 1 || l[0].Seq != n+1 {
			t.Fatalf("time %d: letters %+v", n, l)
		}
		if err := s.Replay(t.Context(), l[0].Seq); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReplayCrashed repeats a replay whose letter was not discarded.
func TestReplayCrashed(t *testing.T) {
	s := open(t, Config{})
	send(t, s, Findings, "run.7", "run/7", "x")
	send(t, s, Findings, "run.8", "run/8", "x")
	take(t, s, Findings, "cases", func(m Message) (bool, error) {
		if m.ID == "run/7" {
			return false, Poison(errors.New("no such usage point"))
		}
		return true, nil
	})
	l := letters(t, s)[0]
	m := nats.NewMsg(l.Subject) // what Replay did before the crash
	m.Data = l.Data
	m.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("replay/%d/%d", l.Seq, l.Time.UnixNano()))
	if _, err := s.js.PublishMsg(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := s.Replay(t.Context(), l.Seq); err != nil {
		t.Fatal(err)
	}
	if n := messages(t, s, Findings); n != 3 {
		t.Errorf("%d messages, want the first two and one replay", n)
	}
	if n := len(letters(t, s)); n != 0 {
		t.Errorf("%d letters left", n)
	}
}

func TestReplayNeedsAPlace(t *testing.T) {
	s := open(t, Config{})
	if err := s.setAside(t.Context(), DeadLetter{Topic: Findings, Subject: "readings.local.0", Consumer: "x", Reason: "y"}, "1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Replay(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "does not say where it belongs") {
		t.Errorf("error %v", err)
	}
	if len(letters(t, s)) != 1 {
		t.Error("the letter is gone")
	}
}

func TestDiscard(t *testing.T) {
	s := open(t, Config{})
	if err := s.SetAside(t.Context(), "historian", sample(1), errors.New("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Discard(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{s.Discard(t.Context(), 1), s.Discard(t.Context(), 99)} {
		if !errors.Is(err, ErrNoLetter) {
			t.Errorf("error %v, want ErrNoLetter", err)
		}
	}
	if _, err := s.DeadLetter(t.Context(), 1); !errors.Is(err, ErrNoLetter) {
		t.Errorf("error %v, want ErrNoLetter", err)
	}
}

func TestLettersOfOddMessages(t *testing.T) {
	s := open(t, Config{})
	long := DeadLetter{Topic: Readings, Subject: "readings.local.0", Consumer: "historian", Reason: strings.Repeat("long\n ", 5000), Data: make([]byte, maxMessage)}
	if err := s.setAside(t.Context(), long, "1"); err != nil {
		t.Fatal(err)
	}
	l, err := s.DeadLetter(t.Context(), 1)
	if err != nil || len(l.Data) != maxMessage-maxHeaders || !strings.HasPrefix(l.Reason, "(the message is cut, it had 1048576 bytes) long long") {
		t.Errorf("%d bytes, reason %.80s, %v", len(l.Data), l.Reason, err)
	}
}

// TestLettersOfAnEarlierVersion opens files that have dead letters in their
// old stream.
func TestLettersOfAnEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	first := open(t, Config{Dir: dir})
	if err := first.js.DeleteStream(t.Context(), string(Dead)); err != nil {
		t.Fatal(err)
	}
	if _, err := first.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: deadReadings, Subjects: []string{"dead.readings"}, MaxAge: 30 * 24 * time.Hour, MaxBytes: 256 << 20,
		Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld, Duplicates: 2 * time.Minute,
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		m := nats.NewMsg("dead.readings")
		m.Data = mustEncode(t, counted(i, 1))
		m.Header.Set(jetstream.MsgIDHeader, fmt.Sprint("historian/", i))
		m.Header.Set(headerConsumer, "historian")
		m.Header.Set(headerReason, "field type conflict")
		if _, err := first.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	first.Close()

	for range 2 { // the second time nothing is left to move
		s := open(t, Config{Dir: dir})
		l := letters(t, s)
		if len(l) != 3 || l[2].Reason != "field type conflict" || l[2].Consumer != "historian" || l[2].Topic != Readings {
			t.Fatalf("letters %+v", l)
		}
		if _, err := s.js.Stream(t.Context(), deadReadings); !errors.Is(err, jetstream.ErrStreamNotFound) {
			t.Errorf("the old stream: %v", err)
		}
		s.Close()
	}
	s := open(t, Config{Dir: dir})
	if err := s.Replay(t.Context(), letters(t, s)[1].Seq); err != nil {
		t.Fatal(err)
	}
	consume(t, s, "historian", func(rs []meter.Reading) (bool, error) { return len(rs) == 1 && rs[0].Value == 1, nil })
}
