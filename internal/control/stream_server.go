package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// MaxLetters is how many dead letters are listed at once.
const MaxLetters = 1000

// serveStream adds what a program with a stream answers.
func serveStream(mux *http.ServeMux, service StreamService) {
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, r *http.Request) {
		topics, err := service.Topics(r.Context())
		answerOr(w, topics, err)
	})
	mux.HandleFunc("GET /stream/deployment", func(w http.ResponseWriter, r *http.Request) {
		deployment, err := service.Deployment(r.Context())
		answerOr(w, deployment, err)
	})
	mux.HandleFunc("GET /stream/dead", func(w http.ResponseWriter, r *http.Request) {
		after, limit, err := page(r.URL.Query().Get("after"), r.URL.Query().Get("limit"))
		if err != nil {
			answer(w, http.StatusBadRequest, problem{err.Error()})
			return
		}
		letters, err := service.DeadLetters(r.Context(), after, limit)
		answerOr(w, letters, err)
	})
	withLetter := func(pattern string, do func(ctx context.Context, seq uint64) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 64)
			if err != nil {
				answer(w, http.StatusBadRequest, problem{fmt.Sprintf("%q is not the number of a dead letter; give a whole number", r.PathValue("seq"))})
				return
			}
			result, err := do(r.Context(), seq)
			answerOr(w, result, err)
		})
	}
	done := struct{}{}
	withLetter("GET /stream/dead/{seq}", func(ctx context.Context, seq uint64) (any, error) { return service.DeadLetter(ctx, seq) })
	withLetter("POST /stream/dead/{seq}/replay", func(ctx context.Context, seq uint64) (any, error) { return done, service.ReplayDead(ctx, seq) })
	withLetter("DELETE /stream/dead/{seq}", func(ctx context.Context, seq uint64) (any, error) { return done, service.DiscardDead(ctx, seq) })
}

// page reads which letters are asked for.
func page(after, limit string) (uint64, int, error) {
	from, err := strconv.ParseUint(after, 10, 64)
	if after != "" && err != nil {
		return 0, 0, fmt.Errorf("after %q: give a whole number", after)
	}
	n, err := strconv.Atoi(limit)
	if limit != "" && (err != nil || n < 1) {
		return 0, 0, fmt.Errorf("limit %q: give a whole number from 1 on", limit)
	}
	if limit == "" || n > MaxLetters {
		n = MaxLetters
	}
	return from, n, nil
}

func answerOr(w http.ResponseWriter, body any, err error) {
	switch {
	case errors.Is(err, ErrNoLetter):
		answer(w, http.StatusNotFound, problem{err.Error()})
	case err != nil:
		answer(w, http.StatusConflict, problem{err.Error()})
	default:
		answer(w, http.StatusOK, body)
	}
}
