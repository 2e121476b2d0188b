package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// streamService is a service with a stream of ten dead letters.
type streamService struct {
	deployment Deployment
	service
	topics []Topic
	done   []string
	fail   error
}

func (s *streamService) Topics(context.Context) ([]Topic, error) { return s.topics, s.fail }
func (s *streamService) Deployment(context.Context) (*Deployment, error) {
	return &s.deployment, s.fail
}

func (s *streamService) DeadLetters(_ context.Context, after uint64, limit int) ([]DeadLetter, error) {
	var out []DeadLetter
	for seq := after + 1; seq <= 10 && len(out) < limit; seq++ {
		out = append(out, DeadLetter{Seq: seq})
	}
	return out, s.fail
}

func (s *streamService) DeadLetter(_ context.Context, seq uint64) (*DeadLetter, error) {
	if seq > 10 {
		return nil, fmt.Errorf("%w: %d; list them", ErrNoLetter, seq)
	}
	return &DeadLetter{
		Seq: seq, Time: time.Unix(1000, 0).UTC(), Topic: "READINGS", Reason: "a \"reason\"", JSON: json.RawMessage(`{"a":1}`),
		Readings: []LetterReading{{Device: "é", Value: new(1.5)}, {Device: "B"}},
	}, nil
}

func (s *streamService) ReplayDead(ctx context.Context, seq uint64) error {
	_, err := s.DeadLetter(ctx, seq)
	s.done = append(s.done, fmt.Sprint("replay ", seq))
	return errors.Join(err, s.fail)
}

func (s *streamService) DiscardDead(_ context.Context, seq uint64) error {
	s.done = append(s.done, fmt.Sprint("discard ", seq))
	return s.fail
}

func TestStreamAnswers(t *testing.T) {
	dir := t.TempDir()
	s := &streamService{topics: []Topic{
		{Topic: "READINGS", Messages: 1 << 60, Bytes: 7, Oldest: time.Unix(1000, 0).UTC(), Consumers: []Consumer{{Name: "historian", Kind: "acknowledging", Backlog: 3, Danger: "soon"}}},
		{Topic: "WORK", Consumers: []Consumer{}},
	}}
	serve(t, dir, s)
	client := NewClient(dir)
	s.deployment = Deployment{Guarantee: "everything", Links: []Link{{Name: "hub", Waiting: 7, Problem: "a wrong password"}}}
	if got, err := client.Deployment(t.Context()); err != nil || !reflect.DeepEqual(*got, s.deployment) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := client.Topics(t.Context()); err != nil || !reflect.DeepEqual(got, s.topics) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, c := range []struct {
		after       uint64
		limit, want int
	}{{0, 1, 1}, {0, 100, 10}, {7, 100, 3}, {7, 2, 2}, {10, 5, 0}} {
		got, err := client.DeadLetters(t.Context(), c.after, c.limit)
		if err != nil || len(got) != c.want || c.want > 0 && got[0].Seq != c.after+1 {
			t.Errorf("after %d, at most %d: %+v, %v", c.after, c.limit, got, err)
		}
	}
	want, _ := s.DeadLetter(t.Context(), 4)
	if got, err := client.DeadLetter(t.Context(), 4); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := errors.Join(client.ReplayDead(t.Context(), 5), client.DiscardDead(t.Context(), 6)); err != nil || strings.Join(s.done, ", ") != "replay 5, discard 6" {
		t.Errorf("%v: %v", s.done, err)
	}
	_, err := client.DeadLetter(t.Context(), 11)
	for _, err := range []error{err, client.ReplayDead(t.Context(), 12)} {
		if !errors.Is(err, ErrNoLetter) || !strings.Contains(err.Error(), "list them") {
			t.Errorf("error %v, want ErrNoLetter", err)
		}
	}
	s.fail = errors.New("the disk is full; make room")
	_, err = client.Topics(t.Context())
	for _, err := range []error{err, client.DiscardDead(t.Context(), 1)} {
		if err == nil || errors.Is(err, ErrNoLetter) || err.Error() != "the disk is full; make room" {
			t.Errorf("error %v", err)
		}
	}
}

func TestStreamAnswersNothingElse(t *testing.T) {
	dir := t.TempDir()
	s := &streamService{}
	serve(t, dir, s)
	client := NewClient(dir)
	for _, c := range []struct {
		method, path, want string
		status             int
	}{
		{"GET", "/stream/dead?after=x", `after "x"`, 400}, {"GET", "/stream/dead?limit=0", `limit "0"`, 400}, {"GET", "/stream/dead?limit=-1", `limit "-1"`, 400},
		{"GET", "/stream/dead/x", `"x" is not the number`, 400}, {"GET", "/stream/dead/-1", "is not the number", 400},
		{"POST", "/stream/dead/99999999999999999999/replay", "is not the number", 400},
		{"POST", "/stream", "", 405}, {"GET", "/stream/dead/1/replay", "", 405}, {"POST", "/stream/dead/1", "", 405}, {"GET", "/stream/dead/1/x", "", 404},
	} {
		status, err := client.ask(t.Context(), c.method, c.path, nil)
		if status != c.status || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %d, %v", c.method, c.path, status, err)
		}
	}
	if len(s.done) > 0 {
		t.Errorf("done: %v", s.done)
	}
}

// TestNoStream asks a program that has none.
func TestNoStream(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir, &service{})
	if _, err := NewClient(dir).Topics(t.Context()); err == nil || errors.Is(err, ErrNotRunning) {
		t.Errorf("error %v", err)
	}
}

// FuzzLetter lets a client read letters that no program sends.
func FuzzLetter(f *testing.F) {
	f.Add([]byte(`{"seq":1,"readings":[{"value":null}],"json":{"a":[1]}}`))
	f.Add([]byte(`{"json":null,"hex":"00"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var l DeadLetter
		if json.Unmarshal(data, &l) != nil {
			return
		}
		if _, err := json.Marshal(l); err != nil {
			t.Fatalf("%+v was read but cannot be written: %v", l, err)
		}
	})
}
