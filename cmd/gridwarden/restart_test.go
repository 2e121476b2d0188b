//go:build demo

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/historian"
	"github.com/gridwarden/gridwarden/internal/sim"
)

// The program is killed while it polls, with no historian, and started again
// with one: what the stream had acknowledged arrives, every second of it.
func TestKillLosesNothingThatWasAcknowledged(t *testing.T) {
	var mu sync.Mutex
	served := make(map[sample][]answer)
	district := smallDistrict(t)
	server, err := district.Serve(t.Context(), sim.ServeOptions{
		Transformers: []string{"T-1010", "T-1011", "T-1012"}, WithoutOPCUA: true,
		OnServe: func(s sim.Served) {
			mu.Lock()
			defer mu.Unlock()
			for q, v := range s.Values {
				key := sample{s.DeviceID, q}
				served[key] = append(served[key], answer{time.Now(), v})
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	dir := t.TempDir()
	file := filepath.Join(dir, "gridwarden.yaml")
	if err := os.WriteFile(file, []byte(polledConfig(server)), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-time.Minute)
	var killed []time.Time
	for range 3 {
		cmd := exec.CommandContext(t.Context(), filepath.Join("..", "..", "bin", "gridwarden"), "run", "-c", file)
		if err := cmd.Start(); err != nil {
			t.Fatalf("%v; run `make gridwarden`", err)
		}
		time.Sleep(6 * time.Second)
		killed = append(killed, time.Now())
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
	}

	h := hostOn(t, dir, nil, func(c *config.Config) { c.DataDir = filepath.Join(dir, "data") })
	if err := h.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored := make(map[sample]map[float64]int)
	values := 0
	err = h.StoredValues(t.Context(), began, time.Now(), func(v historian.Value) error {
		key := sample{v.DeviceID, v.Quantity}
		if stored[key] == nil {
			stored[key] = make(map[float64]int)
		}
		stored[key][v.Value]++
		values++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	checked := 0
	for key, answers := range served {
		for _, a := range answers {
			if nearEnd(a.at, killed) {
				continue // not acknowledged yet when the kill came
			}
			checked++
			if stored[key][a.value] == 0 {
				t.Errorf("%s %s: %v of %v is lost", key.device, key.quantity, a.value, a.at)
			}
		}
	}
	if checked < 1000 {
		t.Errorf("only %d answers were checked", checked)
	}
	t.Logf("%d answers before the kills, none lost; %d values stored", checked, values)
}

// nearEnd reports whether a moment is in the last second before a kill: a
// reading waits at most a few hundred milliseconds for its batch.
func nearEnd(at time.Time, killed []time.Time) bool {
	for _, k := range killed {
		if gap := k.Sub(at); gap < time.Second && gap > -time.Second {
			return true
		}
	}
	return false
}

// polledConfig is a configuration of the served devices, without a historian.
func polledConfig(server *sim.Server) string {
	var b strings.Builder
	b.WriteString("data_dir: data\nconsole: {listen: 127.0.0.1:0}\ndevices:\n")
	for _, d := range server.Devices() {
		fmt.Fprintf(&b, "  - {id: %s, url: %q, profile: %s, meter_id: %s}\n", d.ID, d.URL, d.Profile, d.MeterID)
	}
	return b.String()
}
