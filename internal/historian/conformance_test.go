package historian

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// on opens a historian that writes to f, impatiently.
func (f *fake) on(t testing.TB, change func(*Config)) *Historian {
	t.Helper()
	cfg := Config{URL: f.URL, Token: f.token, MinBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond, Timeout: 5 * time.Second}
	if change != nil {
		change(&cfg)
	}
	return historian(t, cfg)
}

// answers is a fault with a status and a text.
func answers(status int, body string, header ...string) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

const said429 = `{"code":"too many requests","message":"org 0123 has exceeded limited write plan limit"}`

// resets cuts the connection in the middle of the body.
func resets(w http.ResponseWriter, r *http.Request) bool {
	_, _ = io.CopyN(io.Discard, r.Body, 100)
	w.(*statusSpy).status = -1
	conn, _, err := http.NewResponseController(w.(*statusSpy).ResponseWriter).Hijack()
	if err != nil {
		return false
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
	return true
}

func slow(http.ResponseWriter, *http.Request) bool {
	time.Sleep(200 * time.Millisecond)
	return false
}

// stalls takes the body and never answers.
func stalls(_ http.ResponseWriter, r *http.Request) bool {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	return true
}

// TestConformance writes to a server with the semantics of the v2 API and
// looks at what it asked of the server and what it said about it.
func TestConformance(t *testing.T) {
	for name, tc := range map[string]struct {
		faults []fault
		serve  func(*fake)
		change func(*Config)
		writes string // statuses, in order; -1 for a cut connection
		want   string // of the error, "" for none
		stored bool
	}{
		"taken":                 {writes: "204", stored: true},
		"gzip":                  {change: func(c *Config) { c.GZip = true }, writes: "204", stored: true},
		"busy with 429 and 503": {faults: []fault{answers(429, said429), answers(503, "")}, writes: "429 503 204", stored: true},
		"broken once":           {faults: []fault{answers(500, `{"code":"internal error","message":"timeout"}`)}, writes: "500 204", stored: true},
		"broken":                {faults: []fault{answers(500, "oops"), answers(502, "<html>bad gateway"), answers(500, "{")}, writes: "500 502 500", want: "the readings wait in the stream"},
		"reset in the body":     {faults: []fault{resets}, writes: "-1 204", stored: true},
		"slow":                  {faults: []fault{slow}, writes: "204", stored: true},
		"too slow once":         {faults: []fault{stalls}, change: func(c *Config) { c.Timeout = 100 * time.Millisecond }, stored: true},
		"token refused":         {serve: func(f *fake) { f.token = "another" }, writes: "401", want: "check the historian's token"},
		"token without rights":  {faults: []fault{answers(403, `{"code":"forbidden","message":"insufficient permissions for write"}`)}, writes: "403", want: "insufficient permissions for write; check the historian's token"},
		"no such bucket":        {change: func(c *Config) { c.Bucket = "telemetrie" }, writes: "404", want: `bucket "telemetrie" not found; create the bucket (gridwarden historian init)`},
		"no such organisation":  {change: func(c *Config) { c.Org = "elsewhere" }, writes: "404", want: `organization name "elsewhere" not found`},
		"too large, halves too": {serve: func(f *fake) { f.maxBody = 1600 }, stored: true},
		"a shard is going":      {faults: []fault{answers(400, `{"code":"invalid","message":"partial write: shard 7 is pending deletion dropped=10"}`)}, writes: "400 204", stored: true},
		"moved elsewhere":       {faults: []fault{answers(307, "", "Location", "https://elsewhere.example/api/v2/write")}, writes: "307", want: "it sends on to https://elsewhere.example"},
		"refuses every size":    {serve: func(f *fake) { f.maxBody = 10 }, want: "refuses whatever it is sent"},
		"refuses without reason": {serve: func(f *fake) {
			f.faults = forEver(answers(400, "<html>blocked by policy</html>", "Content-Type", "text/html"))
		}, want: "refuses whatever it is sent: 400 Bad Request: <html>blocked by policy</html>"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.faults = tc.faults
			cfg := func(c *Config) {
				c.Rejected = func(_ context.Context, readings []meter.Reading, reason error) error {
					t.Errorf("%d readings given up: %v", len(readings), reason)
					return nil
				}
				if tc.change != nil {
					tc.change(c)
				}
			}
			h := f.on(t, cfg)
			if tc.serve != nil {
				tc.serve(f)
			}
			in := sample(100)
			err := h.Write(t.Context(), in)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if got := f.statuses(); tc.writes != "" && got != tc.writes {
				t.Errorf("answers %s, want %s", got, tc.writes)
			}
			if len(f.writes) > 3*maxFutile {
				t.Errorf("%d requests", len(f.writes))
			}
			if tc.stored {
				f.mustHold(in)
			}
			if state, reason := h.State(); err != nil && (state != Failing || reason == nil) || err == nil && state != Works {
				t.Errorf("after %v the state is %s, %v", err, state, reason)
			}
		})
	}
}

