package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/access"
	"github.com/gridwarden/gridwarden/internal/backup"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/historian"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/sim"
	"github.com/gridwarden/gridwarden/internal/sqlstore"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// heard collects what a served district answers.
type heard struct {
	mu     sync.Mutex
	served map[sample][]answer
}

func (h *heard) take(s sim.Served) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for q, v := range s.Values {
		key := sample{s.DeviceID, q}
		h.served[key] = append(h.served[key], answer{time.Now(), v})
	}
}

// A backup that is taken while the program polls is restored elsewhere: the
// days, cases, users and records are those that were there, and every reading
// that was acknowledged before it began comes out of the restored streams.
func TestABackupOfTheRunningProgramComesBack(t *testing.T) {
	answers := &heard{served: make(map[sample][]answer)}
	district := smallDistrict(t)
	server, err := district.Serve(t.Context(), sim.ServeOptions{
		Transformers: []string{"T-1010", "T-1011", "T-1012"}, WithoutOPCUA: true, OnServe: answers.take,
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
	exported := filepath.Join(dir, "export")
	if err := district.Export(t.Context(), exported, nil); err != nil {
		t.Fatal(err)
	}
	file, out := filepath.Join(dir, "gridwarden.yaml"), filepath.Join(dir, "b.gwb")
	if err := os.WriteFile(file, []byte(polled(server)), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Registry = filepath.Join(exported, "registry")
	began := time.Now().Add(-time.Minute)
	var before time.Time
	running := func() { // until its function returns
		h, err := host.New(t.Context(), cfg, host.Options{Logger: testLogger(t), Drivers: linkDrivers(cfg, testLogger(t)), Profiles: []fs.FS{sim.Profiles()}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		}()
		fill(t, h, exported)
		err = h.Start(t.Context(), func(context.Context) error {
			time.Sleep(4 * time.Second)
			before = time.Now()
			if code, _, errs := gridwarden(t, "backup", "-c", file, "--out", out); code != 0 {
				t.Errorf("backup: exit %d: %s", code, errs)
			}
			time.Sleep(500 * time.Millisecond) // it goes on
			return errEnough
		})
		if err != nil && !strings.Contains(err.Error(), errEnough.Error()) {
			t.Error(err)
		}
	}
	running()

	code, text, errs := gridwarden(t, "backup", "verify", out)
	if code != 0 || !strings.Contains(text, "streams/READINGS") || !strings.Contains(text, "files/pseudonym.key") {
		t.Fatalf("verify: exit %d: %s%s", code, text, errs)
	}
	restored := filepath.Join(dir, "restored", "data")
	if code, _, errs := gridwarden(t, "restore", out, "--data-dir", restored, "--dry-run"); code != 0 {
		t.Fatalf("dry run: exit %d: %s", code, errs)
	}
	if _, err := os.Stat(filepath.Dir(restored)); err == nil {
		t.Error("the dry run wrote something")
	}
	if code, _, errs := gridwarden(t, "restore", out, "--data-dir", restored); code != 0 {
		t.Fatalf("restore: exit %d: %s", code, errs)
	}
	if code, _, errs := gridwarden(t, "restore", out, "--data-dir", restored); code != exitUsage || !strings.Contains(errs, "is not empty") {
		t.Errorf("restore over it: exit %d: %s", code, errs)
	}
	sameKeys(t, cfg.DataDir, restored)
	if was, is := contents(t, cfg.DataDir), contents(t, restored); !reflect.DeepEqual(was, is) {
		for i := range was {
			if was[i] != is[i] {
				t.Errorf("was %.300s\nis  %.300s", was[i], is[i])
			}
		}
	}

	h := hostOn(t, filepath.Dir(restored), nil, nil)
	if err := h.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored := make(map[sample]map[float64]int)
	err = h.StoredValues(t.Context(), began, time.Now(), func(v historian.Value) error {
		key := sample{v.DeviceID, v.Quantity}
		if stored[key] == nil {
			stored[key] = make(map[float64]int)
		}
		stored[key][v.Value]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	answers.mu.Lock()
	defer answers.mu.Unlock()
	checked := 0
	for key, list := range answers.served {
		for _, a := range list {
			if a.at.After(before.Add(-time.Second)) {
				continue // perhaps not acknowledged when the backup began
			}
			checked++
			if stored[key][a.value] == 0 {
				t.Errorf("%s %s: %v of %v is lost", key.device, key.quantity, a.value, a.at)
			}
		}
	}
	if checked < 500 {
		t.Errorf("only %d answers were checked", checked)
	}
	t.Logf("%d answers before the backup, none lost", checked)
}

var errEnough = fmt.Errorf("enough was seen")

// polled is a configuration of served devices, without a historian.
func polled(server *sim.Server) string {
	var b strings.Builder
	b.WriteString("data_dir: data\nconsole: {listen: 127.0.0.1:0}\ndevices:\n")
	for _, d := range server.Devices() {
		fmt.Fprintf(&b, "  - {id: %s, url: %q, profile: %s, meter_id: %s}\n", d.ID, d.URL, d.Profile, d.MeterID)
	}
	return b.String()
}

// fill gives a program days, a user, a case and a detection run.
func fill(t *testing.T, h *host.Host, exported string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(exported, "readings", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	if _, err := h.Import(t.Context(), files, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Access().AddUser(t.Context(), access.NewUser{Login: "lin.wei", Roles: []access.Role{access.CaseOfficer}, Password: "a long one for a test 7"}); err != nil {
		t.Fatal(err)
	}
	u := h.Network().UsagePoints[0]
	day := curve.DateOf(time.Now().UTC()) - 1
	opened, err := h.Cases().Consider(t.Context(), &detect.Result{RunID: "r-1", At: time.Now().UTC(), FirstDay: day - 1, LastDay: day, UsagePoints: []detect.Assessment{{
		UsagePointID: u.ID, MeterID: u.MeterID, CustomerID: u.CustomerID, TransformerID: u.TransformerID, Risk: 0.9, Rank: 1, GoodShare: 1, Reasons: []string{"flat_load"},
		Findings: []detect.Finding{{
			Finding: sdk.Finding{Subject: u.ID, Kind: sdk.UsagePoint, Reason: "flat_load", Probability: 0.9, FirstDay: sdk.Date(day - 1), LastDay: sdk.Date(day), Evidence: []sdk.Evidence{{Code: "flat_share", Text: "flat", Value: 1, LogOdds: 2}}},
			Stamp:   detect.Stamp{Detector: "hiddenmining"},
		}},
	}}})
	if err != nil || opened != 1 {
		t.Fatalf("%d cases opened, %v", opened, err)
	}
}

// contents are the days, cases, users and records of a data folder as text.
func contents(t *testing.T, dir string) (out []string) {
	t.Helper()
	ctx := t.Context()
	db, err := sqlstore.Open(ctx, filepath.Join(dir, "gridwarden.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	add := func(v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%+v", v))
	}
	network, err := db.Registry().LoadNetwork(ctx)
	if err != nil || network == nil {
		t.Fatal(network, err)
	}
	text, err := json.Marshal(network)
	add(string(text), err)
	today := curve.DateOf(time.Now().UTC())
	days := 0
	for _, u := range network.UsagePoints[:200] {
		list, err := db.Curves().Days(ctx, u.MeterID, today-10, today-1)
		add(list, err)
		days += len(list)
	}
	if days < 300 {
		t.Errorf("only %d days are compared", days)
	}
	cfg := config.Default()
	cfg.DataDir = dir
	desk, err := host.OpenDesk(ctx, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := desk.Close(); err != nil {
			t.Error(err)
		}
	}()
	users, err := desk.Access.Users(ctx)
	if len(users) != 1 {
		t.Errorf("%d users", len(users))
	}
	add(users, err)
	c, err := desk.Cases.OfUsagePoint(ctx, network.UsagePoints[0].ID)
	if c == nil {
		t.Fatal("no case", err)
	}
	text, jsonErr := json.Marshal(c)
	add(string(text), err)
	add("", jsonErr)
	return out
}

// sameKeys compares the small files and looks at who may read them.
func sameKeys(t *testing.T, was, is string) {
	t.Helper()
	a, err := os.ReadFile(filepath.Join(was, "pseudonym.key"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(is, "pseudonym.key"))
	if err != nil || string(a) != string(b) {
		t.Errorf("the pseudonyms' key differs: %v", err)
	}
	for _, name := range []string{"pseudonym.key", ""} { // the folder keeps others from the rest
		if info, err := os.Stat(filepath.Join(is, name)); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestBackupRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "gridwarden.yaml")
	if err := os.WriteFile(file, []byte("data_dir: data\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken.gwb")
	if err := os.WriteFile(broken, []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no file", []string{"backup", "-c", file}, exitUsage, "--out"},
		{"no configuration", []string{"backup", "-c", filepath.Join(dir, "no.yaml"), "--out", filepath.Join(dir, "b.gwb")}, exitUsage, "no.yaml"},
		{"nothing to back up", []string{"backup", "-c", file, "--out", filepath.Join(dir, "b.gwb")}, exitFailed, "start the program once"},
		{"verify nothing", []string{"backup", "verify", filepath.Join(dir, "b.gwb")}, exitFailed, "b.gwb"},
		{"verify no backup", []string{"backup", "verify", broken}, exitFailed, "cut off"},
		{"restore no backup", []string{"restore", broken, "--data-dir", filepath.Join(dir, "new")}, exitFailed, "cut off"},
		{"restore nowhere", []string{"restore", broken}, exitUsage, "--data-dir"},
		{"restore into both", []string{"restore", broken, "--data-dir", "x", "-c", file}, exitUsage, "--data-dir"},
		{"restore into a folder in use", []string{"restore", broken, "--data-dir", dir}, exitUsage, "is not empty"},
		{"two databases", []string{"restore", broken, "-c", file, "--database-url", "postgres://x/y"}, exitUsage, "belongs to --data-dir"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, _, errs := gridwarden(t, c.args...)
			if code != c.code || !strings.Contains(errs, c.want) {
				t.Errorf("exit %d: %s; want %d and %q", code, errs, c.code, c.want)
			}
		})
	}
}

// A program that is at rest is backed up too, and a folder without streams.
func TestABackupOfAProgramAtRest(t *testing.T) {
	dir := t.TempDir()
	file, out := filepath.Join(dir, "gridwarden.yaml"), filepath.Join(dir, "b.gwb")
	if err := os.WriteFile(file, []byte("data_dir: data\nconsole: {listen: 127.0.0.1:0}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.New(t.Context(), cfg, host.Options{Logger: testLogger(t), Drivers: linkDrivers(cfg, testLogger(t)), Profiles: []fs.FS{sim.Profiles()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"backup", "-c", file, "--out", out}, {"backup", "-c", file, "--out", out + "2", "--without-streams"},
		{"restore", out, "--data-dir", filepath.Join(dir, "one")}, {"restore", out + "2", "--data-dir", filepath.Join(dir, "two")},
	} {
		if code, _, errs := gridwarden(t, args...); code != 0 {
			t.Fatalf("%v: exit %d: %s", args, code, errs)
		}
	}
	a, err := backup.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if len(a.Manifest.Streams()) != 6 {
		t.Errorf("streams %v", a.Manifest.Streams())
	}
	for _, name := range []string{"one", "two"} {
		cfg.DataDir = filepath.Join(dir, name)
		h, err := host.New(t.Context(), cfg, host.Options{Logger: testLogger(t), Drivers: linkDrivers(cfg, testLogger(t)), Profiles: []fs.FS{sim.Profiles()}})
		if err != nil {
			t.Fatalf("the program does not start on folder %s: %v", name, err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
