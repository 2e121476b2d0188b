package opcua

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/drivertest"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// nodeServer is a running node-opcua server.
type nodeServer struct {
	Port      int
	Namespace int
	SHA256    string
}

func (s *nodeServer) hostPort() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }

// nodeOPCUA starts the independent peer. args are its port and the number of
// nodes that it lets a read name, 0 for its own choice.
func nodeOPCUA(t testing.TB, args ...string) *nodeServer {
	t.Helper()
	const dir = "testdata/peer"
	if _, err := os.Stat(dir + "/node_modules/node-opcua"); err != nil {
		t.Fatalf("no node-opcua to test against (%v); npm ci --prefix drivers/opcua/%s", err, dir)
	}
	cmd := exec.Command("node", append([]string{"server.js"}, args...)...)
	cmd.Dir = dir
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
		t.Fatalf("start node: %v; apt-get install nodejs npm", err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Logf("node-opcua: %v\n%s", err, stderr.String())
		}
	})
	s := new(nodeServer)
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if json.Unmarshal(lines.Bytes(), s) == nil && s.Port > 0 {
			go func() { // what it prints later must not fill the pipe
				for lines.Scan() {
				}
			}()
			return s
		}
	}
	_ = cmd.Process.Kill()
	t.Fatalf("node-opcua did not start:\n%s", stderr.String())
	return nil
}

