package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// superuser of the cluster; it needs no password.
const superuser = "gridwarden"

// Cluster is a PostgreSQL server. Make it with Start and end it with Close.
type Cluster struct {
	bin       string
	dir       string
	port      int
	as        *syscall.Credential // not root, which PostgreSQL refuses
	server    *exec.Cmd
	log       *os.File
	databases atomic.Int64
}

// Start makes a cluster and waits until it answers.
func Start(ctx context.Context) (_ *Cluster, err error) {
	c := &Cluster{}
	if c.bin, err = programs(); err != nil {
		return nil, err
	}
	if c.as, err = unprivileged(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp("", "gridwarden-pg-"); err != nil {
		return nil, fmt.Errorf("folder of PostgreSQL: %w", err)
	}
	if err := c.begin(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) begin(ctx context.Context) error {
	if c.as != nil {
		if err := os.Chown(c.dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return fmt.Errorf("folder of PostgreSQL: %w", err)
		}
	}
	initdb := c.command(ctx, "initdb", "--pgdata", c.data(), "--username", superuser, "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := c.certify(); err != nil {
		return err
	}
	// Whoever a test adds needs a password.
	access := "host all " + superuser + " 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(c.data(), "pg_hba.conf"), []byte(access), 0o600); err != nil {
		return fmt.Errorf("access to PostgreSQL: %w", err)
	}
	var err error
	if c.log, err = os.Create(filepath.Join(c.dir, "log")); err != nil {
		return fmt.Errorf("log of PostgreSQL: %w", err)
	}
	for range 3 { // another process may take the port in between
		if c.port, err = freePort(ctx); err != nil {
			return err
		}
		if err = c.Run(ctx); err == nil {
			return nil
		}
	}
	return err
}

// programs returns the folder of PostgreSQL's programs, the newest version's.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err == nil && len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", errors.New("PostgreSQL is not installed; run: apt-get install postgresql")
	}
	return filepath.Dir(path), nil
}

// unprivileged returns whom to run as where this process is root's.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody; run the tests as another user")
}

func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("free port: %v", l.Addr())
	}
	return addr.Port, nil
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, program), args...) //nolint:gosec // PostgreSQL's own programs
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as, Pdeathsig: syscall.SIGQUIT}
	return cmd
}

// Run starts the server, again where Halt or Kill has ended it, and waits
// until it answers.
func (c *Cluster) Run(ctx context.Context) error {
	args := []string{"-D", c.data(), "-p", strconv.Itoa(c.port)}
	for _, setting := range []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "full_page_writes=off",
		"max_connections=200", "shared_buffers=128MB", "ssl=on", "ssl_cert_file=" + c.CA(), "ssl_key_file=" + c.key(), "max_wal_size=2GB", "log_min_messages=warning",
	} {
		args = append(args, "-c", setting)
	}
	c.server = c.command(context.WithoutCancel(ctx), "postgres", args...)
	c.server.Stdout, c.server.Stderr = c.log, c.log
	if err := c.server.Start(); err != nil {
		c.server = nil
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(ctx, c.URL("postgres")); err == nil {
			_ = conn.Close(ctx)
			return nil
		}
	}
	return errors.Join(fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, c.said()), c.end(syscall.SIGQUIT))
}

// said returns what the server wrote to its log.
func (c *Cluster) said() []byte {
	data, err := os.ReadFile(c.log.Name())
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(data)
}

// Halt ends the server in order; connections are cut.
func (c *Cluster) Halt() error { return c.end(syscall.SIGINT) }

// Kill ends the server at once, as a crash does.
func (c *Cluster) Kill() error { return c.end(syscall.SIGQUIT) }

func (c *Cluster) end(how syscall.Signal) error {
	if c.server == nil {
		return nil
	}
	if err := c.server.Process.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end PostgreSQL: %w", err)
	}
	_ = c.server.Wait() // after SIGQUIT it reports that
	c.server = nil
	return nil
}

// Close ends the server and removes its folder.
func (c *Cluster) Close() error {
	err := c.end(syscall.SIGQUIT)
	if c.log != nil {
		err = errors.Join(err, c.log.Close())
	}
	return errors.Join(err, os.RemoveAll(c.dir))
}

// URL names a database of the cluster.
func (c *Cluster) URL(database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", superuser, c.port, database)
}

// Database makes an empty database and returns its URL.
func (c *Cluster) Database(ctx context.Context) (string, error) {
	name := fmt.Sprintf("test%d", c.databases.Add(1))
	if err := c.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	return c.URL(name), nil
}

// Schema makes an empty schema in the server's own database and returns a URL
// that works in it; that is quicker than a database.
func (c *Cluster) Schema(ctx context.Context) (string, error) {
	name := fmt.Sprintf("test%d", c.databases.Add(1))
	if err := c.Exec(ctx, "CREATE SCHEMA "+name); err != nil {
		return "", err
	}
	return c.URL("postgres") + "&search_path=" + name, nil
}

// Exec runs a statement as the superuser.
func (c *Cluster) Exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
