package stream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// resident is this process's memory, in kB.
func resident() (int, error) {
	debug.FreeOSMemory()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if kB, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strconv.Atoi(strings.Fields(kB)[0])
		}
	}
	return 0, errors.New("/proc/self/status has no VmRSS")
}

// writeTopics is the child: it prints its memory before and after a stream
// was opened, and after every topic was written to.
func writeTopics(args []string) error {
	before, err := resident()
	if err != nil {
		return err
	}
	s, err := openChild(Config{Dir: args[0]})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.PublishReadings(context.Background(), numbered(0, 1000)); err != nil {
		return err
	}
	one, err := resident()
	if err != nil {
		return err
	}
	for _, topic := range []Topic{MeterDays, Findings, CaseEvents, Work} {
		if err := s.Publish(context.Background(), topic, "key", "id", make([]byte, 1000)); err != nil {
			return err
		}
	}
	all, err := resident()
	fmt.Println(before, one, all)
	return err
}

// TestTopicsTakeLittleMemory has every topic hold a buffer of JetStream's of
// 8 MB, of which only what is written to counts.
func TestTopicsTakeLittleMemory(t *testing.T) {
	var before, one, all int
	out := printed(t, child(t, nil, "topics", t.TempDir()))
	if _, err := fmt.Sscan(out[0], &before, &one, &all); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	t.Logf("%d kB before, %d kB with readings, %d kB with all topics", before, one, all)
	if all-one > 4<<10 {
		t.Errorf("four topics more take %d kB", all-one)
	}
}
