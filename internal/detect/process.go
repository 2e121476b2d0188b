package detect

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// maxReplyBytes bounds one message from a plugin.
const maxReplyBytes = 8 << 20

// sendBufferBytes is how much is gathered before it is sent: a window is large.
const sendBufferBytes = 256 << 10

// stopGrace is how long a process may take to end by itself.
const stopGrace = 3 * time.Second

// process is one running plugin process.
type process struct {
	client  *plugin.Client
	launch  LaunchConfig
	cmd     *exec.Cmd
	service detectorv1.DetectorServiceClient
	sum     string // of all that runs: of the executable, where it is all
	sockets string // folder of its socket
	pid     int
	words   *lastWords
	keeper  sync.WaitGroup
	gone    chan struct{} // closed to let the keeper go

	ended   atomic.Bool
	busy    atomic.Int32           // starting, or sessions that go on
	verdict atomic.Pointer[string] // why it was killed, where it passed a limit

	sessions int  // guarded by program.mu
	doomed   bool // guarded by program.mu
	stopped  sync.Once

	mu         sync.Mutex // one Configure at a time
	configured map[string]bool
}

// startProcess checks the program's checksum and starts it.
func startProcess(ctx context.Context, launch LaunchConfig, command Command, pinned string) (*process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sum, err := fileSum(command.Path)
	if err != nil {
		return nil, fmt.Errorf("the program cannot be read; correct its path: %w", err)
	}
	var pin *plugin.SecureConfig
	if pinned != "" {
		if pin, err = secure(command.Path, pinned, sum); err != nil {
			return nil, err
		}
	}
	if command.Check != nil {
		if err := command.Check(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrChecksum, err)
		}
	}
	if pinned == "" && launch.Keep != nil {
		if err := launch.Keep(ctx, command.Path); err != nil {
			launch.Logger.Warn("the program is not kept, so that replay can only name it", "path", command.Path, "sha256", sum, "error", err)
		}
	}
	cmd := exec.Command(command.Path, command.Args...)
	cmd.Args[0], cmd.Dir = cmp.Or(command.Name, command.Path), command.Dir
	sockets, err := os.MkdirTemp("", "gridwarden-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for its socket: %w", err)
	}
	cmd.Env = append(environment(), command.Env...)
	limits := launch.Limits
	if pinned == "" {
		limits = builtInLimits()
	}
	mark := plugin.EnvUnixSocketDir + "=" + sockets // of this process alone
	cmd.Env = append(cmd.Env, limits.hints()...)
	cmd.Env = append(cmd.Env, familyEnv+"="+launch.family, mark)
	contain(cmd)
	config := &plugin.ClientConfig{
		HandshakeConfig: sdk.Handshake(), Plugins: sdk.HostPlugins(), Cmd: cmd, AutoMTLS: true, SkipHostEnv: true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, StartTimeout: launch.StartTimeout,
		Logger: pluginLogger(launch.Logger), SecureConfig: pin,
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReplyBytes)),
			grpc.WithWriteBufferSize(sendBufferBytes),
		},
	}
	c := &process{launch: launch, cmd: cmd, sum: cmp.Or(command.Sum, sum), sockets: sockets, words: &lastWords{}, gone: make(chan struct{}), configured: make(map[string]bool)}
	config.Stderr = c.words
	c.client = plugin.NewClient(config)
	c.busy.Add(1)
	defer c.busy.Add(-1)
	launch.watcher.add(c, limits, mark)
	if err := c.start(); err != nil {
		c.stop()
		if why := c.verdict.Load(); why != nil {
			err = fmt.Errorf("%w: %s", errOverLimit, *why)
		}
		return nil, c.lastly(fmt.Errorf("it does not start: %w", err))
	}
	c.pid = cmd.Process.Pid
	launch.ward.tell(c.pid)
	return c, nil
}

// plainly shortens go-plugin's page of advice on a program that is no plugin.
func plainly(err error) error {
	if message, advice, _ := strings.Cut(err.Error(), "\n"); advice != "" {
		return fmt.Errorf("it ended before it said how to reach it, or is no detector (%s)", strings.TrimSpace(message))
	}
	return err
}

// start brings the process up from a thread of its own, which stays until the
// process has ended: where the system can, it kills a plugin when the thread
// that started it dies, and so with its host.
func (c *process) start() error {
	started := make(chan error, 1)
	c.keeper.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- c.connect()
		<-c.gone
	})
	return <-started
}

