package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Service is what a running program answers with. One that has a stream is a
// StreamService too, one that can be in a cluster a ClusterService.
type Service interface {
	// Devices returns every device in the order of the configuration.
	Devices() []Device
	// Device returns one device; ok is false where there is none of that id.
	Device(id string) (detail *Detail, ok bool)
	// Reload reads the configured devices again. The error says why that could
	// not even be tried.
	Reload(ctx context.Context, by string) (*Reload, error)
}

// drainTime is how long answers under way may go on after the end.
const drainTime = 2 * time.Second

// problem is the body of an answer that is an error.
type problem struct {
	Error string `json:"error"`
}

// Serve answers until ctx ends.
func (s *Socket) Serve(ctx context.Context, service Service) error {
	server := &http.Server{
		Handler: handler(service), ReadTimeout: 10 * time.Second, WriteTimeout: 2 * time.Minute, IdleTimeout: 10 * time.Second,
		MaxHeaderBytes: 1 << 14,
	}
	ended := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-ctx.Done():
		case <-ended:
		}
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if err := server.Shutdown(drain); err != nil {
			_ = server.Close()
		}
	}()
	err := server.Serve(s.listener)
	close(ended)
	<-stopped
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

func handler(service Service) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /devices", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, service.Devices())
	})
	mux.HandleFunc("GET /devices/{id}", func(w http.ResponseWriter, r *http.Request) {
		detail, ok := service.Device(r.PathValue("id"))
		if !ok {
			answer(w, http.StatusNotFound, problem{fmt.Sprintf("no device %q; `gridwarden devices list` names them", r.PathValue("id"))})
			return
		}
		answer(w, http.StatusOK, detail)
	})
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		result, err := service.Reload(r.Context(), "command")
		switch {
		case err != nil:
			answer(w, http.StatusConflict, problem{err.Error()})
		case result.Refused:
			answer(w, http.StatusUnprocessableEntity, result)
		default:
			answer(w, http.StatusOK, result)
		}
	})
	if stream, ok := service.(StreamService); ok {
		serveStream(mux, stream)
	}
	if cluster, ok := service.(ClusterService); ok {
		serveCluster(mux, cluster)
	}
	if plugins, ok := service.(PluginService); ok {
		servePlugins(mux, plugins)
	}
	if backup, ok := service.(BackupService); ok {
		serveBackup(mux, backup)
	}
	return mux
}

func answer(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		status = http.StatusInternalServerError
		data, _ = json.Marshal(problem{err.Error()}) // a string always can be
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // the reader may have left
}
