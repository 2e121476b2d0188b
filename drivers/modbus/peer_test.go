package modbus

import (
	"bufio"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/drivertest"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// pymodbus starts the independent peer and returns its address. Debian's own
// interpreter is named in full: another may come first in PATH.
func pymodbus(t testing.TB, args ...string) string {
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
	return net.JoinHostPort("127.0.0.1", strings.TrimSpace(line))
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
    - {quantity: current_a, table: input, address: 100, encoding: float32, order: DCBA}`

func TestPymodbusSuite(t *testing.T) {
	for scheme, args := range map[string][]string{schemeTCP: nil, schemeRTUOverTCP: {"rtu"}} {
		t.Run(scheme, func(t *testing.T) {
			drivertest.Run(t, drivertest.Harness{
				New: func(testing.TB) drivers.Driver {
					return New(Options{MinBackoff: 50 * time.Millisecond, MaxBackoff: 400 * time.Millisecond})
				},
				Upstream: pymodbus(t, args...),
				URL:      func(hostPort string) string { return scheme + "://" + hostPort + "/1" },
				Profile:  testProfile(t, peerPoints),
				NaN:      testProfile(t, "\n    - {quantity: current_b, table: holding, address: 40, encoding: float32}"),
			})
		})
	}
}

func TestPymodbusValues(t *testing.T) {
	addr := pymodbus(t)
	d := New(Options{})
	defer d.Close()
	dev := testDevice(t, "m", "modbus://"+addr+"/1", testProfile(t, peerPoints+
		"\n    - {quantity: current_b, table: holding, address: 40, encoding: float32}"+
		"\n    - {quantity: current_c, table: holding, address: 42, encoding: uint32, absent: [0xFFFFFFFF]}"))
	got := byQuantity(mustRead(t, d, dev))
	for q, want := range map[meter.Quantity]float64{
		meter.VoltageA: 230.5, meter.VoltageB: 231.25, meter.VoltageC: 229.75,
		meter.Frequency: float64(float32(49.98)), meter.ActiveEnergyImport: 1234.567, meter.ActivePower: -5,
		meter.PowerFactor: -0.985, meter.ActiveEnergyExport: 9876543.21, meter.ReactivePower: 12.345678,
		meter.CurrentN: 12345.678, meter.CurrentA: 12.5,
	} {
		if r := got[q]; r.Value != want || r.Quality != meter.Good {
			t.Errorf("%s is %v (%v, %s), want %v", q, r.Value, r.Quality, r.Detail, want)
		}
	}
	for _, q := range []meter.Quantity{meter.CurrentB, meter.CurrentC} {
		if r := got[q]; r.Quality != meter.Bad || !r.Flags.Has(meter.Missing) {
			t.Errorf("%s is %+v, want bad and missing", q, r)
		}
	}
}

func TestPymodbusExceptionAndDeadUnit(t *testing.T) {
	addr := pymodbus(t)
	d := New(Options{Timeout: 200 * time.Millisecond})
	defer d.Close()
	partly := testDevice(t, "partly", "modbus://"+addr+"/3", testProfile(t, `
    - {quantity: voltage_a, table: holding, address: 0, encoding: float32}
    - {quantity: voltage_b, table: holding, address: 100, encoding: float32}`))
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

	dead := testDevice(t, "dead", "modbus://"+addr+"/77", testProfile(t, peerPoints))
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
}
