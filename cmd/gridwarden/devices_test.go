package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/control"
)

// fleet answers for a program that runs.
type fleet struct {
	devices []control.Device
	detail  control.Detail
	reload  control.Reload
}

func (f *fleet) Devices() []control.Device { return f.devices }

func (f *fleet) Device(id string) (*control.Detail, bool) { return &f.detail, id == f.detail.ID }

func (f *fleet) Reload(context.Context, string) (*control.Reload, error) { return &f.reload, nil }

// runningFleet serves a fleet in a folder with a configuration, and returns that.
func runningFleet(t *testing.T, f *fleet) (file string) { return runningService(t, f) }

func runningService(t *testing.T, s control.Service) (file string) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "g.yaml")
	if err := os.WriteFile(file, []byte("data_dir: .\nsite: {time_zone: Asia/Shanghai}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := control.Listen(dir)
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
	})
	return file
}

func testFleet() *fleet {
	at := time.Date(2025, 11, 24, 4, 0, 0, 0, time.UTC)
	ok := control.Device{ID: "A", MeterID: "M-1", Driver: "modbus", Address: "modbus://h:502/1", Profile: "p", Mode: "poll", IntervalS: 0.2, State: "ok", Since: at,
		LastOK: at, Reads: 100, Missed: 2, RoundTripMS: new(1.25), RoundTripP50MS: new(1.), RoundTripP99MS: new(12_000.), Connections: 2, Parallel: 4, ClockOffsetS: new(-125.), LastError: "device A: once; mended", LastErrorAt: at}
	silent := control.Device{ID: "B", Driver: "opcua", Profile: "q", Mode: "subscribe", IntervalS: 900, State: "silent", Since: at, NextProbe: time.Now().Add(time.Hour),
		LastError: "device B: nobody answers there; look at the " + strings.Repeat("long ", 20) + "cable\nsecond line", LastErrorAt: at}
	return &fleet{devices: []control.Device{ok, silent}, detail: control.Detail{
		Device: ok, Notes: []string{"the server does not take the deadband"},
		Values: []control.Value{
			{Quantity: "active_power", Value: new(12.5), Unit: "kW", Quality: "good", EventTime: at, ReceiveTime: at, Raw: "0000afc8"},
			{Quantity: "voltage_a", Unit: "V", Quality: "bad", Flags: []string{"missing", "out_of_range"}, Detail: "not there; look", ReceiveTime: at},
			{Quantity: "frequency", Unit: "Hz"},
		},
		Groups: []control.Group{
			{IntervalS: 0.2, Blocks: []control.Block{{Table: "holding", Address: 100, Count: 4, Quantities: []string{"active_power", "voltage_a"}}, {Table: "coil", Address: 7, Count: 1, Quantities: []string{"alarm"}}}},
			{Name: "slow", IntervalS: 900, Blocks: []control.Block{{Table: "nodes", Count: 1, Quantities: []string{"frequency"}, Nodes: []string{"ns=2;s=F"}}}},
		},
	}}
}

func TestDevicesList(t *testing.T) {
	file := runningFleet(t, testFleet())
	for _, c := range []struct {
		args      []string
		has, lack string
	}{
		{nil, "A       modbus  p        ok      2025-11-24 12:00  200ms  1.0 ms  12.0 s", ""},
		{nil, "in 1h  ", ""},
		{nil, "nobody answers there; look at the long", "second line"},
		{[]string{"--state", "silent"}, "B       opcua", "modbus"},
		{[]string{"--driver", "modbus"}, "A       modbus", "opcua"},
		{[]string{"--driver", "modbus", "--state", "silent"}, "None of 2 devices.", "DEVICE"},
	} {
		code, stdout, stderr := gridwarden(t, append([]string{"devices", "list", "-c", file}, c.args...)...)
		if code != 0 || !strings.Contains(stdout, c.has) || c.lack != "" && strings.Contains(stdout, c.lack) {
			t.Errorf("%v: exit %d\n%s%s\nwant %q, not %q", c.args, code, stdout, stderr, c.has, c.lack)
		}
	}
	code, stdout, _ := gridwarden(t, "devices", "list", "-c", file, "--json", "--state", "silent")
	var list []control.Device
	if err := json.Unmarshal([]byte(stdout), &list); code != 0 || err != nil || len(list) != 1 || list[0].ID != "B" || list[0].RoundTripMS != nil {
		t.Errorf("exit %d, %v\n%s", code, err, stdout)
	}
	code, stdout, _ = gridwarden(t, "devices", "list", "--data-dir", t.TempDir(), "--json")
	if code != exitFailed || stdout != "" {
		t.Errorf("exit %d, %q", code, stdout)
	}
	if _, stdout, _ = gridwarden(t, "devices", "list", "-c", runningFleet(t, &fleet{})); !strings.Contains(stdout, "No device is polled") {
		t.Errorf("no devices: %q", stdout)
	}
	if _, stdout, _ = gridwarden(t, "devices", "list", "--json", "-c", runningFleet(t, &fleet{})); stdout != "[]\n" {
		t.Errorf("no devices: %q", stdout)
	}
}

