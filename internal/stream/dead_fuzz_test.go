package stream

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzLetter sets messages aside whose ids, subjects, contents and reasons are
// anybody's: what the server keeps is what was given, and nothing more.
func FuzzLetter(f *testing.F) {
	f.Add("field type conflict", "readings.local.0", "abc", []byte("GWR"))
	f.Add("two\r\nlines: \x00\xff", "case_events.a.b", "a/1", []byte("{}"))
	f.Add(strings.Repeat("é", maxReason), "", "", []byte(nil))
	s, err := Open(context.Background(), Config{Dir: f.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, reason, subject, id string, data []byte) {
		if line := oneLine(reason); strings.ContainsAny(line, "\r\n") || len(line) > maxReason+len("…") || utf8.ValidString(reason) && !utf8.ValidString(line) {
			t.Fatalf("reason %q became %q", reason, line)
		}
		before, err := s.info(t.Context(), Dead)
		if err != nil {
			t.Fatal(err)
		}
		in := DeadLetter{Topic: CaseEvents, Subject: subject, ID: id, Consumer: "fuzz", Reason: reason, Data: data}
		if err := s.setAside(t.Context(), in, id+"#"+reason); err != nil {
			t.Fatal(err)
		}
		after, err := s.info(t.Context(), Dead)
		if err != nil {
			t.Fatal(err)
		}
		if after.State.LastSeq == before.State.LastSeq {
			return // the same letter again
		}
		l, err := s.DeadLetter(t.Context(), after.State.LastSeq)
		if err != nil {
			t.Fatal(err)
		}
		if l.Topic != CaseEvents || l.Consumer != "fuzz" || !bytes.Equal(l.Data, data) || !strings.HasSuffix(l.Reason, oneLine(reason)) {
			t.Fatalf("%+v became %+v", in, l)
		}
	})
}
