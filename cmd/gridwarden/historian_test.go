package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const historianToken = "s3cret-t0ken-of-the-test"

// influx2 is a server with as much of InfluxDB 2's API as `historian init` and
// `historian status` use; internal/historian tests against more of it.
func influx2(t *testing.T) *httptest.Server {
	t.Helper()
	var mu sync.Mutex
	made := map[string][]map[string]any{"buckets": {}, "tasks": {}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Influxdb-Build", "OSS")
		w.Header().Set("X-Influxdb-Version", "v2.7.6")
		w.WriteHeader(http.StatusNoContent)
	})
	answer := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /api/v2/orgs", func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, map[string]any{"orgs": []any{map[string]any{"id": "0123456789abcdef", "name": r.URL.Query().Get("org")}}})
	})
	for kind := range made {
		mux.HandleFunc("GET /api/v2/"+kind, func(w http.ResponseWriter, r *http.Request) {
			q, list := r.URL.Query(), made[kind]
			if q.Get("after") != "" || q.Get("offset") != "" && q.Get("offset") != "0" {
				list = nil
			}
			answer(w, 200, map[string]any{kind: append([]map[string]any{}, list...)})
		})
		mux.HandleFunc("POST /api/v2/"+kind, func(w http.ResponseWriter, r *http.Request) {
			one := make(map[string]any)
			_ = json.NewDecoder(r.Body).Decode(&one)
			one["id"] = fmt.Sprint(kind, len(made[kind]))
			if flux, ok := one["flux"].(string); ok {
				_, rest, _ := strings.Cut(flux, `{name: "`)
				one["name"], _, _ = strings.Cut(rest, `"`)
			}
			made[kind] = append(made[kind], one)
			answer(w, 201, one)
		})
	}
	mux.HandleFunc("POST /api/v2/query", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "\r\n") })
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path != "/ping" && r.Header.Get("Authorization") != "Token "+historianToken {
			answer(w, 401, map[string]any{"code": "unauthorized", "message": "unauthorized access with " + r.Header.Get("Authorization")})
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// historianFile writes a configuration whose token is in a file.
func historianFile(t *testing.T, url, token string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "gridwarden.yaml")
	for name, text := range map[string]string{
		"token":           token + "\n",
		"gridwarden.yaml": "historian:\n  url: " + url + "\n  token_file: token\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func historianCommand(t *testing.T, wantExit int, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	exit := run(append([]string{"historian"}, args...), &stdout, &stderr)
	if exit != wantExit {
		t.Errorf("%v: exit %d, want %d: %s", args, exit, wantExit, stderr.String())
	}
	if out := stdout.String() + stderr.String(); strings.Contains(out, "s3cret") {
		t.Errorf("%v tells the token: %s", args, out)
	}
	return stdout.String() + stderr.String()
}

func TestHistorianInit(t *testing.T) {
	srv := influx2(t)
	file := historianFile(t, srv.URL, historianToken)
	if got := historianCommand(t, 0, "init", "-c", file); strings.Count(got, "created") != 4 || !strings.Contains(got, "InfluxDB 2 2.7.6") || !strings.Contains(got, "kept for 400d") {
		t.Errorf("first: %s", got)
	}
	if got := historianCommand(t, 0, "init", "-c", file); strings.Count(got, "unchanged") != 4 || !strings.Contains(got, "Nothing to change.") {
		t.Errorf("again: %s", got)
	}
	var p struct {
		Settings []struct{ Outcome string }
	}
	if got := historianCommand(t, 0, "init", "-c", file, "--json"); json.Unmarshal([]byte(got), &p) != nil || len(p.Settings) != 4 {
		t.Errorf("as JSON: %s", got)
	}
	if got := historianCommand(t, 1, "init", "-c", file, "--retention", "30d"); !strings.Contains(got, "allow it with --shorten") {
		t.Errorf("shorter: %s", got)
	}
	for _, span := range []string{"400", "d", "-1d", "400 d", "1y", "99999999999d", "7m"} {
		historianCommand(t, exitUsage, "init", "-c", file, "--window", span)
	}
	if got := historianCommand(t, 0, "status", "-c", file); !strings.Contains(got, "works") || !strings.Contains(got, "task gridwarden telemetry 15m nightly") {
		t.Errorf("status: %s", got)
	}
	if got := historianCommand(t, 1, "init", "-c", historianFile(t, srv.URL, "an0ther-s3cret")); !strings.Contains(got, "the token must be able to") {
		t.Errorf("with a wrong token: %s", got)
	}
	if got := historianCommand(t, 1, "status", "-c", historianFile(t, srv.URL, "an0ther-s3cret"), "--json"); !strings.Contains(got, `"state": "failing"`) {
		t.Errorf("status with a wrong token: %s", got)
	}
	if got := historianCommand(t, 1, "init", "-c", historianFile(t, "http://127.0.0.1:1", historianToken)); !strings.Contains(got, "check that the engine runs") {
		t.Errorf("with nothing there: %s", got)
	}
	if got := historianCommand(t, exitUsage, "status", "-c", historianFile(t, "''", historianToken)); !strings.Contains(got, "names no historian") {
		t.Errorf("without an address: %s", got)
	}
	if got := historianCommand(t, exitUsage, "status", "-c", historianFile(t, srv.URL, "")); !strings.Contains(got, "holds no token") {
		t.Errorf("with an empty file: %s", got)
	}
}

func TestHistorianInitByHand(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ping" {
			t.Errorf("%s %s is asked for", r.Method, r.URL)
		}
		w.Header().Set("X-Influxdb-Build", "OSS")
		w.Header().Set("X-Influxdb-Version", "1.8.10")
		w.WriteHeader(http.StatusNoContent)
	}))
	defer srv.Close()
	got := historianCommand(t, 0, "init", "-c", historianFile(t, srv.URL, historianToken), "--retention", "500d", "--window", "30m")
	for _, want := range []string{
		"InfluxDB 1 1.8.10", "nothing was changed. By hand:", `    ALTER RETENTION POLICY "autogen" ON "telemetry" DURATION 500d DEFAULT`,
		`CREATE CONTINUOUS QUERY "gridwarden_mean_30m" ON "telemetry"`, "GROUP BY time(30m), * END",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
}
