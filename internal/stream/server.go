package stream

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startServer starts the embedded server and waits until it has recovered its
// files. It listens on no port.
func startServer(ctx context.Context, cfg Config) (*server.Server, error) {
	srv, err := server.NewServer(&server.Options{
		ServerName:             "gridwarden",
		DontListen:             true,
		JetStream:              true,
		StoreDir:               cfg.Dir,
		JetStreamMaxStore:      cfg.MaxBytes + deadMaxBytes + 1<<30,
		SyncAlways:             cfg.SyncAlways,
		DisableJetStreamBanner: true,
		NoSigs:                 true,
	})
	if err != nil {
		return nil, fmt.Errorf("stream: embedded server in %s: %w", cfg.Dir, err)
	}
	srv.SetLoggerV2(serverLog{cfg.Logger}, false, false, false)
	begin := time.Now()
	started := make(chan struct{})
	go func() {
		defer close(started)
		srv.Start()
	}()
	stop := func() {
		srv.Shutdown()
		<-started
		srv.WaitForShutdown()
	}
	select {
	case <-started:
	case <-ctx.Done():
		stop()
		return nil, fmt.Errorf("stream: start of the embedded server: %w", ctx.Err())
	case <-time.After(startTimeout):
		stop()
		return nil, fmt.Errorf("stream: the embedded server did not start within %s; look for its messages in the log", startTimeout)
	}
	if !srv.ReadyForConnections(startTimeout) || !srv.JetStreamEnabled() {
		stop()
		return nil, fmt.Errorf("stream: the embedded server runs without JetStream; check that %s can be written and has free space", cfg.Dir)
	}
	cfg.Logger.Info("stream ready", "dir", cfg.Dir, "recovery", time.Since(begin).Round(time.Millisecond))
	return srv, nil
}

// serverLog passes what matters of the server's log on.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats: " + fmt.Sprintf(format, v...))
}
func (l serverLog) Warnf(format string, v ...any)  { l.log.Warn("nats: " + fmt.Sprintf(format, v...)) }
func (l serverLog) Errorf(format string, v ...any) { l.log.Error("nats: " + fmt.Sprintf(format, v...)) }
func (l serverLog) Fatalf(format string, v ...any) { l.log.Error("nats: " + fmt.Sprintf(format, v...)) }
func (l serverLog) Debugf(string, ...any)          {}
func (l serverLog) Tracef(string, ...any)          {}
