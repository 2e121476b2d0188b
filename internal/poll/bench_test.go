package poll

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/modbus"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

const (
	gatewaysEnv = "GRIDWARDEN_TEST_GATEWAYS"
	gateways    = 40
	unitsEach   = 26
)

// serveGateways serves Modbus TCP on 40 ports until standard input closes:
// float registers, whose value is the unit plus a quarter of the address.
func serveGateways() {
	for range gateways {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Println(l.Addr())
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go serveGateway(c)
			}
		}()
	}
	fmt.Println()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func serveGateway(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	var q [12]byte
	for {
		if _, err := io.ReadFull(r, q[:]); err != nil {
			return
		}
		from, n := int(binary.BigEndian.Uint16(q[8:])), int(binary.BigEndian.Uint16(q[10:]))
		a := append(append([]byte{}, q[:8]...), byte(2*n))
		for i := 0; i < n; i += 2 {
			a = binary.BigEndian.AppendUint32(a, math.Float32bits(float32(q[6])+float32(from+i)/4))
		}
		binary.BigEndian.PutUint16(a[4:], uint16(len(a)-6))
		if _, err := c.Write(a); err != nil {
			return
		}
	}
}

// startGateways starts them in a process of their own.
func startGateways(t testing.TB) (addrs []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), gatewaysEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "" {
		addrs = append(addrs, strings.TrimSpace(lines.Text()))
	}
	if len(addrs) != gateways {
		t.Fatalf("%d gateways started", len(addrs))
	}
	return addrs
}

// meterFleet is units behind each of addrs, ten float registers each.
func meterFleet(t testing.TB, addrs []string, units int) []drivers.Device {
	t.Helper()
	var y strings.Builder
	y.WriteString("name: bench\nmanufacturer: M\nmodel: M\nsource: this benchmark\nstatus: simulated\nprotocol: modbus\nmodbus:\n  points:\n")
	for i, q := range meter.Quantities()[:10] {
		fmt.Fprintf(&y, "    - {quantity: %s, table: input, address: %d, encoding: float32}\n", q, 2*i)
	}
	p, err := profile.Parse("bench.yaml", []byte(y.String()))
	if err != nil {
		t.Fatal(err)
	}
	var list []drivers.Device
	for g, addr := range addrs {
		for u := range units {
			list = append(list, drivers.Device{
				ID: fmt.Sprintf("m-%d-%d", g, u+1), URL: &url.URL{Scheme: "modbus", Host: addr, Path: fmt.Sprint("/", u+1)},
				Profile: p, Interval: time.Second,
			})
		}
	}
	return list
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// pollFleet polls for d and returns the totals, the CPU seconds and the
// readings that were not good or not the value that the unit serves.
func pollFleet(t testing.TB, devices []drivers.Device, d time.Duration) (tot Totals, cpu float64, wrong int64) {
	t.Helper()
	drv := modbus.New(modbus.Options{})
	defer drv.Close()
	var bad atomic.Int64
	unit := make(map[string]float64, len(devices))
	for _, dev := range devices {
		u, err := strconv.Atoi(strings.TrimPrefix(dev.URL.Path, "/"))
		if err != nil {
			t.Fatal(err)
		}
		unit[dev.ID] = float64(u)
	}
	p, err := New(Config{Devices: devices, Drivers: drivers.NewRegistry(drv), Logger: quiet(), Sink: func(_ context.Context, list []meter.Reading) error {
		for i := range list {
			r := &list[i]
			if u := unit[r.DeviceID]; r.Quality != meter.Good || r.Value < u || r.Value >= u+5 {
				bad.Add(1)
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	time.Sleep(1200 * time.Millisecond) // connections are made in the first second
	mark, before := p.Mark(), cpuSeconds()
	time.Sleep(d)
	window, _ := p.Since(mark)
	cpu = cpuSeconds() - before
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return window["modbus"], cpu, bad.Load()
}

// BenchmarkPoll1040 is the demo's fleet: 1,040 units behind 40 gateways, ten
// values each, every second, over real sockets.
func BenchmarkPoll1040(b *testing.B) {
	devices := meterFleet(b, startGateways(b), unitsEach)
	for range b.N {
		tot, cpu, wrong := pollFleet(b, devices, 5*time.Second)
		b.ReportMetric(1000*cpu/float64(tot.Due), "cpu-s/1000polls")
		b.ReportMetric(float64(tot.Missed+tot.Failed), "missed+failed")
		b.ReportMetric(float64(tot.OK), "ok")
		b.ReportMetric(float64(wrong), "wrong-values")
	}
}

// TestModbusFleet polls a part of it with the real driver.
func TestModbusFleet(t *testing.T) {
	devices := meterFleet(t, startGateways(t)[:10], 20)
	tot, _, wrong := pollFleet(t, devices, 2*time.Second)
	if tot.OK < 390 || tot.Failed != 0 || tot.Missed != 0 || wrong != 0 {
		t.Errorf("%+v, %d wrong values", tot, wrong)
	}
}