func TestDevicesShow(t *testing.T) {
	file := runningFleet(t, testFleet())
	code, stdout, stderr := gridwarden(t, "devices", "show", "A", "-c", file)
	for _, want := range []string{
		"ok: the last read obtained every point, since 2025-11-24 12:00", "once; mended", "2m5s behind", "2 turns missed", "1.2 ms last, 1.0 ms p50, 12.0 s p99",
		"2 open to it or its gateway, at most 4 requests at once as learned", "the server does not take the deadband",
		"active_power  12.5   kW    good                         2025-11-24 12:00  0000afc8  -",
		"bad (missing, out_of_range)", "not there; look", "not read yet", "holding 100 to 103 (4)", "coil 7", "slow    15m", "ns=2;s=F",
	} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in\n%s%s", code, want, stdout, stderr)
		}
	}
	if code, _, stderr = gridwarden(t, "devices", "show", "Z", "-c", file); code != exitUsage || !strings.Contains(stderr, `no device "Z"; `) {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	code, stdout, _ = gridwarden(t, "devices", "show", "A", "--json", "-c", file)
	var d control.Detail
	if err := json.Unmarshal([]byte(stdout), &d); code != 0 || err != nil || len(d.Values) != 3 || *d.ClockOffsetS != -125 {
		t.Errorf("exit %d, %v\n%s", code, err, stdout)
	}
}

func TestDevicesReload(t *testing.T) {
	f := testFleet()
	file := runningFleet(t, f)
	f.reload = control.Reload{File: "g.yaml", Added: 1, Kept: 7, Restart: []string{"site", "cases"}, Warnings: []string{"a stranger"}}
	code, stdout, stderr := gridwarden(t, "devices", "reload", "-c", file)
	if code != 0 || stdout != "g.yaml was read again: 1 added, 0 removed, 0 changed, 7 kept\n" || !strings.Contains(stderr, "warning: a stranger") || !strings.Contains(stderr, "restart to apply: site, cases") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	f.reload = control.Reload{File: "g.yaml", Refused: true, Problems: []string{"g.yaml:3:5: wrong; right", "d.csv:9: wrong too; right"}}
	code, stdout, stderr = gridwarden(t, "devices", "reload", "-c", file)
	if code != exitUsage || stdout != "" || stderr != "g.yaml:3:5: wrong; right\nd.csv:9: wrong too; right\ng.yaml was refused; the devices before are read on\n" {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, _ = gridwarden(t, "devices", "reload", "--json", "-c", file)
	var r control.Reload
	if err := json.Unmarshal([]byte(stdout), &r); code != exitUsage || err != nil || !r.Refused {
		t.Errorf("exit %d, %v\n%s", code, err, stdout)
	}
}

// TestOperatingARunningProgram starts the program, asks it, edits its file,
// has it read that by signal and by command, and stops it.
func TestOperatingARunningProgram(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "gridwarden.yaml")
	const head = "data_dir: data\nconsole: {listen: '127.0.0.1:0'}\ndevices:\n"
	const one = "  - {id: A, url: 'modbus://127.0.0.1:1/1', profile: eastron-sdm630}\n"
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(head + one)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := exec.CommandContext(t.Context(), self, "run", "-c", file)
	program.Env = append(os.Environ(), runProgram+"=1")
	program.Stdout, program.Stderr = t.Output(), t.Output()
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	defer func() {
		if !stopped {
			_ = program.Process.Kill()
			_ = program.Wait()
		}
	}()
	listed := func(want string) string {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			code, stdout, stderr := gridwarden(t, "devices", "list", "-c", file)
			if code == 0 && strings.Contains(stdout, want) {
				return stdout
			}
			if time.Now().After(deadline) {
				t.Fatalf("no %q: exit %d\n%s%s", want, code, stdout, stderr)
			}
		}
	}
	listed("A       modbus  eastron-sdm630  failing")
	if code, _, stderr := gridwarden(t, "run", "-c", file); code != exitFailed || !strings.Contains(stderr, "stop it first, or name another data_dir") {
		t.Errorf("a second program: exit %d\n%s", code, stderr)
	}

	write(head + one + "  - {id: B, url: 'modbus://127.0.0.1:1/2', profile: eastron-sdm630}\n")
	if err := program.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	listed("B       modbus")
	write(head + "  - {id: A, url: 'modbus://127.0.0.1:1/1', profile: none-such}\nsite: {name: X}\n")
	code, _, stderr := gridwarden(t, "devices", "reload", "-c", file)
	if code != exitUsage || !strings.Contains(stderr, file+`:4:6: device A: no profile "none-such"`) {
		t.Errorf("a bad file: exit %d\n%s", code, stderr)
	}
	listed("B       modbus")
	write(head)
	if code, stdout, stderr := gridwarden(t, "devices", "reload", "-c", file); code != 0 || !strings.Contains(stdout, "0 added, 2 removed, 0 changed, 0 kept") {
		t.Errorf("no devices any more: exit %d\n%s%s", code, stdout, stderr)
	}
	listed("No device is polled")

	if err := program.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	stopped = true
	if err := program.Wait(); err != nil {
		t.Errorf("stopped: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "control.sock")); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
	if code, _, stderr := gridwarden(t, "devices", "list", "-c", file); code != exitFailed || !strings.Contains(stderr, "start it with `gridwarden run -c "+file+"`") {
		t.Errorf("after the end: exit %d\n%s", code, stderr)
	}
}