func forEver(one fault) []fault {
	out := make([]fault, 1000)
	for i := range out {
		out[i] = one
	}
	return out
}

func (f *fake) statuses() string {
	var out []string
	for _, w := range f.writes {
		out = append(out, strconv.Itoa(w.status))
	}
	return strings.Join(out, " ")
}

// mustHold compares every value with what the server holds.
func (f *fake) mustHold(readings []meter.Reading) {
	f.t.Helper()
	values := 0
	for _, r := range readings {
		series := fmt.Sprintf("meter,device_id=%s,meter_id=%s %d ", r.DeviceID, r.MeterID, r.EventTime.UnixNano())
		v, ok := f.stored[series+string(r.Quantity)]
		if r.Quality == meter.Bad {
			if _, noted := f.stored[series+string(r.Quantity)+".quality"]; ok || !noted {
				f.t.Errorf("%s %s is bad: value %v, noted %v", series, r.Quantity, v, noted)
			}
			continue
		}
		values++
		if v != r.Value {
			f.t.Errorf("%s %s: %v, want %v", series, r.Quantity, v, r.Value)
		}
	}
	got := 0
	for key := range f.stored {
		if !strings.Contains(key[strings.LastIndex(key, " "):], ".") && !strings.HasSuffix(key, " "+fieldReceived) {
			got++
		}
	}
	if got != values {
		f.t.Errorf("%d values stored, %d sent", got, values)
	}
}

// A long refusal keeps its end, which says how much was dropped.
func TestLongRefusals(t *testing.T) {
	f := newFake(t)
	said := "partial write: unable to parse '" + strings.Repeat("x", 5000) + "' dropped=1"
	f.faults = []fault{answers(400, fmt.Sprintf(`{"code":"invalid","message":%q}`, said))}
	var lost graveyard
	h := f.on(t, func(c *Config) { c.Rejected = lost.take })
	if err := h.Write(t.Context(), sample(1)); err != nil {
		t.Fatal(err)
	}
	if len(lost.reasons) != 1 || !strings.HasSuffix(lost.reasons[0], "dropped=1") || len(lost.reasons[0]) > maxSaid+100 {
		t.Errorf("%q", lost.reasons)
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	for name, header := range map[string]string{
		"seconds": "1",
		"a date":  time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat), // whole seconds: one at least
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.faults = []fault{answers(429, said429, "Retry-After", header)}
			h := f.on(t, nil)
			begin := time.Now()
			// A second writer must not knock in the meantime.
			done := make(chan error, 1)
			if err := h.Write(t.Context(), sample(1)); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took < 900*time.Millisecond {
				t.Errorf("written again after %s", took)
			}
			f.mu.Lock()
			f.faults = []fault{answers(503, "", "Retry-After", "1")}
			f.mu.Unlock()
			begin = time.Now()
			go func() { done <- h.Write(t.Context(), sample(10)) }()
			time.Sleep(200 * time.Millisecond)
			if err := h.Write(t.Context(), sample(20)); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took < 900*time.Millisecond {
				t.Errorf("another writer wrote after %s", took)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A wait that the engine asks for ends with the context.
func TestRetryAfterDoesNotHoldUpTheEnd(t *testing.T) {
	f := newFake(t)
	f.faults = []fault{answers(503, "", "Retry-After", "4000000000")}
	h := f.on(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := h.Write(ctx, sample(1)); err == nil || time.Since(begin) > 5*time.Second {
		t.Errorf("error %v after %s", err, time.Since(begin))
	}
	h.pause.mu.Lock()
	defer h.pause.mu.Unlock()
	if left := time.Until(h.pause.until); left > maxRetryAfter {
		t.Errorf("it waits for %s", left)
	}
}

func TestBackoffIsSpreadAndBounded(t *testing.T) {
	cfg := Config{MinBackoff: 100 * time.Millisecond, MaxBackoff: time.Second}
	seen := make(map[time.Duration]bool)
	for n, most := range map[int]time.Duration{1: 100, 2: 200, 3: 400, 4: 800, 5: 1000, 60: 1000} {
		most *= time.Millisecond
		for range 100 {
			d := cfg.backoff(n)
			if d < most/2 || d > most {
				t.Errorf("attempt %d waits %s, want %s to %s", n, d, most/2, most)
			}
			seen[d] = true
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d different waits", len(seen))
	}
}

func TestWritersShareTheWork(t *testing.T) {
	f := newFake(t)
	h := f.on(t, func(c *Config) { c.Writers = 3 })
	parts := make(chan []meter.Reading, 3)
	in := sample(300)
	for i := range 3 {
		parts <- in[100*i : 100*i+100]
	}
	close(parts)
	err := h.Feed(t.Context(), func(ctx context.Context, write func(context.Context, []meter.Reading) error) error {
		for part := range parts {
			if err := write(ctx, part); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mustHold(in)
}
