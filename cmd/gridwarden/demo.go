package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/access"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/sim"
)

const (
	demoSeed  = 1
	demoDays  = 60
	demoLogin = "demo"
	// liveMinute is how long `--exit` polls live after the first result.
	liveMinute = time.Minute
)

type demoFlags struct {
	exit   bool
	json   bool
	seed   int64
	until  string
	listen string
	dir    string
	influx string
}

func newDemo() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "A simulated district with everything running",
		Long: `Simulates a district of 40 transformers and 1,000 usage points with planted stories,
imports 60 days of its meter history, polls it live over Modbus and OPC UA, runs every
detector as a plugin, opens cases, and serves the console. InfluxDB is run as a child
process where bin/influxd is there; without it telemetry waits in the stream.`,
		Example: `  gridwarden demo
  gridwarden demo --exit            stop after the first result and a minute of polling
  gridwarden demo --exit --json     the same, as one JSON document
  gridwarden demo --seed 7 --dir var/demo`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			until, err := f.lastDay(time.Now())
			if err != nil {
				return badInput{err}
			}
			d := demo{flags: f, until: until, stdout: cmd.OutOrStdout(), status: newProgressLine(cmd.ErrOrStderr()), stderr: cmd.ErrOrStderr()}
			return d.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.exit, "exit", false, "stop after the first complete pass and one minute of live polling, and print the ranked queue")
	flags.BoolVar(&f.json, "json", false, "with --exit: print one JSON document")
	flags.Int64Var(&f.seed, "seed", demoSeed, "of the simulated district")
	flags.StringVar(&f.until, "until", "", "last day of the history, YYYY-MM-DD; yesterday where not given")
	flags.StringVar(&f.listen, "listen", config.Default().Console.Listen, "address of the console")
	flags.StringVar(&f.dir, "dir", "", "folder for the demo's data, emptied first; a temporary one where not given")
	flags.StringVar(&f.influx, "influxd", findInfluxDB(), "influxd 1.8 to run as historian; \"\" for none")
	return cmd
}

func (f *demoFlags) lastDay(now time.Time) (curve.Date, error) {
	yesterday := curve.DateOf(now.UTC()) - 1
	if f.json && !f.exit {
		return 0, errors.New("--json goes with --exit")
	}
	if f.until == "" {
		return yesterday, nil
	}
	day, err := curve.ParseDate(f.until)
	if err != nil {
		return 0, fmt.Errorf("--until: %w", err)
	}
	if day > yesterday {
		return 0, fmt.Errorf("--until %s: the history can end yesterday (%s) at the latest", day, yesterday)
	}
	return day, nil
}

// demo is one run of the demo.
type demo struct {
	flags  demoFlags
	until  curve.Date
	stdout io.Writer
	stderr io.Writer
	status *progressLine

	dir      string
	district *sim.District
	server   *sim.Server
	host     *host.Host
	seconds  demoSeconds
	result   *detect.Result
	began    time.Time
}

func (d *demo) run(ctx context.Context) (err error) {
	d.began = time.Now()
	remove, err := d.prepareFolder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := d.simulate(ctx); err != nil {
		return d.stopped(ctx, err)
	}
	defer func() { err = errors.Join(err, d.server.Close()) }()

	password := access.GeneratePassword()
	if err := d.open(ctx, password); err != nil {
		return d.stopped(ctx, err)
	}
	defer func() { err = errors.Join(err, d.host.Close()) }()
	d.status.warn()
	fmt.Fprintf(d.stderr, "\n  Console  %s\n  Login    %s\n  Password %s\n\n", d.host.Address(), demoLogin, password)

	err = d.host.Start(ctx, d.pass)
	if errors.Is(err, errDemoDone) {
		return nil
	}
	return d.stopped(ctx, err)
}

// stopped turns the end by Ctrl-C into a clean one, unless a document was asked for.
func (d *demo) stopped(ctx context.Context, err error) error {
	d.status.end()
	if ctx.Err() == nil {
		return err
	}
	if d.flags.exit {
		return fmt.Errorf("stopped before the demo was done: %w", context.Cause(ctx))
	}
	fmt.Fprintln(d.stderr, "Stopped.")
	return nil
}

