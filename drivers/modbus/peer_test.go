package modbus

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/drivertest"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// pymodbus starts the independent peer and returns its address.
func pymodbus(t testing.TB, args ...string) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", startPymodbus(t, args...))
}

// startPymodbus starts the independent peer and returns what it says first.
// Debian's own interpreter is named in full: another may come first in PATH.
func startPymodbus(t testing.TB, args ...string) string {
	t.Helper()
	const python, mend = "/usr/bin/python3", "apt-get install python3-pymodbus python3-serial python3-serial-asyncio"
	if out, err := exec.Command(python, "-c", "import pymodbus").CombinedOutput(); err != nil {
		t.Fatalf("no pymodbus to test against (%v: %s); %s", err, out, mend)
	}
	cmd := exec.Command(python, append([]string{"-W", "ignore", "testdata/peer/server.py"}, args...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Logf("pymodbus: %v\n%s", err, stderr.String())
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = cmd.Process.Kill()
		t.Fatalf("pymodbus did not start: %v\n%s", err, stderr.String())
	}
	return strings.TrimSpace(line)
}

// nullModem joins two serial ports and returns their names.
func nullModem(t testing.TB) (near, far string) {
	t.Helper()
	dir := t.TempDir()
	near, far = filepath.Join(dir, "near"), filepath.Join(dir, "far")
	cmd := exec.Command("socat", "pty,rawer,link="+near, "pty,rawer,link="+far)
	if err := cmd.Start(); err != nil {
		t.Fatalf("no serial line to test on: %v; apt-get install socat", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		_, nearErr := os.Stat(near)
		_, farErr := os.Stat(far)
		if nearErr == nil && farErr == nil {
			return near, far
		}
		if time.Now().After(until) {
			t.Fatalf("socat made no line: %v, %v", nearErr, farErr)
		}
	}
}

// peers starts a pymodbus behind every transport that it knows and returns
// the URLs, without the unit, and options.
func peers(t testing.TB) map[string]map[string]string {
	t.Helper()
	near, far := nullModem(t)
	startPymodbus(t, "serial", far)
	return map[string]map[string]string{
		"modbus://" + pymodbus(t):                nil,
		"modbus+rtu+tcp://" + pymodbus(t, "rtu"): nil,
		"modbus+rtu://" + near:                   {optBaud: "115200"},
	}
}

const peerPoints = `
    - {quantity: voltage_a, table: holding, address: 0, encoding: float32}
    - {quantity: voltage_b, table: holding, address: 2, encoding: float32}
    - {quantity: voltage_c, table: holding, address: 4, encoding: float32}
    - {quantity: frequency, table: holding, address: 10, encoding: float32, order: CDAB}
    - {quantity: active_energy_import, table: holding, address: 20, encoding: uint32, scale: 0.001}
    - {quantity: active_power, table: holding, address: 22, encoding: int32, order: CDAB, scale: 0.001}
    - {quantity: power_factor, table: holding, address: 24, encoding: int16, scale: 0.001}
    - {quantity: active_energy_export, table: holding, address: 26, encoding: uint64, scale: 0.001}
    - {quantity: reactive_power, table: holding, address: 30, encoding: float64, scale: 0.001}
    - {quantity: current_n, table: holding, address: 34, encoding: bcd32, scale: 0.001}
    - {quantity: current_a, table: input, address: 100, encoding: float32, order: DCBA}
    - {quantity: alarm, table: coil, address: 33}
    - {quantity: trip, table: coil, address: 34}
    - {quantity: fan_running, table: discrete, address: 35}`

func TestPymodbusSuite(t *testing.T) {
	ca := newAuthority(t, "utility")
	for scheme, args := range map[string][]string{schemeTCP: nil, schemeRTUOverTCP: {"rtu"}, schemeTLS: append([]string{"tls"}, ca.serverFiles(t)...)} {
		t.Run(scheme, func(t *testing.T) {
			drivertest.Run(t, drivertest.Harness{
				New: func(testing.TB) drivers.Driver {
					return New(Options{MinBackoff: 50 * time.Millisecond, MaxBackoff: 400 * time.Millisecond})
				},
				Upstream: pymodbus(t, args...),
				URL:      func(hostPort string) string { return scheme + "://" + hostPort + "/1" },
				Options:  map[string]map[string]string{schemeTLS: ca.client(t, nil)}[scheme],
				Profile:  testProfile(t, peerPoints),
				NaN:      testProfile(t, "\n    - {quantity: current_b, table: holding, address: 40, encoding: float32}"),
			})
		})
	}
}

// TestPymodbusValues reads all four tables of a peer behind every transport.
func TestPymodbusValues(t *testing.T) {
	for url, options := range peers(t) {
		d := New(Options{})
		dev := testDevice(t, "m", url+"/1", testProfile(t, peerPoints+
			"\n    - {quantity: current_b, table: holding, address: 40, encoding: float32}"+
			"\n    - {quantity: current_c, table: holding, address: 42, encoding: uint32, absent: [0xFFFFFFFF]}"))
		dev.Options = options
		got := byQuantity(mustRead(t, d, dev))
		for q, want := range map[meter.Quantity]float64{
			meter.VoltageA: 230.5, meter.VoltageB: 231.25, meter.VoltageC: 229.75,
			meter.Frequency: float64(float32(49.98)), meter.ActiveEnergyImport: 1234.567, meter.ActivePower: -5,
			meter.PowerFactor: -0.985, meter.ActiveEnergyExport: 9876543.21, meter.ReactivePower: 12.345678,
			meter.CurrentN: 12345.678, meter.CurrentA: 12.5, meter.Alarm: 1, meter.Trip: 0, meter.FanRunning: 1,
		} {
			if r := got[q]; r.Value != want || r.Quality != meter.Good {
				t.Errorf("%s: %s is %v (%v, %s), want %v", url, q, r.Value, r.Quality, r.Detail, want)
			}
		}
		for _, q := range []meter.Quantity{meter.CurrentB, meter.CurrentC} {
			if r := got[q]; r.Quality != meter.Bad || !r.Flags.Has(meter.Missing) {
				t.Errorf("%s: %s is %+v, want bad and missing", url, q, r)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPymodbusExceptionAndDeadUnit: a unit that refuses, one that is not
// there, and what that costs the first.
func TestPymodbusExceptionAndDeadUnit(t *testing.T) {
	for url, options := range peers(t) {
		t.Run(url[:strings.Index(url, ":")], func(t *testing.T) {
			d := New(Options{Timeout: 300 * time.Millisecond})
			defer d.Close()
			partly := testDevice(t, "partly", url+"/3", testProfile(t, `
    - {quantity: voltage_a, table: holding, address: 0, encoding: float32}
    - {quantity: voltage_b, table: holding, address: 100, encoding: float32}`))
			partly.Options = options
			s := session1(t, d, partly)
			readings, err := s.Read(t.Context(), 0)
			if err == nil || !strings.Contains(err.Error(), "illegal data address") || !strings.Contains(err.Error(), "register map") {
				t.Errorf("the exception came as: %v", err)
			}
			got := byQuantity(readings)
			if r := got[meter.VoltageA]; r.Value != 1.5 || r.Quality != meter.Good {
				t.Errorf("the block that can be read is lost: %+v", r)
			}
			if r := got[meter.VoltageB]; r.Quality != meter.Bad || r.Detail == "" {
				t.Errorf("the block that cannot be read is %+v", r)
			}

			dead := testDevice(t, "dead", url+"/77", testProfile(t, peerPoints))
			dead.Options = options
			began := time.Now()
			readings, err = session1(t, d, dead).Read(t.Context(), 0)
			if err == nil || !strings.Contains(err.Error(), "unit 77") || time.Since(began) > time.Second {
				t.Errorf("the dead unit took %v and came as: %v", time.Since(began), err)
			}
			for _, r := range readings {
				if r.Quality != meter.Bad || !r.Flags.Has(meter.CommFailure) {
					t.Errorf("dead unit: %+v", r)
				}
			}
			if _, err := s.Read(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "illegal data address") {
				t.Errorf("after the dead unit its neighbour reads: %v", err)
			}
		})
	}
}

// TestMbpoll holds what libmodbus's mbpoll reads of all four tables against
// what the driver reads: from pymodbus, and from our own servers.
func TestMbpoll(t *testing.T) {
	near, far := nullModem(t)
	startPymodbus(t, "serial", far)
	tcp := pymodbus(t)
	own := newVillain(mbap, 1)
	own.friendly.Store(true)
	l := listen(t)
	own.listener(t, l)
	line := newPTY(t, func(w io.Writer, _, a []byte) { _, _ = w.Write(a) })
	registers := `
    - {quantity: voltage_a, table: holding, address: 20, encoding: uint16}
    - {quantity: voltage_b, table: holding, address: 21, encoding: uint16}
    - {quantity: current_a, table: input, address: 100, encoding: uint16}
    - {quantity: current_b, table: input, address: 101, encoding: uint16}`
	bits := `
    - {quantity: alarm, table: coil, address: 33}
    - {quantity: trip, table: coil, address: 34}
    - {quantity: fan_running, table: discrete, address: 35}`
	for name, c := range map[string]struct {
		url, points string
		options     map[string]string
		mbpoll      []string
	}{
		"pymodbus, TCP":    {"modbus://" + tcp, registers + bits, nil, mbpollTCP(t, tcp)},
		"pymodbus, serial": {"modbus+rtu://" + near, registers + bits, map[string]string{optBaud: "115200"}, mbpollSerial(near)},
		"our own, TCP":     {"modbus://" + l.Addr().String(), bits, nil, mbpollTCP(t, l.Addr().String())},
		"our own, serial":  {"modbus+rtu://" + line.name, registers, map[string]string{optBaud: "115200"}, mbpollSerial(line.name)},
	} {
		t.Run(name, func(t *testing.T) {
			d := New(Options{})
			dev := testDevice(t, "m", c.url+"/1", testProfile(t, c.points))
			dev.Options = c.options
			s := session1(t, d, dev)
			readings, err := s.Read(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			// mbpoll can have the serial port when the driver has left it.
			if err := errors.Join(s.Close(), d.Close()); err != nil {
				t.Fatal(err)
			}
			for i, pt := range dev.Profile.Modbus.Points {
				kind := map[profile.Table]string{profile.Coil: "0", profile.Discrete: "1", profile.Input: "3", profile.Holding: "4"}[pt.Table]
				if got := mbpoll(t, c.mbpoll, kind, int(pt.Address)); got != readings[i].Value {
					t.Errorf("%s %d: mbpoll reads %v, the driver %v", pt.Table, pt.Address, got, readings[i].Value)
				}
			}
		})
	}
}

func mbpollTCP(t testing.TB, addr string) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"-m", "tcp", "-p", port, host}
}

func mbpollSerial(name string) []string {
	return []string{"-m", "rtu", "-b", "115200", "-P", "even", name}
}

// mbpoll reads one value of unit 1.
func mbpoll(t testing.TB, peer []string, kind string, address int) float64 {
	t.Helper()
	args := append([]string{"-1", "-0", "-a", "1", "-o", "3", "-t", kind, "-c", "1", "-r", strconv.Itoa(address)}, peer...)
	out, err := exec.Command("mbpoll", args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatalf("no mbpoll to compare with: %v; apt-get install mbpoll", err)
	}
	m := regexp.MustCompile(`(?m)^\[` + strconv.Itoa(address) + `\]:\s+(\d+)`).FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("mbpoll %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