func testProfile(t testing.TB, points string) *profile.Profile {
	t.Helper()
	p, err := profile.Parse("test.yaml", []byte(`
name: test
manufacturer: Test
model: T1
source: this test
status: simulated
protocol: opcua
opcua:
  points:`+points+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func testDevice(t testing.TB, id, hostPort string, p *profile.Profile, options map[string]string) drivers.Device {
	t.Helper()
	u, err := url.Parse("opc.tcp://" + hostPort + "/peer")
	if err != nil {
		t.Fatal(err)
	}
	return drivers.Device{ID: id, URL: u, Profile: p, Interval: 200 * time.Millisecond, Options: options}
}

func open(t testing.TB, d *Driver, dev drivers.Device) *session {
	t.Helper()
	s, err := d.Session(dev)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*session)
}

func driver(t testing.TB, opts Options) *Driver {
	t.Helper()
	if opts.MinBackoff == 0 {
		opts.MinBackoff, opts.MaxBackoff = 50*time.Millisecond, 400*time.Millisecond
	}
	d := New(opts)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func byQuantity(list []meter.Reading) map[meter.Quantity]meter.Reading {
	out := make(map[meter.Quantity]meter.Reading, len(list))
	for _, r := range list {
		out[r.Quantity] = r
	}
	return out
}

const peerPoints = `
    - {quantity: active_power, node: "nsu=urn:gridwarden:peer;s={node}.ActivePower", scale: 0.001}
    - {quantity: voltage_a, node: "nsu=urn:gridwarden:peer;s={node}.VoltageA"}
    - {quantity: voltage_b, node: "nsu=urn:gridwarden:peer;s={node}.VoltageB", scale: 0.1}
    - {quantity: top_oil_temperature, node: "nsu=urn:gridwarden:peer;s={node}.TopOil"}
    - {quantity: active_energy_import, node: "nsu=urn:gridwarden:peer;s={node}.Energy", scale: 0.001}`

var none = map[string]string{optNode: "T1", optSecurity: "none"}

func TestNodeOPCUA(t *testing.T) {
	t.Parallel()
	peer := nodeOPCUA(t)
	t.Run("suite", func(t *testing.T) {
		drivertest.Run(t, drivertest.Harness{
			New: func(testing.TB) drivers.Driver {
				return New(Options{MinBackoff: 50 * time.Millisecond, MaxBackoff: 400 * time.Millisecond})
			},
			Upstream: peer.hostPort(),
			URL:      func(hostPort string) string { return "opc.tcp://" + hostPort + "/peer" },
			Options:  none,
			Profile:  testProfile(t, peerPoints),
			NaN:      testProfile(t, "\n    - {quantity: current_a, node: \"nsu=urn:gridwarden:peer;s={node}.NaN\"}"),
		})
	})
	t.Run("values", func(t *testing.T) { testValues(t, peer) })
	t.Run("qualities", func(t *testing.T) { testQualities(t, peer) })
	t.Run("security", func(t *testing.T) { testSecurity(t, peer) })
	t.Run("subscription", func(t *testing.T) { testSubscription(t, peer) })
	t.Run("subscription cut", func(t *testing.T) { testSubscriptionCut(t, peer) })
	t.Run("subscription silent", func(t *testing.T) { testSubscriptionSilent(t, peer) })
	t.Run("subscription of what is not there", func(t *testing.T) { testSubscriptionRefused(t, peer) })
}

func testValues(t *testing.T, peer *nodeServer) {
	p := testProfile(t, strings.ReplaceAll(peerPoints, "nsu=urn:gridwarden:peer", fmt.Sprint("ns=", peer.Namespace)))
	d := driver(t, Options{})
	for _, n := range []int{1, 7, 40} {
		dev := testDevice(t, fmt.Sprint("t", n), peer.hostPort(), p, map[string]string{optNode: fmt.Sprint("T", n), optSecurity: "none"})
		readings, err := open(t, d, dev).Read(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		got := byQuantity(readings)
		for q, want := range map[meter.Quantity]float64{
			meter.ActivePower: (1000*float64(n) + 0.5) / 1000, meter.VoltageA: 230.25, meter.VoltageB: 231, meter.TopOilTemperature: -float64(n),
		} {
			if r := got[q]; r.Value != want || r.Quality != meter.Good || time.Since(r.EventTime) > 5*time.Second {
				t.Errorf("T%d %s: %+v, want %v", n, q, r, want)
			}
		}
		if r := got[meter.ActiveEnergyImport]; r.Quality != meter.Good || r.Value <= 0 {
			t.Errorf("energy is %+v", r)
		}
	}
}

func testQualities(t *testing.T, peer *nodeServer) {
	p := testProfile(t, `
    - {quantity: voltage_a, node: "nsu=urn:gridwarden:peer;s={node}.VoltageA"}
    - {quantity: current_a, node: "nsu=urn:gridwarden:peer;s={node}.Text"}
    - {quantity: current_b, node: "nsu=urn:gridwarden:peer;s={node}.Broken"}
    - {quantity: current_c, node: "nsu=urn:gridwarden:peer;s={node}.Lost"}
    - {quantity: power_factor, node: "nsu=urn:gridwarden:peer;s={node}.LastKnown"}
    - {quantity: frequency, node: "nsu=urn:gridwarden:peer;s={node}.Ahead"}
    - {quantity: current_n, node: "nsu=urn:gridwarden:peer;s={node}.NoSuchNode"}
    - {quantity: apparent_power, node: "nsu=urn:nobody;s={node}.VoltageA"}
    - {quantity: voltage_b, node: "nsu=urn:gridwarden:peer;s={node}.VoltageA", range: [0, 100]}`)
	readings, err := open(t, driver(t, Options{}), testDevice(t, "odd", peer.hostPort(), p, none)).Read(t.Context(), 0)
	if err == nil || !strings.Contains(err.Error(), "odd") || !strings.Contains(err.Error(), "StatusBadSensorFailure") {
		t.Errorf("the error is %v", err)
	}
	got := byQuantity(readings)
	for q, want := range map[meter.Quantity]struct {
		quality meter.Quality
		flags   meter.Flags
		detail  string
		value   bool
	}{
		meter.VoltageA:      {quality: meter.Good, value: true},
		meter.CurrentA:      {flags: meter.Implausible, detail: "sent no number but a string"},
		meter.CurrentB:      {flags: meter.Missing, detail: "StatusBadSensorFailure"},
		meter.CurrentC:      {flags: meter.CommFailure, detail: "StatusBadNoCommunication"},
		meter.PowerFactor:   {quality: meter.Uncertain, flags: meter.Stale, detail: "LastUsable", value: true},
		meter.Frequency:     {quality: meter.Uncertain, detail: "clock is 24h", value: true},
		meter.CurrentN:      {flags: meter.Missing, detail: "StatusBadNodeIDUnknown"},
		meter.ApparentPower: {flags: meter.Missing, detail: "StatusBadNodeIDUnknown"},
		meter.VoltageB:      {flags: meter.OutOfRange, detail: "outside the profile's range", value: true},
	} {
		r := got[q]
		if r.Quality != want.quality || r.Flags != want.flags || !strings.Contains(r.Detail, want.detail) || (r.Value == r.Value) != want.value {
			t.Errorf("%s is %+v, want %+v", q, r, want)
		}
	}
	if r := got[meter.Frequency]; time.Since(r.EventTime).Abs() > time.Minute {
		t.Errorf("a time a day ahead was taken: %v", r.EventTime)
	}
}

func testSecurity(t *testing.T, peer *nodeServer) {
	p := testProfile(t, peerPoints)
	own, err := NewIdentity("urn:test:client", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	read := func(options map[string]string, opts Options) error {
		opts.Identity = own
		all := map[string]string{optNode: "T1"}
		for k, v := range options {
			all[k] = v
		}
		dev := testDevice(t, "sec", peer.hostPort(), p, all)
		dev.Timeout = 5 * time.Second
		_, err := open(t, driver(t, opts), dev).Read(t.Context(), 0)
		return err
	}
	for _, policy := range append(policies(), "auto") {
		for _, mode := range []string{"sign", "sign_and_encrypt"} {
			if err := read(map[string]string{optSecurity: policy, optSecurityMode: mode, optPin: peer.SHA256}, Options{}); err != nil {
				t.Errorf("%s, %s: %v", policy, mode, err)
			}
		}
	}
	if err := read(map[string]string{optPin: peer.SHA256, optUser: "reader", optPassword: "let me read"}, Options{}); err != nil {
		t.Errorf("user name: %v", err)
	}
	for name, c := range map[string]struct {
		options map[string]string
		want    string
	}{
		"wrong password": {map[string]string{optPin: peer.SHA256, optUser: "reader", optPassword: "wrong"}, "sec"},
		"wrong pin":      {map[string]string{optPin: strings.Repeat("ab", 32)}, "not the pinned abab"},
		"nobody vouched": {nil, "set the option server_sha256 to " + peer.SHA256},
	} {
		if err := read(c.options, Options{}); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "wrong") && name == "wrong password" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
