package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// BackupService is a Service whose stream's files are its own, so that others
// get at them through it alone.
type BackupService interface {
	// SnapshotStream writes a snapshot of one topic, ErrNoTopic where there is
	// none.
	SnapshotStream(ctx context.Context, topic string, w io.Writer) error
}

// ErrNoTopic is said of a topic that the program does not have.
var ErrNoTopic = errors.New("no such topic")

// The trailer says that all of a snapshot was sent; a connection that breaks
// has none.
const (
	outcomeTrailer = "Gridwarden-Outcome"
	outcomeWhole   = "whole"
	silence        = 2 * time.Minute // for which either side waits
)

func serveBackup(mux *http.ServeMux, service BackupService) {
	mux.HandleFunc("GET /backup/stream/{topic}", func(w http.ResponseWriter, r *http.Request) {
		out := &patientWriter{w: w, control: http.NewResponseController(w)}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Trailer", outcomeTrailer)
		err := service.SnapshotStream(r.Context(), r.PathValue("topic"), out)
		switch {
		case err == nil:
			w.Header().Set(outcomeTrailer, outcomeWhole)
		case out.written:
			w.Header().Set(outcomeTrailer, strconv.Quote(err.Error()))
		case errors.Is(err, ErrNoTopic):
			w.Header().Del("Trailer")
			answer(w, http.StatusNotFound, problem{err.Error()})
		default:
			w.Header().Del("Trailer")
			answer(w, http.StatusConflict, problem{err.Error()})
		}
	})
}

// patientWriter gives the reader as long as it goes on reading.
type patientWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	written bool
}

// Write implements io.Writer.
func (p *patientWriter) Write(data []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(silence)); err != nil {
		return 0, fmt.Errorf("control socket: %w", err)
	}
	p.written = true
	return p.w.Write(data) //nolint:wrapcheck // the service adds of what
}

// SnapshotStream implements BackupService over the socket.
func (c *Client) SnapshotStream(ctx context.Context, topic string, w io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://gridwarden/backup/stream/"+url.PathEscape(topic), http.NoBody)
	if err != nil {
		return fmt.Errorf("ask the running program: %w", err)
	}
	patient := &http.Client{Transport: c.http.Transport} // ctx bounds it
	response, err := patient.Do(request)
	if err != nil {
		return c.unreached(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return c.refusal(response)
	}
	if _, err := io.Copy(w, response.Body); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("the running program ended meanwhile (%w)", err)
		}
		return err
	}
	if outcome := response.Trailer.Get(outcomeTrailer); outcome != outcomeWhole {
		return fmt.Errorf("the running program gave up: %s", outcome)
	}
	return nil
}

func (c *Client) refusal(response *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return c.unreached(err)
	}
	p, err := problemOf(text)
	switch {
	case err != nil:
		return fmt.Errorf("the program at %s does not know backups (%s); it may be of another version: restart it", c.path, response.Status)
	case response.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%w: %s", ErrNoTopic, p)
	}
	return errors.New(p)
}

// Running reports whether a program answers for the data folder; an error says
// that one does and may not be asked.
func (c *Client) Running(ctx context.Context) (bool, error) {
	conn, err := c.dial(ctx, "", "")
	if err == nil {
		return true, conn.Close() //nolint:wrapcheck // nothing was sent
	}
	if err = c.unreached(err); errors.Is(err, ErrNotRunning) {
		return false, nil
	}
	return true, err
}

func problemOf(text []byte) (string, error) {
	var p problem
	if err := json.Unmarshal(text, &p); err != nil {
		return "", fmt.Errorf("answer: %w", err)
	}
	return p.Error, nil
}
