package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/modbus"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/sim"
)

// TestMbpollReadsWhatTheDriverReads holds what libmodbus's mbpoll reads of a
// device of each simulated model against what the driver reads, register by
// register, while the simulator's clock stands.
func TestMbpollReadsWhatTheDriverReads(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	district, err := sim.New(sim.Config{Seed: 5, Until: curve.DateOf(time.Now().UTC()) - 1, Days: 3})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	s, err := district.Serve(ctx, sim.ServeOptions{Transformers: []string{"T-1012", "T-1031"}, WithoutOPCUA: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	profiles, err := profile.LoadFS(sim.Profiles())
	if err != nil {
		t.Fatal(err)
	}
	d := modbus.New(modbus.Options{})
	defer func() { _ = d.Close() }()
	compared := make(map[string]bool)
	for _, dev := range s.Devices() {
		if dev.Driver != d.Name() || compared[dev.Profile] {
			continue
		}
		compared[dev.Profile] = true
		u, err := url.Parse(dev.URL)
		if err != nil {
			t.Fatal(err)
		}
		device := drivers.Device{ID: dev.ID, URL: u, Profile: profiles[dev.Profile], Interval: time.Second, Timeout: 20 * time.Second, Options: dev.Options}
		session, err := d.Session(device)
		if err != nil {
			t.Fatal(err)
		}
		readings, err := session.Read(ctx, 0)
		_ = session.Close()
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range device.Profile.Groups()[0].Points {
			point := &device.Profile.Modbus.Points[p]
			if raw := mbpoll(t, u, point); !bytes.Equal(raw, readings[i].Raw) {
				t.Errorf("%s: %s: mbpoll reads % x, the driver % x", dev.ID, point.Quantity, raw, readings[i].Raw)
			}
		}
	}
	if len(compared) < 2 {
		t.Errorf("only %d models were compared", len(compared))
	}
}

// mbpoll reads the registers of a point.
func mbpoll(t *testing.T, u *url.URL, p *profile.ModbusPoint) []byte {
	t.Helper()
	kind := "4:hex"
	if p.Table == profile.Input {
		kind = "3:hex"
	}
	args := []string{
		"-1", "-0", "-m", "tcp", "-o", "5", "-a", strings.TrimPrefix(u.Path, "/"), "-p", u.Port(),
		"-t", kind, "-r", strconv.Itoa(int(p.Address)), "-c", strconv.Itoa(p.Registers()), u.Hostname(),
	}
	out, err := exec.Command("mbpoll", args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatalf("no mbpoll to compare with: %v; apt-get install mbpoll", err)
	}
	var raw []byte
	for _, m := range regexp.MustCompile(`(?m)^\[\d+\]:\s+0x([0-9A-F]{4})`).FindAllSubmatch(out, -1) {
		word, err := hex.DecodeString(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, word...)
	}
	if err != nil || len(raw) != 2*p.Registers() {
		t.Fatalf("mbpoll %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return raw
}
