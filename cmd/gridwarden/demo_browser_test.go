//go:build demo

package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// demoRun is a demo that goes on until the test ends.
type demoRun struct{ address, login, password string }

var (
	demoAddress  = regexp.MustCompile(`Console +(http://\S+)`)
	demoUser     = regexp.MustCompile(`Login +(\S+)`)
	demoPassword = regexp.MustCompile(`Password +(\S+)`)
)

// startDemo starts the built program's demo and waits until it polls live.
func startDemo(t *testing.T, args ...string) demoRun {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("..", "..", "bin", "gridwarden"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, append([]string{"demo", "--listen", "127.0.0.1:0", "--influxd", influxBinary(t)}, args...)...)
	reader, writer := io.Pipe()
	cmd.Stderr = writer
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the demo: %v; run `make gridwarden`", err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		_ = writer.Close()
	}()
	var run demoRun
	live := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(reader)
		for lines.Scan() {
			line := lines.Text()
			if m := demoAddress.FindStringSubmatch(line); m != nil {
				run.address = m[1]
			}
			if m := demoUser.FindStringSubmatch(line); m != nil {
				run.login = m[1]
			}
			if m := demoPassword.FindStringSubmatch(line); m != nil {
				run.password = m[1]
			}
			if strings.HasPrefix(line, "Polling live") {
				close(live)
			}
		}
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Errorf("stop the demo: %v", err)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the demo did not end cleanly on Ctrl-C: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the demo did not end within 20 s of Ctrl-C")
			_ = cmd.Process.Kill()
		}
	})
	select {
	case <-live:
	case <-time.After(3 * time.Minute):
		t.Fatal("the demo is not polling live after 3 minutes")
	}
	if run.address == "" || run.login == "" || run.password == "" {
		t.Fatalf("the demo printed no console, login and password: %+v", run)
	}
	return run
}

// browse starts a headless Chromium with a profile of its own.
func browse(t *testing.T, width, height int) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no chromium on this machine; mend: apt-get install -y chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WindowSize(width, height), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.UserDataDir(t.TempDir()))
	timed, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(stop)
	allocator, stopAllocator := chromedp.NewExecAllocator(timed, options...)
	t.Cleanup(stopAllocator)
	ctx, stopTab := chromedp.NewContext(allocator)
	t.Cleanup(stopTab)
	return ctx
}

// A person logs in to the demo, opens the top of the queue and sees its chart.
// With GRIDWARDEN_SCREENSHOTS set to a folder, each page is kept as a picture.
func TestDemoInTheBrowser(t *testing.T) {
	run := startDemo(t)
	ctx := browse(t, 1440, 1000)
	if err := chromedp.Do(ctx, chromedp.Navigate(run.address+"/queue"), chromedp.SendKeys("#name", run.login),
		chromedp.SendKeys("#password", run.password), chromedp.Click("button[type=submit]"), chromedp.WaitVisible("#queue tbody tr")); err != nil {
		t.Fatalf("log in: %v", err)
	}
	picture(ctx, t, "queue")
	if err := chromedp.Do(ctx, chromedp.Click("#queue tbody tr:first-child th a"), chromedp.WaitVisible("figure.chart svg path.ln")); err != nil {
		t.Fatalf("open the top of the queue: %v", err)
	}
	type box struct{ Lines, Width, Height float64 }
	got, err := chromedp.Run(ctx, chromedp.Evaluate[box](`(() => {
		const lines = Array.from(document.querySelectorAll("figure.chart svg path.ln"));
		const b = lines[0].getBBox();
		return {Lines: lines.length, Width: b.width, Height: b.height};
	})()`))
	if err != nil {
		t.Fatalf("measure the chart: %v", err)
	}
	if got.Lines < 1 || got.Width < 300 || got.Height <= 0 {
		t.Errorf("the chart is not drawn: %+v", got)
	}
	picture(ctx, t, "usage-point")
	for _, page := range []string{"/", "/devices", "/plugins", "/cases"} {
		if err := chromedp.Do(ctx, chromedp.Navigate(run.address+page), chromedp.WaitVisible("main h1")); err != nil {
			t.Fatalf("open %s: %v", page, err)
		}
		name := strings.Trim(page, "/")
		if name == "" {
			name = "overview"
		}
		picture(ctx, t, name)
	}
}

func picture(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("GRIDWARDEN_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatalf("picture of %s: %v", name, err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}
