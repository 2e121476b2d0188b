package console

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// stream opens /events and hands its event kinds over.
func (k *desk) stream(ctx context.Context) (kinds <-chan string, body io.Closer) {
	k.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.base+"/events", nil)
	if err != nil {
		k.t.Fatal(err)
	}
	resp, err := k.client.Do(req)
	if err != nil {
		k.t.Fatalf("open the event stream: %v", err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		k.t.Fatalf("event stream: %d, %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	ch := make(chan string, 100)
	go func() {
		defer close(ch)
		scanner := bufio.NewScanner(resp.Body)
		for scanner.Scan() {
			if kind, ok := strings.CutPrefix(scanner.Text(), "event: "); ok && kind != "still" {
				ch <- kind
			}
		}
	}()
	return ch, resp.Body
}

func want(t *testing.T, kinds <-chan string, kind string) {
	t.Helper()
	select {
	case got, ok := <-kinds:
		if !ok || got != kind {
			t.Fatalf("event %q (open %v), want %q", got, ok, kind)
		}
	case <-time.After(time.Minute):
		t.Fatalf("no event %q", kind)
	}
}

func TestEventsTellWhatChanged(t *testing.T) {
	d := newDistrict(t)
	k := d.desk(func(c *Config) {
		c.Loading = func(context.Context) (map[string]Loading, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			return map[string]Loading{hotArea: d.loading[hotArea]}, nil
		}
	}).logIn()
	ctx, cancel := context.WithCancel(context.Background())
	kinds, body := k.stream(ctx)
	want(t, kinds, "hello")
	d.hub.Publish(Update{Kind: "result", ID: "run-9"})
	want(t, kinds, "result")
	d.hub.Publish(Update{Kind: "case", ID: "C-2026-0001"})
	want(t, kinds, "case")
	d.hub.Publish(Update{Kind: "live"})
	want(t, kinds, "live")
	// Without a word from the hub the page finds out by itself.
	d.mu.Lock()
	d.loading[hotArea] = Loading{At: d.now, KVA: 20, HotSpotC: 60}
	d.mu.Unlock()
	want(t, kinds, "live")
	d.mu.Lock()
	next := *d.result
	next.RunID = "run-2"
	d.result = &next
	d.mu.Unlock()
	want(t, kinds, "result")
	cancel()
	_ = body.Close()
	for range kinds {
		continue
	}
}

func TestEventsEndWithTheHub(t *testing.T) {
	d := newDistrict(t)
	kinds, body := d.desk().logIn().stream(context.Background())
	defer func() { _ = body.Close() }()
	want(t, kinds, "hello")
	d.hub.Close()
	ended(t, kinds)
}

func TestEventsEndWithTheSession(t *testing.T) {
	for name, end := range map[string]func(*district, *desk){
		"logged out": func(_ *district, k *desk) { k.do("POST", "/logout", url.Values{}) },
		"removed":    func(d *district, _ *desk) { d.mu.Lock(); delete(d.users, "lin"); d.mu.Unlock() },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDistrict(t)
			k := d.desk().logIn()
			kinds, body := k.stream(context.Background())
			defer func() { _ = body.Close() }()
			want(t, kinds, "hello")
			end(d, k)
			ended(t, kinds)
		})
	}
}

func ended(t *testing.T, kinds <-chan string) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case _, ok := <-kinds:
			if !ok {
				return
			}
		case <-timeout:
			t.Fatal("the stream goes on")
		}
	}
}

func TestASlowPageDoesNotHoldUpTheHub(t *testing.T) {
	h := NewHub()
	updates, cancel := h.subscribe()
	for range 1000 {
		h.Publish(Update{Kind: "result"})
	}
	if len(updates) == 0 {
		t.Error("nothing was kept for the slow page")
	}
	cancel()
	h.Publish(Update{Kind: "result"})
	h.Close()
	h.Close()
}
