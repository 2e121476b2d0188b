package console

import (
	"context"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
)

// browser starts a headless Chromium with a profile of its own.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("no chromium on this machine; mend: apt-get install -y chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()))
	timed, stop := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(stop)
	allocator, stopAllocator := chromedp.NewExecAllocator(timed, options...)
	t.Cleanup(stopAllocator)
	ctx, stopTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("close chromium: %v", err)
		}
		stopTab()
	})
	return ctx
}

func logInByForm(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate(url), chromedp.SendKeys("#name", "lin"), chromedp.SendKeys("#password", "correct horse"),
		chromedp.Click("button[type=submit]"), chromedp.WaitVisible(".app")); err != nil {
		t.Fatalf("log in: %v", err)
	}
}

// TestBrowser does in one browser what a reader does first.
func TestBrowser(t *testing.T) {
	d := newDistrict(t)
	server := httptest.NewServer(d.handler())
	t.Cleanup(server.Close)
	t.Cleanup(d.hub.Close)
	ctx := browser(t)
	var mu sync.Mutex
	var complaints []string
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatalf("have the browser complain: %v", err)
	}
	if err := chromedp.Listen(ctx, func(ev any) {
		if text := complaint(ev); text != "" {
			mu.Lock()
			complaints = append(complaints, text)
			mu.Unlock()
		}
	}); err != nil {
		t.Fatalf("listen: %v", err)
	}
	logInByForm(ctx, t, server.URL+"/queue")
	t.Run("keys move through the queue", func(t *testing.T) { keysMove(ctx, t) })
	t.Run("a new result shows without reload", func(t *testing.T) { newResultShows(ctx, t, d) })
	t.Run("the top of the queue has its chart drawn", func(t *testing.T) { chartDrawn(ctx, t, server.URL) })
	mu.Lock()
	defer mu.Unlock()
	if len(complaints) > 0 {
		t.Errorf("the browser complained: %s", strings.Join(complaints, "; "))
	}
}

func keysMove(ctx context.Context, t *testing.T) {
	selected := chromedp.Evaluate[string](`document.querySelector('#queue tr[aria-selected="true"]').id + " " + document.querySelectorAll('#queue tr[tabindex="0"]').length`)
	for _, step := range []struct{ key, want string }{{"j", "row-UP-10230 1"}, {"j", "row-UP-10233 1"}, {"k", "row-UP-10230 1"}} {
		if err := chromedp.Do(ctx, chromedp.KeyEvent(step.key)); err != nil {
			t.Fatalf("press %s: %v", step.key, err)
		}
		if got, err := chromedp.Run(ctx, selected); err != nil || got != step.want {
			t.Fatalf("after %s %q is selected (%v), want %q", step.key, got, err, step.want)
		}
	}
	if err := chromedp.Do(ctx, chromedp.KeyEvent("\r"), chromedp.WaitVisible("figure.chart"), chromedp.NavigateBack(), chromedp.WaitVisible("#queue tbody tr")); err != nil {
		t.Fatalf("Enter opens nothing: %v", err)
	}
}

func newResultShows(ctx context.Context, t *testing.T, d *district) {
	d.mu.Lock()
	next := *d.result
	next.RunID = "run-2"
	next.UsagePoints = slices.Clone(next.UsagePoints)
	next.UsagePoints[0].Risk = 0.94
	d.result = &next
	d.mu.Unlock()
	d.hub.Publish(Update{Kind: "result", ID: "run-2"})
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`document.querySelector("#queue tbody tr .risk").textContent.includes("0.94")`, chromedp.WithPollingTimeout(20*time.Second))); err != nil {
		t.Fatalf("the page did not take the new result: %v", err)
	}
}

func chartDrawn(ctx context.Context, t *testing.T, base string) {
	if err := chromedp.Do(ctx, chromedp.Navigate(base+"/queue"), chromedp.WaitVisible("#queue tbody tr"), chromedp.Click("#queue tbody tr:first-child th a"), chromedp.WaitVisible("figure.chart svg path.ln")); err != nil {
		t.Fatalf("open the top of the queue: %v", err)
	}
	where, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil || !strings.HasSuffix(where, "/usage-points/"+minerPoint) {
		t.Fatalf("the top of the queue led to %q (%v)", where, err)
	}
	type drawn struct {
		Charts, Lines, Thin, Heat int
		Narrowest, Length         float64
	}
	got, err := chromedp.Run(ctx, chromedp.Evaluate[drawn](`(() => {
		const charts = Array.from(document.querySelectorAll("figure.chart svg"));
		const lines = Array.from(document.querySelectorAll("figure.chart svg path.ln"));
		const boxes = lines.map(p => p.getBBox());
		return {
			Charts: charts.filter(s => s.getBoundingClientRect().width > 100 && s.getBoundingClientRect().height > 100).length,
			Lines: lines.length,
			Thin: document.querySelectorAll("figure.chart svg path.thin").length,
			Heat: document.querySelectorAll("figure.chart g.heat rect").length,
			Narrowest: Math.min(...boxes.map(b => Math.min(b.width, b.height))),
			Length: Math.min(...lines.map(p => p.getTotalLength())),
		};
	})()`))
	if err != nil {
		t.Fatalf("measure the charts: %v", err)
	}
	if got.Charts < 4 || got.Lines < 3 || got.Thin < 20 || got.Heat < 60 || got.Narrowest <= 0 || got.Length < 100 {
		t.Errorf("charts are not drawn: %+v", got)
	}
}
