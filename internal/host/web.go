package host

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/internal/console"
)

// drainTime is how long open requests may go on after the end was asked for.
const drainTime = 2 * time.Second

// web is the HTTP side: console, metrics and health on one listener.
type web struct {
	listener net.Listener
	server   *http.Server
	scheme   string
}

func (h *Host) openWeb(context.Context) error {
	handler, err := console.New(h.consoleConfig())
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.metrics, promhttp.HandlerOpts{Registry: h.metrics}))
	mux.Handle("/", handler)

	listener, err := net.Listen("tcp", h.cfg.Console.Listen)
	if err != nil {
		return fmt.Errorf("console: %w; free the address or choose another one with console.listen (the demo: --listen)", err)
	}
	h.web = &web{listener: listener, scheme: "http", server: &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    1 << 16,
		ErrorLog:          slog.NewLogLogger(h.log.Handler(), slog.LevelWarn),
	}}
	if h.cfg.Console.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(h.cfg.Console.TLSCert, h.cfg.Console.TLSKey)
		if err != nil {
			return errors.Join(fmt.Errorf("console.tls_cert: %w", err), listener.Close())
		}
		h.web.scheme = "https"
		h.web.listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	}
	return nil
}

// Address is where the console answers.
func (h *Host) Address() string {
	return h.web.scheme + "://" + h.web.listener.Addr().String()
}

// serve answers until ctx ends, then lets open requests finish.
func (w *web) serve(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := w.server.Serve(w.listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("console: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if err := w.server.Shutdown(drain); err != nil {
			_ = w.server.Close() // pages that listen for events never end by themselves
		}
		return nil
	})
	return g.Wait() //nolint:wrapcheck // wrapped above
}

func (w *web) close() error {
	if err := w.server.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := w.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}
