package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// onSmallDisk has a child run in a mount namespace of its own, where it may
// mount a small disk.
func onSmallDisk(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
}

// smallDisk mounts a disk of so many MB.
func smallDisk(dir string, megabytes int) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes)); err != nil {
		return fmt.Errorf("mount a small disk: %w", err)
	}
	return nil
}

// ballast fills the disk until so many bytes are free.
func ballast(dir string, leave int64) (free func() error, err error) {
	file := filepath.Join(dir, "ballast")
	have, err := freeBytes(dir)
	if err != nil {
		return nil, err
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, 64<<10)
	for have > leave {
		n, err := f.Write(block[:min(int64(len(block)), have-leave)])
		have -= int64(n)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return func() error { return os.Remove(file) }, nil
}

// publishUntil publishes numbered batches until one is refused.
func publishUntil(s *Stream, next *int) error {
	for range 10_000 {
		if err := s.PublishReadings(context.Background(), numbered(*next, 1000)); err != nil {
			return err
		}
		*next += 1000
	}
	return nil
}

func hasAll(s *Stream, acknowledged int) error {
	seen, err := valuesOf(s)
	if err != nil {
		return err
	}
	for n := range acknowledged {
		if seen[n] != 1 {
			return fmt.Errorf("reading %d of %d acknowledged ones is there %d times", n, acknowledged, seen[n])
		}
	}
	return nil
}

// fillDisk is the child: it fills its disk twice, once slowly, so that
// publishing stops before anything breaks, and once at a stroke.
func fillDisk(args []string) error {
	dir := args[0]
	if err := smallDisk(dir, 200); err != nil {
		return err
	}
	cfg := Config{Dir: filepath.Join(dir, "stream"), Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	s, err := openChild(cfg)
	if err != nil {
		return err
	}
	defer func() { s.Close() }()
	next := 0
	free, err := ballast(dir, diskReserve+8<<20)
	if err != nil {
		return err
	}
	begin := time.Now()
	err = publishUntil(s, &next)
	if !errors.Is(err, ErrDiskFull) {
		return fmt.Errorf("publishing on a disk that fills up: %w", err)
	}
	fmt.Printf("refused after %d readings, %v: %v\n", next, time.Since(begin).Round(time.Millisecond), err)
	if err := free(); err != nil {
		return err
	}
	if err := s.PublishReadings(context.Background(), numbered(next, 1000)); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	next += 1000
	if err := hasAll(s, next); err != nil {
		return err
	}
	fmt.Println("went on by itself")

	s.reserve = -1 // something else fills the disk faster than publishing looks
	if free, err = ballast(dir, 1<<20); err != nil {
		return err
	}
	begin = time.Now()
	err = publishUntil(s, &next)
	if !errors.Is(err, ErrStopped) {
		return fmt.Errorf("publishing on a full disk: %w", err)
	}
	fmt.Printf("stopped after %d readings, %v: %v\n", next, time.Since(begin).Round(time.Millisecond), err)
	select {
	case err := <-s.Failed():
		fmt.Printf("failed: %v\n", err)
	case <-time.After(time.Minute):
		return errors.New("the host was not told")
	}
	s.Close()
	if err := free(); err != nil {
		return err
	}
	again, err := openChild(cfg)
	if err != nil {
		return fmt.Errorf("start again with room: %w", err)
	}
	s = again
	if err := s.PublishReadings(context.Background(), numbered(next, 1000)); err != nil {
		return fmt.Errorf("after the start: %w", err)
	}
	next += 1000
	if err := hasAll(s, next); err != nil {
		return fmt.Errorf("after the start: %w", err)
	}
	fmt.Printf("all %d acknowledged readings are there\n", next)
	return nil
}

// TestDiskFull fills the disk of a stream: publishing says so, goes on when
// there is room, and where JetStream itself met the full disk the program is
// told to stop; nothing acknowledged is lost.
func TestDiskFull(t *testing.T) {
	cmd := child(t, nil, "disk", t.TempDir())
	onSmallDisk(cmd)
	var all strings.Builder
	for _, line := range printed(t, cmd) {
		t.Log(line)
		all.WriteString(line + "\n")
	}
	for _, want := range []string{"the disk is full", "make room there", "the stream has stopped", "start the program again"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("nothing said %q", want)
		}
	}
}
