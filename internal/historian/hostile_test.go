package historian

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// endless writes text again and again until the other end has had enough.
func endless(w http.ResponseWriter, text string) {
	chunk := []byte(strings.Repeat(text, 1+(64<<10)/len(text)))
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// drips writes a byte now and then, for ever.
func drips(w http.ResponseWriter, r *http.Request, text string) {
	out := http.NewResponseController(w)
	for i := 0; ; i++ {
		if _, err := io.WriteString(w, text[i%len(text):i%len(text)+1]); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}

// TestHostileEngine lets an engine answer what no engine does. Nothing may
// hang, hold much memory, give readings up or tell the token.
func TestHostileEngine(t *testing.T) {
	csv := ",result,table,_time,_value\n"
	for name, answer := range map[string]http.HandlerFunc{
		"endless body with 200":   func(w http.ResponseWriter, _ *http.Request) { endless(w, "x") },
		"endless error":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); endless(w, "x") },
		"endless refusal":         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400); endless(w, "line 7 ") },
		"endless JSON":            func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400); endless(w, `{"message":"`) },
		"drips for ever":          func(w http.ResponseWriter, r *http.Request) { drips(w, r, "x") },
		"drips an error for ever": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503); drips(w, r, "x") },
		"echoes the token": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"code":"%[1]s","message":"you sent %[1]s"}`, r.Header.Get("Authorization"))
		},
		"wrong JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(500)
			_, _ = io.WriteString(w, `{"statuscode":204,"err":null,"retryafter":-1,"header":7,"message":[1]}`)
		},
		"null":             func(w http.ResponseWriter, _ *http.Request) { jsonText(w, "null") },
		"empty object":     func(w http.ResponseWriter, _ *http.Request) { jsonText(w, "{}") },
		"lists of nothing": func(w http.ResponseWriter, _ *http.Request) { jsonText(w, `{"orgs":[{}],"buckets":[{}],"tasks":[{}]}`) },
		"redirects to itself": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.String(), http.StatusTemporaryRedirect)
		},
		"giant header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Influxdb-Error", strings.Repeat("x", 1<<20))
			w.WriteHeader(500)
		},
		"hangs up": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		},
		"a row without end": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "#datatype,")
			endless(w, "string,")
		},
		"a quote without end": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, csv+`,,0,"`); endless(w, "a\n") },
		"rows without an end": func(w http.ResponseWriter, _ *http.Request) {
			endless(w, "#datatype,string,long\n#group,false,false\n")
		},
		"nonsense of an export": func(w http.ResponseWriter, _ *http.Request) {
			endless(w, `{"metric":{"__name__":"meter_x"},"values":[1,null,2],"timestamps":[1]}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, engine := range []string{"InfluxDB", "VictoriaMetrics"} {
				hostile(t, engine, answer)
			}
		})
	}
}

func jsonText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, text)
}

func hostile(t *testing.T, engine string, answer http.HandlerFunc) {
	t.Helper()
	var met atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch { // it is polite until it is known
		case !met.Load() && r.URL.Path == "/ping":
			if engine == "InfluxDB" {
				w.Header().Set("X-Influxdb-Build", "OSS")
				w.Header().Set("X-Influxdb-Version", "v2.7.6")
			}
			w.WriteHeader(http.StatusNoContent)
		case !met.Load() && strings.HasSuffix(r.URL.Path, "buildinfo"):
			jsonText(w, `{"status":"success"}`)
		default:
			answer(w, r)
		}
	}))
	defer srv.Close()
	defer srv.CloseClientConnections()
	var log bytes.Buffer
	h := historian(t, Config{
		URL: srv.URL, Token: "user:s3cret-t0ken", Attempts: 2, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond,
		Timeout: 300 * time.Millisecond, Patience: 200 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Rejected: func(_ context.Context, _ []meter.Reading, reason error) error {
			t.Errorf("%s: a reading is given up: %v", engine, reason)
			return nil
		},
	})
	if got, _, err := h.Engine(t.Context()); err != nil || !strings.HasPrefix(string(got), engine) {
		t.Fatalf("engine %s, %v", got, err)
	}
	met.Store(true)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	begin := time.Now()
	var said []string
	say := func(err error) {
		if err != nil {
			said = append(said, err.Error())
		}
	}
	say(h.Write(ctx, sample(20)))
	_, err := h.Count(ctx, base(), base().Add(time.Hour))
	say(err)
	_, err = h.Series(ctx, "M", meter.ActivePower, base(), base().Add(time.Hour), 0)
	say(err)
	_, err = h.Provision(ctx, Plan{})
	say(err)
	_, err = h.State()
	say(err)
	if took := time.Since(begin); ctx.Err() != nil || took > 10*time.Second {
		t.Errorf("%s: it took %s", engine, took)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 64<<20 {
		t.Errorf("%s: %d MiB more in use", engine, grown>>20)
	}
	for _, text := range append(said, log.String()) {
		if strings.Contains(text, "s3cret") || strings.Contains(text, "dXNlcjpzM2NyZXQtdDBrZW4=") {
			t.Errorf("%s: the token is told: %s", engine, text)
		}
	}
	for _, text := range said {
		if len(text) > 8<<10 {
			t.Errorf("%s: an error of %d bytes: %s…", engine, len(text), text[:200])
		}
	}
}

// FuzzAnswers feeds texts of refusals to what looks for clues in them.
func FuzzAnswers(f *testing.F) {
	f.Add(`partial write: field type conflict: input field "active_power" on measurement "meter" is type float, already exists as type integer dropped=3`)
	f.Add(`failure writing points to database: partial write: points beyond retention policy dropped=99999999999999999999`)
	f.Add("unable to parse 'meter,a=b': missing fields\nline 5, line -1, line 99999999999")
	clues := newPatterns()
	lines := []line{{readings: sample(10)}, {readings: sample(20)[10:]}}
	f.Fuzz(func(t *testing.T, said string) {
		c := clues.look(said)
		if c.dropped < 0 || len(c.lines) > maxLineClues {
			t.Errorf("%+v", c)
		}
		suspects, others := c.divide(lines)
		if n := len(suspects) + len(others); n != 0 && n != 20 {
			t.Errorf("of 20 readings %d are left", n)
		}
		resp := &http.Response{StatusCode: 400, Status: "400 Bad Request", Header: http.Header{}, Body: io.NopCloser(strings.NewReader(said))}
		(&guard{token: "s3cret"}).trouble(resp)
		body, err := io.ReadAll(resp.Body)
		var answer map[string]string
		if err != nil || json.Unmarshal(body, &answer) != nil || answer["message"] == "" || answer["code"] == "" {
			t.Errorf("%q became %q", said, body)
		}
		if len(answer["message"]) > maxSaid+10 || strings.Contains(string(body), "s3cret") {
			t.Errorf("%q became %q", said, body)
		}
	})
}

// FuzzExport feeds bytes to the reader of VictoriaMetrics' export.
func FuzzExport(f *testing.F) {
	f.Add([]byte(`{"metric":{"__name__":"meter_active_power","device_id":"d","meter_id":"m"},"values":[1,null,2e300],"timestamps":[1,2,9223372036854775807]}` + "\n{}\n"))
	f.Add([]byte("{\"values\":[1],\"timestamps\":[]}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		last := make(map[string]time.Time)
		_ = eachRow(bytes.NewReader(body), func(r *row, points []Point) error {
			of := r.of()
			key := fmt.Sprint(of.DeviceID, "\x00", of.MeterID, "\x00", r.Metric["__name__"])
			for _, p := range points {
				if before, ok := last[key]; ok && !p.Time.After(before) {
					t.Errorf("%s comes after %s", p.Time, before)
				}
				last[key] = p.Time
			}
			windows(points, time.Minute, of.Quantity.Cumulative())
			return nil
		})
	})
}

// FuzzRows holds what bounds a row of a query's answer against what reads it:
// nothing that is short enough is changed.
func FuzzRows(f *testing.F) {
	f.Add([]byte("#datatype,string\n,\"a\nb\"\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := io.ReadAll(&rowLimit{body: io.NopCloser(bytes.NewReader(body))})
		if len(body) <= maxRow && (err != nil || !bytes.Equal(got, body)) {
			t.Errorf("%d bytes of %d, %v", len(got), len(body), err)
		}
	})
}
