package main

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestUsage starts a shell with a child and finds the processor time and
// memory of both.
func TestUsage(t *testing.T) {
	p, err := start(filepath.Join(t.TempDir(), "log"), nil, nil, "sh", "-c", "(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 30) & wait")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop(time.Second)
	deadline := time.Now().Add(20 * time.Second)
	for treeUsage(p.pid()).cpu-processUsage(p.pid()).cpu < 0.1 {
		if time.Now().After(deadline) {
			t.Fatalf("the child's time is not counted: %+v of %+v", processUsage(p.pid()), treeUsage(p.pid()))
		}
		time.Sleep(10 * time.Millisecond)
	}
	all, shell := treeUsage(p.pid()), processUsage(p.pid())
	if all.rss <= shell.rss || all.threads < 2 || shell.pss <= 0 || shell.pss > shell.rss || shell.hwm < shell.rss {
		t.Errorf("shell %+v, all %+v", shell, all)
	}
	if busy, total := machineTicks(); busy <= 0 || total < busy {
		t.Errorf("machine: %v of %v ticks", busy, total)
	}
	if u := treeUsage(math.MaxInt32); u != (usage{}) {
		t.Errorf("nobody uses %+v", u)
	}
}

// TestProcess: what ends by itself says so, with its last words; what does not
// end when asked is ended.
func TestProcess(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p, err := start(log, nil, []string{"WORD=last"}, "sh", "-c", `echo "$WORD words" >&2; exit 3`)
	if err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if err := p.running(); err == nil || !strings.Contains(err.Error(), "exit status 3):\nlast words") {
		t.Errorf("error %v", err)
	}
	if p.logSize() != 11 || p.logged(5) != "words\n" {
		t.Errorf("%d bytes logged, %q", p.logSize(), p.logged(5))
	}
	p.stop(time.Second)
	stubborn, err := start(log, nil, nil, "sh", "-c", `trap "" TERM; echo up >&2; while :; do sleep 0.1; done`)
	if err != nil {
		t.Fatal(err)
	}
	for stubborn.logSize() == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	if err := stubborn.running(); err != nil {
		t.Error(err)
	}
	began := time.Now()
	if stubborn.stop(100 * time.Millisecond); time.Since(began) > 5*time.Second {
		t.Errorf("the end took %v", time.Since(began))
	}
	if _, err := start(log, nil, nil, "no-such-program"); !errors.Is(err, os.ErrNotExist) && !strings.Contains(err.Error(), "not found") {
		t.Errorf("error %v", err)
	}
}

func TestStartSimulatorsSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "sim")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho 'listen on port 20000: address already in use' >&2\nexit 1\n"), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	_, err := startSimulators(context.Background(), script, dir, [][]string{{"-ports", "1"}}, "")
	if err == nil || !strings.Contains(err.Error(), "already in use") {
		t.Errorf("error %v", err)
	}
}

func TestJoin(t *testing.T) {
	one := join([]simCounters{{"requests": 10, "max_gap_ms": 5, "mean_gap_ms": 4, "min_requests_per_device": 2, "max_open": 3}})
	two := join([]simCounters{
		{"requests": 10, "max_gap_ms": 5, "mean_gap_ms": 4, "min_requests_per_device": 2, "max_open": 3},
		{"requests": 30, "max_gap_ms": 9, "mean_gap_ms": 8, "min_requests_per_device": 1, "max_open": 4},
	})
	for name, want := range map[string][2]float64{
		"requests": {10, 40}, "max_gap_ms": {5, 9}, "mean_gap_ms": {4, 7}, "min_requests_per_device": {2, 1}, "max_open": {3, 7},
	} {
		if got := [2]float64{one[name], two[name]}; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