func (c *process) connect() error {
	client, err := c.client.Client()
	if err != nil {
		return plainly(err)
	}
	dispensed, err := client.Dispense(sdk.PluginName)
	if err != nil {
		return fmt.Errorf("dispensing its detectors: %w", err)
	}
	service, ok := dispensed.(detectorv1.DetectorServiceClient)
	if !ok {
		return errors.New("it dispenses something else than detectors")
	}
	c.service = service
	return nil
}

// stop ends the process, by force where it does not go by itself, and waits
// until it is gone.
func (c *process) stop() {
	c.stopped.Do(func() {
		c.ended.Store(true)
		end := c.launch.watcher.remove(c)
		// Whoever holds the process's output keeps Kill waiting: its children too.
		force := time.AfterFunc(stopGrace, func() {
			killTree(c.cmd)
			end()
		})
		defer force.Stop()
		c.client.Kill()
		killTree(c.cmd)
		end()
		if c.pid > 0 {
			c.launch.ward.tell(-c.pid)
		}
		close(c.gone)
		c.keeper.Wait()
		_ = os.RemoveAll(c.sockets)
	})
}

// kill ends the process at once; stop must still be called.
func (c *process) kill() { killTree(c.cmd) }

func (c *process) exited() bool { return c.client.Exited() }

// explain turns a failed call into words: whether the process is still there,
// and what it said last.
func (c *process) explain(err error) error {
	if why := c.verdict.Load(); why != nil {
		return c.lastly(fmt.Errorf("%w: %s", errOverLimit, *why))
	}
	if s, ok := status.FromError(err); ok {
		switch s.Code() {
		case codes.Unavailable, codes.Canceled, codes.Internal:
			for range 40 { // the end of the process shows a little later than that of its connection
				if c.exited() {
					if why := c.verdict.Load(); why != nil {
						return c.lastly(fmt.Errorf("%w: %s", errOverLimit, *why))
					}
					return c.lastly(fmt.Errorf("%w (%s): %s", errPluginGone, c.cmd.ProcessState, s.Message()))
				}
				time.Sleep(25 * time.Millisecond)
			}
		}
		return c.lastly(errors.New(s.Message()))
	}
	return err
}

// errOverLimit says that the process was killed since it passed a limit.
var errOverLimit = errors.New("over its limit")

// errPluginGone says that the process ended while it was needed.
var errPluginGone = errors.New("its process ended")

func (c *process) lastly(err error) error {
	if words := c.words.String(); words != "" {
		return fmt.Errorf("%w; its last words: %s", err, words)
	}
	return err
}

// secure pins a program to its checksum; go-plugin checks it once more right
// before it starts the program.
func secure(path, pinned, found string) (*plugin.SecureConfig, error) {
	want, err := hex.DecodeString(pinned)
	if err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("checksum %q is not a SHA-256; write its 64 hexadecimal digits (sha256sum %s)", pinned, path)
	}
	if found != pinned {
		return nil, fmt.Errorf("%w: %s has the SHA-256 %s, pinned is %s; if the new program is meant, pin its checksum, otherwise put the old one back", ErrChecksum, path, found, pinned)
	}
	return &plugin.SecureConfig{Checksum: want, Hash: sha256.New()}, nil
}

// ErrChecksum says that a plugin's program is not the one that was pinned.
var ErrChecksum = errors.New("wrong checksum")

// environment is what a plugin is given of the host's environment: nothing
// that could hold a secret.
func environment() []string {
	out := []string{fmt.Sprintf("%s=%d", sdk.HostPIDEnv, os.Getpid())}
	for _, name := range []string{"PATH", "TMPDIR", "LANG", "LC_ALL", "TZ", "GOMAXPROCS", "GOMEMLIMIT", "GOCOVERDIR", "SystemRoot"} {
		if v, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+v)
		}
	}
	return out
}

// lastWords keeps the end of what a process writes to stderr.
type lastWords struct {
	mu   sync.Mutex
	head []byte
	tail []byte
}

const wordsKept = 600

// Write implements io.Writer.
func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p...)
	if at := strings.Index(string(l.tail), "panic: "); at >= 0 && len(l.head) == 0 {
		l.head = append(l.head, l.tail[at:]...)
	} else if len(l.head) > 0 && len(l.head) < wordsKept {
		l.head = append(l.head, p...)
	}
	if over := len(l.tail) - wordsKept; over > 0 {
		l.tail = l.tail[over:]
	}
	return len(p), nil
}

// String returns the beginning of a panic, else the last words, on one line.
func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	words := l.tail
	if len(l.head) > 0 {
		words = l.head[:min(len(l.head), wordsKept)]
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(string(words), "?")), " ")
}
