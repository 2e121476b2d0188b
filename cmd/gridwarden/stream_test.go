package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/control"
	"github.com/gridwarden/gridwarden/internal/stream"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// streaming answers for a program that runs and has a stream.
type streaming struct {
	fleet
	topics  []control.Topic
	letters []control.DeadLetter
	refuse  error // of replays
}

func (s *streaming) Topics(context.Context) ([]control.Topic, error) { return s.topics, nil }
func (s *streaming) Deployment(context.Context) (*control.Deployment, error) {
	return &control.Deployment{Guarantee: "an acknowledged reading survives much", Links: []control.Link{
		{Name: "north", Connected: true, Exact: true}, {Name: "south", Waiting: 12, Problem: "silent for 40s"},
	}}, nil
}

func (s *streaming) DeadLetters(_ context.Context, after uint64, limit int) ([]control.DeadLetter, error) {
	out := make([]control.DeadLetter, 0)
	for _, l := range s.letters {
		if l.Seq > after && len(out) < limit {
			out = append(out, l)
		}
	}
	return out, nil
}

func (s *streaming) DeadLetter(_ context.Context, seq uint64) (*control.DeadLetter, error) {
	for i := range s.letters {
		if s.letters[i].Seq == seq {
			return &s.letters[i], nil
		}
	}
	return nil, fmt.Errorf("%w: %d; list them", control.ErrNoLetter, seq)
}

func (s *streaming) ReplayDead(ctx context.Context, seq uint64) error {
	if s.refuse != nil {
		return s.refuse
	}
	return s.DiscardDead(ctx, seq)
}

func (s *streaming) DiscardDead(ctx context.Context, seq uint64) error {
	if _, err := s.DeadLetter(ctx, seq); err != nil {
		return err
	}
	s.letters = slices.DeleteFunc(s.letters, func(l control.DeadLetter) bool { return l.Seq == seq })
	return nil
}

func testStreaming() *streaming {
	at := time.Date(2025, 11, 24, 4, 0, 0, 0, time.UTC)
	return &streaming{
		topics: []control.Topic{
			{Topic: "READINGS", Messages: 120, Bytes: 3 << 20, MaxBytes: 8 << 30, MaxAgeS: 7 * 24 * 3600, Replicas: 3, Oldest: at, Consumers: []control.Consumer{
				{Name: "curves", Kind: "positioned", Backlog: 7, Unread: 114}, {Name: "historian", Kind: "acknowledging", Backlog: 120, Unread: 1},
			}},
			{Topic: "WORK", MaxBytes: 512, MaxAgeS: 48 * 3600, Replicas: 3, Consumers: []control.Consumer{}},
		},
		letters: []control.DeadLetter{
			{Seq: 3, Time: at, Topic: "READINGS", Subject: "readings.local.0", ID: "abc", Consumer: "historian", Reason: "field type conflict", Bytes: 90, Readings: []control.LetterReading{
				{Device: "T-1", Meter: "M-1", Quantity: "active_power", Value: new(12.5), Unit: "kW", Quality: "good", EventTime: at},
				{Device: "T-1", Meter: "M-1", Quantity: "voltage_a", Unit: "V", Quality: "bad", Flags: []string{"missing"}, ReceiveTime: at},
			}},
			{Seq: 5, Time: at, Topic: "FINDINGS", Subject: "findings.run.1", Consumer: "cases", Reason: "no such usage point", Bytes: 9, JSON: json.RawMessage(`{"run":1}`)},
			{Seq: 9, Time: at, Topic: "READINGS", Subject: "readings.local.0", Consumer: "curves", Reason: "not a batch of readings", Bytes: 2, Hex: "6869", Undecoded: "it does not begin right"},
		},
	}
}

func TestStreamStatus(t *testing.T) {
	s := testStreaming()
	file := runningService(t, s)
	code, stdout, stderr := gridwarden(t, "stream", "status", "-c", file)
	for _, want := range []string{
		"READINGS  120       3.0 MB  8.0 GB   2025-11-24 12:00  168h     3         curves     7        -", "historian  120      -",
		"WORK      0         0 B     512 B    -",
		"Guarantee: an acknowledged reading survives much.", "north  yes        0         -", "south  no         about 12  silent for 40s",
	} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in\n%s%s", code, want, stdout, stderr)
		}
	}
	s.topics[0].Consumers[1].Danger = "the oldest is 160h old of 168h"
	code, stdout, stderr = gridwarden(t, "stream", "status", "-c", file)
	if code != exitFailed || !strings.Contains(stdout, "160h old") || !strings.Contains(stderr, "READINGS: unread messages of historian will soon be dropped") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	_, stdout, _ = gridwarden(t, "stream", "status", "-c", file, "--json")
	var status streamStatus
	if err := json.Unmarshal([]byte(stdout), &status); err != nil || len(status.Topics) != 2 || status.Topics[0].Consumers[0].Unread != 114 || len(status.Links) != 2 {
		t.Errorf("%v\n%s", err, stdout)
	}
}