// prepareFolder makes the demo's data folder and says how to take it away.
func (d *demo) prepareFolder() (remove func() error, err error) {
	if d.flags.dir == "" {
		if d.dir, err = os.MkdirTemp("", "gridwarden-demo-"); err != nil {
			return nil, fmt.Errorf("demo folder: %w", err)
		}
		return func() error { return os.RemoveAll(d.dir) }, nil
	}
	d.dir = d.flags.dir
	// Only a folder that a demo made is emptied.
	mark := filepath.Join(d.dir, ".gridwarden-demo")
	entries, err := os.ReadDir(d.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	if len(entries) > 0 {
		if _, err := os.Stat(mark); err != nil {
			return nil, badInput{fmt.Errorf("--dir %s is not empty and was not made by a demo; name another folder", d.dir)}
		}
		if err := os.RemoveAll(d.dir); err != nil {
			return nil, fmt.Errorf("--dir: %w", err)
		}
	}
	if err := os.MkdirAll(d.dir, 0o750); err != nil {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	return func() error { return nil }, nil
}

// simulate makes the district, writes its export, and serves it live.
func (d *demo) simulate(ctx context.Context) (err error) {
	began := time.Now()
	d.status.step("simulating %d days of a district, seed %d", demoDays, d.flags.seed)
	if d.district, err = sim.New(sim.Config{Seed: d.flags.seed, Until: d.until, Days: demoDays}); err != nil {
		return err
	}
	if err := d.district.Export(ctx, d.exportDir(), d.status.count("meters simulated")); err != nil {
		return err
	}
	d.seconds.Simulate = since(began)
	d.status.done("exported to %s", d.exportDir())
	d.status.step("serving it over Modbus and OPC UA")
	if d.server, err = d.district.Serve(ctx, sim.ServeOptions{}); err != nil {
		return err
	}
	d.status.done("%d devices", len(d.server.Devices()))
	return nil
}

func (d *demo) exportDir() string { return filepath.Join(d.dir, "export") }

// open starts the program on the district.
func (d *demo) open(ctx context.Context, password string) (err error) {
	cfg := config.Default()
	cfg.Site = config.Site{Name: "Simulated 35/10 kV", Organisation: "Demo district, all data made up", TimeZone: "UTC"}
	cfg.DataDir = filepath.Join(d.dir, "data")
	cfg.Registry = filepath.Join(d.exportDir(), "registry")
	cfg.Console.Listen = d.flags.listen
	cfg.Devices = polledDevices(d.server)
	if err := d.writeConfig(&cfg); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(d.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	d.status.step("starting stream, historian, detectors and console")
	d.host, err = host.New(ctx, &cfg, host.Options{
		Logger: logger, Version: version, Drivers: linkDrivers(&cfg, logger), Profiles: []fs.FS{sim.Profiles()}, InfluxDB: d.flags.influx,
	})
	if err != nil {
		return err
	}
	_, err = d.host.Access().AddUser(ctx, access.NewUser{
		Login: demoLogin, DisplayName: "Demo user", Roles: []access.Role{access.CaseOfficer}, Password: password,
	})
	if err != nil {
		return err
	}
	historian := "InfluxDB runs as a child process"
	if d.flags.influx == "" {
		historian = "no bin/influxd: telemetry waits in the stream (`make bin/influxd` builds it)"
	}
	d.status.done("%s", historian)
	return nil
}

// writeConfig leaves a configuration beside the data, so that `cases`, `users`
// and `run` work on what the demo made. The simulated devices end with it.
func (d *demo) writeConfig(cfg *config.Config) error {
	text := fmt.Sprintf("site:\n  name: %q\n  organisation: %q\n  time_zone: %s\ndata_dir: data\nregistry: export/registry\n",
		cfg.Site.Name, cfg.Site.Organisation, cfg.Site.TimeZone)
	if err := os.WriteFile(filepath.Join(d.dir, "gridwarden.yaml"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("demo configuration: %w", err)
	}
	return nil
}

// polledDevices are the served devices as a configuration names them, each
// polled every second.
func polledDevices(server *sim.Server) []config.Device {
	var devices []config.Device
	for _, d := range server.Devices() {
		devices = append(devices, config.Device{
			ID: d.ID, URL: d.URL, Profile: d.Profile, MeterID: d.MeterID,
			Interval: time.Second, Mode: d.Mode, Options: d.Options,
		})
	}
	return devices
}

// errDemoDone ends the demo after `--exit`.
var errDemoDone = errors.New("demo done")

// pass imports and detects once while everything else runs.
func (d *demo) pass(ctx context.Context) error {
	began := time.Now()
	files, err := filepath.Glob(filepath.Join(d.exportDir(), "readings", "*.csv"))
	if err != nil {
		return fmt.Errorf("readings: %w", err)
	}
	d.status.step("importing %d files of meter history", len(files))
	report, err := d.host.Import(ctx, files, d.status.reading)
	if err != nil {
		return err
	}
	d.seconds.Import, d.seconds.Features = since(began), report.FeatureTime.Seconds()
	d.status.done("%d meter-days of %d meters, %s to %s", report.Days, report.Meters, report.First, report.Last)

	began = time.Now()
	d.status.step("detecting")
	if d.result, err = d.host.Detect(ctx, d.status.detecting); err != nil {
		return err
	}
	d.seconds.Detect = since(began)
	listed := 0
	for listed < len(d.result.UsagePoints) && d.result.UsagePoints[listed].Rank > 0 {
		listed++
	}
	d.seconds.Total = since(d.began)
	d.status.done("%d usage points with a finding; first ranked queue after %.1f s", listed, d.seconds.Total)
	if !d.flags.exit {
		fmt.Fprintln(d.stderr, "Polling live. Stop with Ctrl-C.")
		<-ctx.Done()
		return nil
	}
	doc, err := d.minute(ctx)
	if err != nil {
		return err
	}
	if d.flags.json {
		err = writeJSON(d.stdout, doc)
	} else {
		d.print(doc)
	}
	return errors.Join(err, errDemoDone)
}
