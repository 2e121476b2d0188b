package stream

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// holdFolder is the child: it opens a stream and keeps it until it is killed.
func holdFolder(args []string) error {
	if _, err := openChild(Config{Dir: args[0]}); err != nil {
		return err
	}
	fmt.Println("held")
	time.Sleep(time.Hour)
	return nil
}

// TestFolderOfAnother refuses a folder that another process uses, naming it,
// and takes it when that process was killed.
func TestFolderOfAnother(t *testing.T) {
	dir := t.TempDir()
	cmd := child(t, nil, "hold", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("%q %v", line, err)
	}
	_, err = Open(t.Context(), Config{Dir: dir})
	want := "is in use by process " + strconv.Itoa(cmd.Process.Pid)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one that says %q", err, want)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	open(t, Config{Dir: dir})
}

// TestRecoveryIsTold reports what a start found.
func TestRecoveryIsTold(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	publish(t, s, sample(1000))
	s.Close()
	var log kept
	s = open(t, Config{Dir: dir, Logger: log.logger()})
	took, messages, bytes := s.Recovery()
	if took <= 0 || messages == 0 || bytes == 0 {
		t.Errorf("recovered %d messages, %d bytes in %v", messages, bytes, took)
	}
	for _, want := range []string{
		fmt.Sprintf("msg=\"stream recovered\" dir=%s", dir), fmt.Sprintf("messages=%d bytes=%d", messages, bytes),
		SurvivesProcess.Words(),
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
}
