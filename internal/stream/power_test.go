package stream

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// publishSome is the child: it publishes numbered batches and prints "acked
// N" for the readings below N.
func publishSome(args []string) error {
	batches, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	s, err := openChild(Config{Dir: args[0], Guarantee: Guarantee(args[1])})
	if err != nil {
		return err
	}
	defer s.Close()
	for n := range batches {
		if err := s.PublishReadings(context.Background(), numbered(n*powerBatch, powerBatch)); err != nil {
			return err
		}
		if _, err := fmt.Printf("acked %d\n", (n+1)*powerBatch); err != nil {
			return err
		}
	}
	return nil
}

// powerBatch readings make about PowerBatchBytes.
const powerBatch = 2500

// traced runs the child under strace and returns the file of the trace.
func traced(t *testing.T, dir string, guarantee Guarantee, batches int) string {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is missing; install it: apt-get install strace")
	}
	file := filepath.Join(t.TempDir(), "trace")
	calls := "openat,close,lseek,write,pwrite64,pwritev,writev,ftruncate,truncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,mkdirat,fsync,fdatasync,sync_file_range,syncfs"
	cmd := child(t, []string{
		strace, "-f", "-qq", "-a", "1", "-y", "-xx", "-s", strconv.Itoa(16 << 20), "-e", "signal=none", "-e", "trace=" + calls, "-o", file,
	}, "publish", dir, string(guarantee), strconv.Itoa(batches))
	out, err := cmd.CombinedOutput()
	if err != nil && bytes.Contains(out, []byte("ptrace")) {
		t.Fatalf("strace may not trace here: %s; allow it, in a container with: --cap-add=SYS_PTRACE", out)
	}
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return file
}

// afterPowerLoss rebuilds, at the first acknowledgements, around the moment
// when JetStream begins a new file, and at the last of them, the folder as a
// disk would hold it if power went just then. It opens a stream on each and
// returns how many of the acknowledged readings are lost, at worst.
func afterPowerLoss(t *testing.T, dir, trace string, last int) (worst int) {
	t.Helper()
	f, err := os.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	d, acks, blocks, around := newDisk(), 0, 1, 0
	err = d.replay(f, func(acknowledged int) error {
		acks++
		if n := d.count(filepath.Join(dir, "jetstream"), "/READINGS/msgs/", ".blk"); n > blocks {
			blocks, around = n, 3
		}
		if around--; around < 0 && acks > 2 && acks != last/2 && acks != last {
			return nil
		}
		for name, names := range map[string]map[string]*inode{"certain": d.certain, "all": d.names} {
			image := filepath.Join(t.TempDir(), "disk")
			if err := d.image(names, dir, image); err != nil {
				return err
			}
			lost, err := lostIn(image, acknowledged)
			if err != nil {
				return fmt.Errorf("after %d acknowledgements, with %s names: %w", acks, name, err)
			}
			worst = max(worst, lost)
			t.Logf("power lost after %d acknowledgements, %d syncs, in file %d, %s names kept: %d of %d readings lost", acks, d.syncs, blocks, name, lost, acknowledged)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if acks != last {
		t.Fatalf("the trace has %d acknowledgements of %d", acks, last)
	}
	return worst
}

func lostIn(dir string, acknowledged int) (lost int, err error) {
	s, err := openChild(Config{Dir: dir})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	seen, err := valuesOf(s)
	if err != nil {
		return 0, err
	}
	for n := range acknowledged {
		if seen[n] != 1 {
			lost++
		}
	}
	return lost, nil
}

// TestPowerLoss cuts the power of a host at several moments: with the
// guarantee power nothing acknowledged is lost. With process something is,
// which shows that the test can tell.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "stream")
	// 185 batches are more than one of JetStream's files of 8 MB.
	if lost := afterPowerLoss(t, dir, traced(t, dir, SurvivesPower, 185), 185); lost > 0 {
		t.Errorf("%d acknowledged readings lost", lost)
	}
	dir = filepath.Join(t.TempDir(), "stream")
	if lost := afterPowerLoss(t, dir, traced(t, dir, SurvivesProcess, 10), 10); lost == 0 {
		t.Error("nothing was lost without writing through: this test tells nothing")
	}
}
