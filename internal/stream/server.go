package stream

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/crypto/bcrypt"
)

// storeReserve is room for bookkeeping beyond the streams' own limits.
const storeReserve = 1 << 30

const readyInterval = 100 * time.Millisecond

// embedded is the server in this process.
type embedded struct {
	*server.Server
	log *serverLog
	// login is how this process itself connects where others may too.
	login nats.Option
	// recovery is the time from start until all files were read.
	recovery        time.Duration
	messages, bytes uint64 // found in them
}

// serverName is what a hub knows the server of a source by.
func serverName(source string) string { return "gridwarden-" + source }

// startServer starts the embedded server and waits until it has recovered its
// files. It listens on no port unless cfg.Listen says so.
func startServer(ctx context.Context, cfg Config) (*embedded, error) {
	opts := &server.Options{
		ServerName:             serverName(cfg.Source),
		DontListen:             true,
		JetStream:              true,
		JetStreamDomain:        cfg.domain(),
		StoreDir:               cfg.Dir,
		JetStreamMaxStore:      cfg.storeBytes() + storeReserve,
		SyncAlways:             cfg.SyncAlways,
		DisableJetStreamBanner: true,
		NoSigs:                 true,
	}
	login := nats.Option(func(*nats.Options) error { return nil })
	if cfg.Listen != nil {
		var err error
		if login, err = listenOptions(cfg, opts); err != nil {
			return nil, err
		}
	}
	if cfg.Leaf != nil {
		if err := leafOptions(cfg, opts); err != nil {
			return nil, err
		}
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("stream: embedded server in %s: %w", cfg.Dir, err)
	}
	e := &embedded{Server: srv, log: &serverLog{log: cfg.Logger, errors: make(chan struct{}, 1), fatal: make(chan struct{}, 1)}, login: login}
	srv.SetLoggerV2(e.log, false, false, false)
	begin := time.Now()
	started := make(chan struct{})
	go func() {
		defer close(started)
		srv.Start() // where it listens for clients this lasts until the end
	}()
	stop := func() {
		srv.Shutdown()
		srv.WaitForShutdown()
		<-started
	}
	ok, err := e.ready(ctx, begin.Add(startTimeout))
	if err != nil {
		stop()
		return nil, err
	}
	if !ok || !srv.JetStreamEnabled() {
		stop()
		if why := e.log.lastError(); why != "" {
			return nil, fmt.Errorf("stream: the embedded server did not start: %s; check that %s can be written, has free space, and that no other program has its addresses", why, cfg.Dir)
		}
		return nil, fmt.Errorf("stream: the embedded server did not start within %s; check that %s can be written and has free space", startTimeout, cfg.Dir)
	}
	e.recovery = time.Since(begin)
	jsz, err := srv.Jsz(nil)
	if err != nil {
		stop()
		return nil, fmt.Errorf("stream: state of the embedded server: %w", err)
	}
	e.messages, e.bytes = jsz.Messages, jsz.Bytes
	cfg.Logger.Info("stream recovered", "dir", cfg.Dir, "took", e.recovery.Round(time.Millisecond), "messages", e.messages, "bytes", e.bytes)
	return e, nil
}

// ready waits until the server has read its files and listens where it shall.
func (e *embedded) ready(ctx context.Context, deadline time.Time) (bool, error) {
	for time.Now().Before(deadline) {
		select {
		case <-e.log.fatal:
			return false, nil
		case <-ctx.Done():
			return false, fmt.Errorf("stream: start of the embedded server: %w", ctx.Err())
		default:
			if e.ReadyForConnections(readyInterval) {
				return true, nil
			}
		}
	}
	return false, nil
}

