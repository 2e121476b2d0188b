package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// holdFolder makes this binary take a data folder and wait, as a program of
// another process.
const holdFolder = "GRIDWARDEN_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdFolder); dir != "" {
		if _, err := Listen(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
		time.Sleep(time.Minute)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

type service struct {
	devices []Device
	reload  func() (*Reload, error)
}

func (s *service) Devices() []Device { return s.devices }

func (s *service) Device(id string) (*Detail, bool) {
	for _, d := range s.devices {
		if d.ID == id {
			return &Detail{Device: d, Values: []Value{{Quantity: "active_power", Quality: "bad", Flags: []string{"comm_failure"}}}}, true
		}
	}
	return nil, false
}

func (s *service) Reload(_ context.Context, by string) (*Reload, error) {
	if by != "command" {
		return nil, fmt.Errorf("asked by %q", by)
	}
	return s.reload()
}

// serve runs a socket in dir until the test ends.
func serve(t *testing.T, dir string, s Service) {
	t.Helper()
	socket, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- socket.Serve(ctx, s) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, socket.Close()); err != nil {
			t.Error(err)
		}
		left, err := os.ReadDir(dir)
		if err != nil {
			t.Error(err)
		}
		for _, entry := range left {
			if entry.Name() != lockName {
				t.Errorf("%s is left behind", entry.Name())
			}
		}
	})
}

// TestAnswers asks for everything that there is to ask, also where the folder's
// path is longer than a socket's address may be, and by an id of odd letters.
func TestAnswers(t *testing.T) {
	for name, dir := range map[string]string{"short": t.TempDir(), "long": filepath.Join(t.TempDir(), strings.Repeat("n", 120))} {
		t.Run(name, func(t *testing.T) {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			const odd = `a/b %2F"é`
			s := &service{devices: []Device{
				{ID: "A", State: "ok", Since: time.Unix(1000, 0).UTC(), RoundTripMS: new(1.5), ClockOffsetS: new(-2.)}, {ID: odd, State: "silent"},
			}}
			serve(t, dir, s)
			info, err := os.Stat(filepath.Join(dir, socketName))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("%v, %v; want a socket for its owner alone", info.Mode(), err)
			}
			client := NewClient(dir)
			list, err := client.Devices(t.Context())
			if err != nil || !reflect.DeepEqual(list, s.devices) {
				t.Fatalf("%+v, %v", list, err)
			}
			d, err := client.Device(t.Context(), odd)
			if err != nil || d.ID != odd || len(d.Values) != 1 || d.Values[0].Value != nil {
				t.Fatalf("%+v, %v", d, err)
			}
			if _, err := client.Device(t.Context(), "B"); !errors.Is(err, ErrNoDevice) || !strings.Contains(err.Error(), `no device "B"`) {
				t.Fatalf("got %v", err)
			}
			want := Reload{File: "g.yaml", Refused: true, Problems: []string{"g.yaml:3:5: wrong; right"}}
			s.reload = func() (*Reload, error) { return &want, nil }
			if got, err := client.Reload(t.Context()); err != nil || !reflect.DeepEqual(*got, want) {
				t.Fatalf("%+v, %v", got, err)
			}
			s.reload = func() (*Reload, error) { return nil, errors.New("there is no file") }
			if _, err := client.Reload(t.Context()); err == nil || err.Error() != "there is no file" {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// TestOnlyWhatIsServedIsAnswered looks for other ways in.
func TestOnlyWhatIsServedIsAnswered(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir, &service{reload: func() (*Reload, error) { t.Error("reloaded"); return nil, errors.New("") }})
	client := NewClient(dir)
	for _, c := range []struct {
		method, path string
		status       int
	}{{"GET", "/reload", 405}, {"POST", "/devices", 405}, {"DELETE", "/devices/A", 405}, {"GET", "/", 404}, {"GET", "/devices/../reload", 404}} {
		status, err := client.ask(t.Context(), c.method, c.path, nil)
		if status != c.status && !(c.status == 404 && status == 405) || err == nil {
			t.Errorf("%s %s: %d, %v", c.method, c.path, status, err)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://g/"+strings.Repeat("x", 1<<15), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long request: %s, %v", response.Status, err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	dir := t.TempDir()
	if _, err := NewClient(dir).Devices(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no socket: %v", err)
	}
	if _, err := NewClient(filepath.Join(dir, strings.Repeat("n", 120))).Devices(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no folder: %v", err)
	}
	stale(t, dir)
	if _, err := NewClient(dir).Devices(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stale socket: %v", err)
	}
}

// stale leaves a socket as a process that was killed does.
func stale(t *testing.T, dir string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, socketName), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	dir := t.TempDir()
	stale(t, dir)
	serve(t, dir, &service{})
	if _, err := NewClient(dir).Devices(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoSocketIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, socketName)
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(dir); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Fatalf("got %v", err)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "mine" {
		t.Errorf("%q, %v", data, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	serve(t, dir, &service{}) // the failed try has given the folder back
}

// TestALiveProcessIsNamed starts another process that has the folder, and
// kills it, which frees the folder.
func TestALiveProcessIsNamed(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.CommandContext(t.Context(), self)
	other.Env = append(os.Environ(), holdFolder+"="+dir)
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 4)
	if _, err := out.Read(said); err != nil || string(said) != "held" {
		t.Fatalf("%q, %v", said, err)
	}
	var running *RunningError
	if _, err := Listen(dir); !errors.As(err, &running) || running.PID != strconv.Itoa(other.Process.Pid) || !strings.Contains(err.Error(), "(process "+running.PID+")") {
		t.Errorf("got %v, want process %d named", err, other.Process.Pid)
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // it was killed
	serve(t, dir, &service{})
}

// FuzzAnswer lets a client read what no program says.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"id":"A","values":[{"value":null}]}`))
	f.Add([]byte(`{"error":"no"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d Detail
		if json.Unmarshal(data, &d) != nil {
			return
		}
		if _, err := json.Marshal(d); err != nil {
			t.Fatalf("%+v was read but cannot be written: %v", d, err)
		}
	})
}