func TestStreamDeadListAndShow(t *testing.T) {
	file := runningService(t, testStreaming())
	for _, c := range []struct {
		args      []string
		has, lack string
	}{
		{[]string{"list"}, "3       2025-11-24 12:00  READINGS  historian  90 B  field type conflict", "There are more"},
		{[]string{"list", "--topic", "findings"}, "5       2025-11-24 12:00  FINDINGS", "READINGS"},
		{[]string{"list", "--after", "5"}, "9       2025-11-24", "FINDINGS"},
		{[]string{"list", "--limit", "1"}, "go on with --after 3.", "FINDINGS"},
		{[]string{"list", "--after", "9"}, "No dead letters.", "NUMBER"},
		{[]string{"show", "3"}, "T-1     M-1    active_power  12.5   kW    2025-11-24 12:00:00.000  good", ""},
		{[]string{"show", "3"}, "voltage_a     -      V     2025-11-24 12:00:00.000  bad (missing)", ""},
		{[]string{"show", "5"}, "\"run\": 1", ""},
		{[]string{"show", "5"}, "no such usage point", ""},
		{[]string{"show", "9"}, "it does not begin right. It begins with\n6869", "DEVICE"},
	} {
		code, stdout, stderr := gridwarden(t, append([]string{"stream", "dead", "-c", file}, c.args...)...)
		if code != 0 || !strings.Contains(stdout, c.has) || c.lack != "" && strings.Contains(stdout, c.lack) {
			t.Errorf("%v: exit %d\n%s%s\nwant %q, not %q", c.args, code, stdout, stderr, c.has, c.lack)
		}
	}
	_, stdout, _ := gridwarden(t, "stream", "dead", "show", "3", "--json", "-c", file)
	var l control.DeadLetter
	if err := json.Unmarshal([]byte(stdout), &l); err != nil || len(l.Readings) != 2 || *l.Readings[0].Value != 12.5 || l.Readings[1].Value != nil {
		t.Errorf("%v\n%s", err, stdout)
	}
	if _, stdout, _ = gridwarden(t, "stream", "dead", "list", "--after", "9", "--json", "-c", file); stdout != "[]\n" {
		t.Errorf("none: %q", stdout)
	}
}

func TestStreamDeadReplayAndDiscard(t *testing.T) {
	s := testStreaming()
	file := runningService(t, s)
	dead := func(args ...string) (int, string, string) {
		return gridwarden(t, append([]string{"stream", "dead", "-c", file}, args...)...)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"replay"}, "or --all"}, {[]string{"discard", "3", "--all"}, "or --all"}, {[]string{"replay", "x"}, `"x" is not the number`},
		{[]string{"replay", "0"}, `"0" is not the number`}, {[]string{"replay", "3", "--topic", "WORK"}, "--topic goes with --all"},
		{[]string{"show", "4"}, "no such dead letter: 4"}, {[]string{"show"}, "accepts 1 arg"}, {[]string{"list", "--limit", "0"}, "--limit 0"},
	} {
		if code, _, stderr := dead(c.args...); code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit %d\n%s\nwant %q", c.args, code, stderr, c.want)
		}
	}
	s.refuse = errors.New("the stream is full; make room")
	if code, stdout, stderr := dead("replay", "--all"); code != exitFailed || stdout != "Replayed 0 of 3 dead letters.\n" || !strings.Contains(stderr, "the stream is full") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	s.refuse = nil
	if code, stdout, stderr := dead("replay", "3"); code != 0 || stdout != "Replayed 1 of 1 dead letters.\n" {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := dead("replay", "--all", "--topic", "FINDINGS", "--json"); code != 0 || strings.Join(strings.Fields(stdout), "") != `{"replayed":[5]}` {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := dead("discard", "9", "10"); code != exitUsage || stdout != "Discarded 1 of 2 dead letters.\n" || !strings.Contains(stderr, "no such dead letter") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if len(s.letters) != 0 {
		t.Errorf("left: %+v", s.letters)
	}
}

// TestStreamWithoutAProgram opens the stream in the data folder.
func TestStreamWithoutAProgram(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "g.yaml")
	if err := os.WriteFile(file, []byte("data_dir: data\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := gridwarden(t, "stream", "status", "-c", file); code != exitFailed || !strings.Contains(stderr, "start the program once") {
		t.Errorf("no data yet: exit %d\n%s", code, stderr)
	}
	at := time.Date(2025, 11, 24, 4, 0, 0, 0, time.UTC)
	s, err := stream.Open(t.Context(), stream.Config{Dir: filepath.Join(dir, "data", "stream"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	err = s.SetAside(t.Context(), "historian", []meter.Reading{{DeviceID: "T-9", MeterID: "M-9", Quantity: "active_power", Value: 3, EventTime: at, ReceiveTime: at, Quality: meter.Good}}, errors.New("field type conflict"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if code, _, stderr := gridwarden(t, "stream", "status", "-c", file); code != exitFailed || !strings.Contains(stderr, "in use") {
		t.Errorf("another process has it: exit %d\n%s", code, stderr)
	}
	s.Close()
	for _, c := range []struct {
		args []string
		has  string
	}{
		{[]string{"status"}, "DEAD"}, {[]string{"dead", "list"}, "field type conflict"}, {[]string{"dead", "show", "1"}, "T-9     M-9    active_power  3"},
		{[]string{"dead", "replay", "1"}, "Replayed 1 of 1"}, {[]string{"dead", "list"}, "No dead letters."}, {[]string{"status"}, "READINGS     1 "},
	} {
		code, stdout, stderr := gridwarden(t, append([]string{"stream", "-c", file}, c.args...)...)
		if code != 0 || !strings.Contains(stdout, c.has) {
			t.Errorf("%v: exit %d\n%s%s\nwant %q", c.args, code, stdout, stderr, c.has)
		}
	}
	if code, stdout, stderr := gridwarden(t, "stream", "status", "--data-dir", filepath.Join(dir, "data")); code != 0 || !strings.Contains(stdout, "READINGS     1 ") {
		t.Errorf("by the folder: exit %d\n%s%s", code, stdout, stderr)
	}
}
