package modbus

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
)

func TestParseSerial(t *testing.T) {
	for _, c := range []struct {
		options map[string]string
		want    serialSettings
		err     string
	}{
		{want: serialSettings{19200, "even", 1}},
		{options: map[string]string{"parity": "none"}, want: serialSettings{19200, "none", 2}},
		{options: map[string]string{"parity": "none", "stop_bits": "1", "baud": "9600"}, want: serialSettings{9600, "none", 1}},
		{options: map[string]string{"parity": "odd", "stop_bits": "2", "baud": "115200"}, want: serialSettings{115200, "odd", 2}},
		{options: map[string]string{"parity": "E"}, err: `option parity is "E"; write even, odd or none`},
		{options: map[string]string{"stop_bits": "1.5"}, err: `option stop_bits is "1.5"; write 1 or 2`},
		{options: map[string]string{"baud": "9601"}, err: `option baud is "9601"; write 300, 600, 1200`},
		{options: map[string]string{"baud": ""}, err: `option baud is ""; write 300`},
	} {
		got, err := parseSerial(drivers.Device{ID: "m", Options: c.options})
		if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "device m")) {
			t.Errorf("%v: %v, want %q", c.options, err, c.err)
		}
		if err == nil && got != c.want {
			t.Errorf("%v: %v, want %v", c.options, got, c.want)
		}
	}
}

