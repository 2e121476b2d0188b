package historian

import (
	"bytes"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAuthenticationOnARealEngine runs InfluxDB 1.8 with authentication, where
// a token is user:password, and looks that neither is ever told.
func TestAuthenticationOnARealEngine(t *testing.T) {
	dir := t.TempDir()
	config := strings.Replace(string(childFile(dir, anyPort)), "auth-enabled = false", "auth-enabled = true", 1)
	file := filepath.Join(dir, "influxdb.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(influxd(t), "-config", file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		_ = out.Close()
	}()
	c := &Child{}
	waitFor(t, "the engine listens", func() bool {
		text, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if addr, ok := listenAddr(line); ok {
				c.addr = addr
				return true
			}
		}
		return false
	})
	for _, statement := range []string{
		`CREATE USER root WITH PASSWORD 'adm1n' WITH ALL PRIVILEGES`, `CREATE DATABASE telemetry`,
		`CREATE USER writer WITH PASSWORD 's3cret-of-writer'`, `GRANT ALL ON telemetry TO writer`,
		`CREATE USER nobody WITH PASSWORD 's3cret-of-nobody'`,
	} {
		if got := ask(t, c, "/query?u=root&p=adm1n", "q="+url.QueryEscape(statement)); strings.Contains(got, "error") {
			t.Fatalf("%s: %s", statement, got)
		}
	}

	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	in := sample(2000)
	for token, want := range map[string]string{
		"writer:s3cret-of-writer": "", "writer:wr0ng-s3cret": "authorization failed",
		"nobody:s3cret-of-nobody": "not authorized to write", "": "unable to parse authentication credentials",
	} {
		h := historian(t, Config{URL: c.URL(), Bucket: "telemetry", Token: token, Logger: logger})
		err := h.Write(t.Context(), in)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "check the historian's token")) {
			t.Errorf("as %q: %v, want %q", token, err, want)
		}
		state, reason := h.State()
		_, countErr := h.Count(t.Context(), base(), base().Add(1))
		if (state == Works) != (want == "") || (countErr == nil) != (want == "") {
			t.Errorf("as %q: %s, %v, %v", token, state, reason, countErr)
		}
		for _, e := range []error{err, reason, countErr} {
			if e != nil && strings.Contains(e.Error(), "s3cret") {
				t.Errorf("a password is told: %v", e)
			}
		}
		if want == "" {
			mustMatch(t, h, in)
		}
	}
	if _, err := Open(Config{URL: "http://writer:s3cret-of-writer@" + c.addr}); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a password in the URL: %v", err)
	}
	if strings.Contains(log.String(), "s3cret") {
		t.Errorf("a password is logged: %s", log.String())
	}
}