// listenOptions has the server take connections, and returns how this process
// itself logs in.
func listenOptions(cfg Config, opts *server.Options) (nats.Option, error) {
	l := cfg.Listen
	conf, err := l.TLS.serverConfig("stream.listen.tls")
	if err != nil {
		return nil, err
	}
	if l.Client != "" {
		opts.DontListen = false
		opts.TLSConfig, opts.TLS, opts.TLSVerify = conf, conf != nil, conf != nil && conf.ClientCAs != nil
		if opts.Host, opts.Port, err = hostPort(l.Client); err != nil {
			return nil, fmt.Errorf("stream: stream.listen.client: %w", err)
		}
	}
	if l.Leaf != "" {
		opts.LeafNode.TLSConfig = conf
		opts.LeafNode.NoAdvertise = true
		// Leaves have nothing to say to each other.
		opts.LeafNode.IsolateLeafnodeInterest = true
		if opts.LeafNode.Host, opts.LeafNode.Port, err = hostPort(l.Leaf); err != nil {
			return nil, fmt.Errorf("stream: stream.listen.leaf: %w", err)
		}
	}
	if l.UsersFile == "" {
		return func(*nats.Options) error { return nil }, nil
	}
	data, err := readSecret("stream.listen.users_file", l.UsersFile)
	if err != nil {
		return nil, err
	}
	accounts, err := parseUsers(l.UsersFile, data)
	if err != nil {
		return nil, fmt.Errorf("stream: stream.listen.users_file: %w", err)
	}
	for _, a := range accounts {
		opts.Users = append(opts.Users, cfg.user(a))
	}
	// A name that no line of the file can have.
	self, password := "gridwarden itself", rand.Text()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		return nil, fmt.Errorf("stream: password of this process: %w", err)
	}
	opts.Users = append(opts.Users, &server.User{
		Username: self, Password: string(hash),
		AllowedConnectionTypes: map[string]struct{}{"IN_PROCESS": {}},
	})
	return nats.UserInfo(self, password), nil
}

// hostPort reads an address to listen at; port 0 is any free one.
func hostPort(at string) (string, int, error) {
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not host:port; write it as 0.0.0.0:7422", at)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("%q has no port from 1 to 65535; write it as 0.0.0.0:7422", at)
	}
	if n == 0 {
		return host, server.RANDOM_PORT, nil
	}
	return host, int(n), nil
}

// serverLog passes what matters of the server's log on, and remembers the
// last trouble for errors and states.
type serverLog struct {
	log    *slog.Logger
	errors chan struct{} // holds something when there was an error since it was read

	fatal chan struct{} // holds something after an error that ends the server

	mu      sync.Mutex
	trouble string // the last error
	leaf    string // the last error of a connection to or from a leaf node
}

func (l *serverLog) lastError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble
}

// lastLeafError is the last error that speaks of leaf nodes.
func (l *serverLog) lastLeafError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leaf
}

func (l *serverLog) keep(message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trouble = message
	if strings.Contains(strings.ToLower(message), "leafnode") || strings.Contains(message, "lid:") {
		l.leaf = message
	}
}

// Noticef logs what the server does in its course.
func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats: " + fmt.Sprintf(format, v...))
}

// Warnf logs a warning. That a leaf cannot be asked is no news: Stream.Links
// knows it.
func (l *serverLog) Warnf(format string, v ...any) {
	message := "nats: " + fmt.Sprintf(format, v...)
	if strings.Contains(message, "create source consumer") {
		l.log.Debug(message)
		return
	}
	l.log.Warn(message)
}

// Errorf logs and keeps an error.
func (l *serverLog) Errorf(format string, v ...any) {
	message := fmt.Sprintf(format, v...)
	l.keep(message)
	l.log.Error("nats: " + message)
	select {
	case l.errors <- struct{}{}:
	default:
	}
}

// Fatalf logs and keeps an error that ends the server.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.Errorf(format, v...)
	select {
	case l.fatal <- struct{}{}:
	default:
	}
}

// Debugf logs nothing.
func (l *serverLog) Debugf(string, ...any) {}

// Tracef logs nothing: messages are nobody's business here.
func (l *serverLog) Tracef(string, ...any) {}
