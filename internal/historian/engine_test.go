package historian

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// engine answers writes with the given statuses in turn, the last for good.
func engine(t *testing.T, header http.Header, statuses ...int) (*httptest.Server, *[]string) {
	t.Helper()
	var bodies []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body strings.Builder
		_ = r.Write(&body)
		bodies = append(bodies, body.String())
		status := statuses[min(len(bodies), len(statuses))-1]
		for k, v := range header {
			w.Header()[k] = v
		}
		if status != http.StatusNoContent {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			_, _ = w.Write([]byte(`{"code":"x","message":"said by the engine"}`))
		}
	}))
	t.Cleanup(srv.Close)
	return srv, &bodies
}

func TestAnswersOfTheEngine(t *testing.T) {
	for name, tc := range map[string]struct {
		statuses []int
		requests int
		want     string // of the error, "" for none
	}{
		"taken":                     {[]int{204}, 1, ""},
		"too busy, then taken":      {[]int{429, 503, 204}, 3, ""},
		"broken":                    {[]int{500}, 3, "the readings wait in the stream"},
		"token refused":             {[]int{401}, 3, "check the historian's token"},
		"no such bucket":            {[]int{404}, 3, "create the bucket"},
		"too large, halves are not": {[]int{413, 204}, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			srv, bodies := engine(t, nil, tc.statuses...)
			h := historian(t, Config{URL: srv.URL, Token: "s3cret", MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond})
			err := h.Write(t.Context(), sample(100))
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if len(*bodies) != tc.requests {
				t.Errorf("%d requests, want %d", len(*bodies), tc.requests)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error tells the token: %v", err)
			}
			state, reason := h.State()
			if err != nil && (state != Failing || reason == nil) {
				t.Errorf("after %v the state is %s, %v", err, state, reason)
			}
		})
	}
}

func TestRetryAfterIsHeeded(t *testing.T) {
	srv, _ := engine(t, http.Header{"Retry-After": {"1"}}, 429, 204)
	h := historian(t, Config{URL: srv.URL, MinBackoff: time.Millisecond})
	begin := time.Now()
	if err := h.Write(t.Context(), sample(1)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < time.Second {
		t.Errorf("written again after %s, the engine asked for 1 s", took)
	}
}

func TestEngineThatNeverAnswers(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	defer close(release)
	h := historian(t, Config{URL: srv.URL, Timeout: 50 * time.Millisecond, Attempts: 2, MinBackoff: time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := h.Write(ctx, sample(1)); err == nil || ctx.Err() != nil {
		t.Errorf("error %v, context %v", err, ctx.Err())
	}
}
