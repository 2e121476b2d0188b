package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func countedFrom(from, n int) []meter.Reading {
	out := make([]meter.Reading, n)
	for i := range out {
		at := time.Unix(1_800_000_000+int64(from+i), 0).UTC()
		out[i] = meter.Reading{DeviceID: "D-1", MeterID: "M-1", Quantity: meter.ActivePower, Value: float64(from + i), Quality: meter.Good, EventTime: at, ReceiveTime: at}
	}
	return out
}

// A snapshot of a stream in use holds at least what was acknowledged before,
// under the same sequences, and what its consumers had worked off.
func TestSnapshotKeepsMessagesSequencesAndConsumers(t *testing.T) {
	ctx := t.Context()
	s := open(t, Config{MessageBytes: 4 << 10})
	publish(t, s, countedFrom(0, 5000))
	read := 0
	consume(t, s, "historian", func(rs []meter.Reading) (bool, error) { read += len(rs); return read >= 5000, nil })
	publish(t, s, countedFrom(5000, 500))
	send(t, s, MeterDays, "M-1", "id-1", "a day")
	before, err := s.info(ctx, Readings)
	if err != nil {
		t.Fatal(err)
	}

	stop := make(chan struct{})
	var publishing sync.WaitGroup
	publishing.Go(func() { // others go on
		for i := 5500; ; i += 100 {
			select {
			case <-stop:
				return
			default:
				if err := s.PublishReadings(ctx, countedFrom(i, 100)); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	var taken []*bytes.Buffer
	for _, topic := range []Topic{Readings, MeterDays, Dead} {
		var b bytes.Buffer
		info, err := s.Snapshot(ctx, topic, &b)
		if err != nil {
			t.Fatal(err)
		}
		if topic == Readings && (info.LastSeq < before.State.LastSeq || info.FirstSeq != 1) {
			t.Errorf("sequences %d to %d; up to %d was acknowledged before", info.FirstSeq, info.LastSeq, before.State.LastSeq)
		}
		taken = append(taken, &b)
	}
	close(stop)
	publishing.Wait()

	dir := t.TempDir()
	empty := open(t, Config{Dir: dir, AsIs: true})
	for _, b := range taken {
		if _, err := empty.RestoreSnapshot(ctx, bytes.NewReader(b.Bytes())); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := empty.RestoreSnapshot(ctx, bytes.NewReader(taken[0].Bytes())); err == nil {
		t.Error("restored over a stream that is there")
	}
	empty.Close()
	restored := open(t, Config{Dir: dir})
	after, err := restored.info(ctx, Readings)
	if err != nil {
		t.Fatal(err)
	}
	if after.State.FirstSeq != 1 || after.State.LastSeq < before.State.LastSeq {
		t.Errorf("restored sequences %d to %d", after.State.FirstSeq, after.State.LastSeq)
	}
	first, seen := -1.0, make(map[float64]int)
	consume(t, restored, "historian", func(rs []meter.Reading) (bool, error) {
		for _, r := range rs {
			if first < 0 {
				first = r.Value
			}
			seen[r.Value]++
		}
		return seen[5499] > 0, nil
	})
	if first < 4800 || first > 5000 {
		t.Errorf("the historian goes on at reading %v; it had worked off 5000", first)
	}
	for i := 5000; i < 5500; i++ {
		if seen[float64(i)] != 1 {
			t.Fatalf("reading %d came %d times", i, seen[float64(i)])
		}
	}
	if n := messages(t, restored, MeterDays); n != 1 {
		t.Errorf("%d messages of meter-days", n)
	}
	publish(t, restored, countedFrom(100_000, 10)) // it takes more
}

func TestSnapshotsThatAreNone(t *testing.T) {
	ctx := t.Context()
	s := open(t, Config{MessageBytes: 4 << 10})
	publish(t, s, countedFrom(0, 3000))
	var b bytes.Buffer
	if _, err := s.Snapshot(ctx, Readings, &b); err != nil {
		t.Fatal(err)
	}
	head, body, _ := bytes.Cut(b.Bytes(), []byte("\n"))
	target := open(t, Config{AsIs: true})
	if _, err := target.Snapshot(ctx, Readings, &bytes.Buffer{}); !errors.Is(err, ErrNoStream) {
		t.Errorf("snapshot of nothing: %v", err)
	}
	flipped := bytes.Clone(body)
	for i := len(flipped) / 3; i < len(flipped)/3+64; i++ {
		flipped[i] ^= 0x55
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "no line": []byte("{}"), "no JSON": []byte("READINGS\n"), "unknown field": []byte(`{"topic":"READINGS","evil":1}` + "\n"),
		"another stream": []byte(strings.Replace(string(head), `"READINGS"`, `"OTHER"`, 1) + "\n"), "no configuration": []byte(`{"topic":"READINGS"}` + "\n"),
		"no body": append(bytes.Clone(head), '\n'), "cut": b.Bytes()[:b.Len()*2/3],
		"flipped": fmt.Appendf(nil, "%s\n%s", head, flipped), "long line": bytes.Repeat([]byte("x"), 3<<20),
	} {
		if _, err := target.RestoreSnapshot(ctx, bytes.NewReader(data)); err == nil {
			t.Errorf("%s: restored", name)
		}
		if _, err := target.js.Stream(ctx, string(Readings)); err == nil {
			t.Fatalf("%s: a stream is left", name)
		}
	}
	if _, err := target.RestoreSnapshot(ctx, bytes.NewReader(b.Bytes())); err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Snapshot(ended, Readings, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}