func TestSerialTarget(t *testing.T) {
	for url, want := range map[string]string{
		"modbus+rtu:///dev/ttyS0/7":                            "/dev/ttyS0",
		"modbus+rtu:///dev/serial/by-id/usb-FTDI-if00-port0/7": "/dev/serial/by-id/usb-FTDI-if00-port0",
		"modbus+rtu:///dev//ttyS0/7":                           "/dev/ttyS0",
		"modbus+rtu:///dev/ttyS0":                              "names no unit from 1 to 247; write modbus+rtu:///dev/ttyS0/unit",
		"modbus+rtu:///dev/ttyS0/0":                            "names no unit",
		"modbus+rtu:///dev/ttyS0/248":                          "names no unit",
		"modbus+rtu:///7":                                      "names no serial port",
		"modbus+rtu://dev/ttyS0/7":                             "names the host dev",
		"modbus+rtu:///dev/ttyS0/7?baud=9600":                  "more than a serial port and a unit",
	} {
		file, unit, err := serialTarget(testDevice(t, "m", url, nil))
		switch {
		case strings.HasPrefix(want, "/"):
			if err != nil || file != want || unit != 7 {
				t.Errorf("%s: %s, %d, %v", url, file, unit, err)
			}
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

// TestSerialTiming compares with the standard's own numbers (Modbus over
// Serial Line 1.02, 2.5.1.1): 3.5 characters of 11 bits, 1.75 ms above 19200.
func TestSerialTiming(t *testing.T) {
	for baud, want := range map[int]time.Duration{
		1200:   32083 * time.Microsecond,
		9600:   4010 * time.Microsecond,
		19200:  2005 * time.Microsecond,
		38400:  1750 * time.Microsecond,
		115200: 1750 * time.Microsecond,
	} {
		got := serialSettings{baud: baud, parity: "even", stopBits: 1}.timing()
		if d := got.before - want; d < -time.Microsecond || d > time.Microsecond {
			t.Errorf("%d baud: %v of silence, want %v", baud, got.before, want)
		}
		if got.gap < got.before || got.after < got.before || got.char != 11*time.Second/time.Duration(baud) {
			t.Errorf("%d baud: %+v", baud, got)
		}
	}
	if eight := (serialSettings{baud: 9600, parity: "none", stopBits: 1}).timing(); eight.char != time.Second*10/9600 {
		t.Errorf("8N1 has characters of %v", eight.char)
	}
}

// TestSerialPortIsLocked: nobody else gets at a port that is in use, and who
// uses it is named.
func TestSerialPortIsLocked(t *testing.T) {
	p := newPTY(t, func(w io.Writer, _, a []byte) { _, _ = w.Write(a) })
	first, err := openSerial(p.name, fast)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "another-name")
	if err := os.Symlink(p.name, other); err != nil {
		t.Fatal(err)
	}
	if _, err := openSerial(other, fast); err == nil || !strings.Contains(err.Error(), "in use by this program itself, under another name") {
		t.Errorf("opened twice: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	const mend = "apt-get install util-linux"
	cmd := exec.Command("flock", "--no-fork", p.name, "sh", "-c", "echo; read line")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; %s", err, mend)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := openSerial(p.name, fast); err == nil || !strings.Contains(err.Error(), "in use by sh (process ") {
		t.Errorf("held by another process: %v", err)
	}
	_ = in.Close()
	_ = cmd.Wait() // read fails at the end of its input

	again := openPTY(t, p, fast)
	if a, err := again.exchange(t.Context(), time.Now().Add(time.Second), rtuRequest(3, 3, 0, 2)); err != nil || !bytes.Equal(a, rtuTruth(rtuRequest(3, 3, 0, 2))) {
		t.Errorf("% x, %v", a, err)
	}
}

func TestSerialPortErrors(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"/dev/no-such-port": "is not there; plug the adapter in",
		plain:               "is no serial port; name one such as /dev/ttyS0",
		"/dev/null":         "see whether it takes these settings",
	} {
		if _, err := openSerial(name, fast); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// TestSerialUnplugged: a line whose adapter goes away ends, and the port can
// be opened again when it is back.
func TestSerialUnplugged(t *testing.T) {
	honest := func(w io.Writer, _, a []byte) { _, _ = w.Write(a) }
	p := newPTY(t, honest)
	line := openPTY(t, p, fast)
	q := rtuRequest(1, 3, 0, 2)
	if _, err := line.exchange(t.Context(), time.Now().Add(time.Second), q); err != nil {
		t.Fatal(err)
	}
	p.unplug(t)
	if _, err := line.exchange(t.Context(), time.Now().Add(time.Second), q); err == nil || line.usable() {
		t.Fatalf("without an adapter: %v", err)
	}
	p.plug(t, honest)
	if a, err := openPTY(t, p, fast).exchange(t.Context(), time.Now().Add(time.Second), q); err != nil || !bytes.Equal(a, rtuTruth(q)) {
		t.Errorf("after it is back: % x, %v", a, err)
	}
}

// TestSerialDevices reads devices on one line side by side, through an
// adapter that is unplugged and plugged in again.
func TestSerialDevices(t *testing.T) {
	var mu sync.Mutex
	under, most := 0, 0
	honest := func(w io.Writer, _, a []byte) {
		mu.Lock()
		under++
		most = max(most, under)
		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		under--
		mu.Unlock()
		_, _ = w.Write(a)
	}
	p := newPTY(t, honest)
	d := New(Options{MinBackoff: 10 * time.Millisecond, MaxBackoff: 50 * time.Millisecond})
	defer d.Close()
	var sessions []drivers.Session
	for unit := range 5 {
		dev := testDevice(t, fmt.Sprintf("m%d", unit+1), fmt.Sprintf("modbus+rtu://%s/%d", p.name, unit+1), testProfile(t, twoPoints))
		dev.Options = map[string]string{optBaud: "115200"}
		sessions = append(sessions, session1(t, d, dev))
	}
	if c := sessions[0].(drivers.Observer).Condition(); c.Parallel != 1 || c.Connections != 0 {
		t.Errorf("%+v", c)
	}
	all := func(rounds int) {
		t.Helper()
		var work sync.WaitGroup
		for i, s := range sessions {
			work.Go(func() {
				for range rounds {
					got, err := s.Read(t.Context(), 0)
					if want := float64(1000*(i+1) + 10); err != nil || got[0].Value != want || got[1].Value != want+2 {
						t.Errorf("unit %d reads %v, %v; %v", i+1, got[0].Value, got[1].Value, err)
						return
					}
				}
			})
		}
		work.Wait()
	}
	all(10)
	if most != 1 {
		t.Errorf("%d requests were on the line at once", most)
	}
	p.unplug(t)
	for range 3 {
		_, err := sessions[0].Read(t.Context(), 0)
		if err == nil || !strings.Contains(err.Error(), "device m1: ") || !strings.Contains(err.Error(), "is not there; plug the adapter in") {
			t.Fatalf("without an adapter: %v", err)
		}
	}
	p.plug(t, honest)
	for until := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, err := sessions[0].Read(t.Context(), 0)
		if err == nil {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("never came back: %v", err)
		}
	}
	all(3)
}
